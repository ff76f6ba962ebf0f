"""The build: executes a plan, then runs the checks. Its entry point is `build_models`.

A table whose SQL and inputs are what they were in the build before is left as it is; of an incremental model only the
rows of assistants that changed are built again (see `plan` for the decisions, `increments` for the assistants).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from puretalk.database import quote_name
from puretalk.errors import CheckFailedError
from puretalk.listener import SILENT, Listener, Step
from puretalk.models.audit import Audit, find_idle_entries
from puretalk.models.changes import Changes, Note, read_note, remove_note, write_note
from puretalk.models.checks import CheckResult, Passed, run_checks, warn_of_old_sources
from puretalk.models.comments import write_comments
from puretalk.models.contract import compare_with_contract
from puretalk.models.fingerprints import forget_builds, record_builds
from puretalk.models.macros import create_macros
from puretalk.models.model import Model, name_failure, quote_relation, with_inputs
from puretalk.models.parsed import ParsedFiles
from puretalk.models.plan import Action, Plan, PlannedModel, Removal, plan
from puretalk.models.project import read_project
from puretalk.models.properties import Properties

Outcome = Literal["built", "updated", "unchanged", "removed"]


@dataclass(frozen=True)
class BuiltModel:
    """The outcome for one relation (`name`, as schema.name). `rows` is None for views and for what was not built; of an
    updated table it counts the rows of the touched assistants. `seconds` include the counting."""

    name: str
    outcome: Outcome
    seconds: float
    rows: int | None = None


@dataclass(frozen=True)
class BuildReport:
    """What a build did. Failed checks are not in it: they raise. `warnings` are sentences for people."""

    models: tuple[BuiltModel, ...]
    checks: tuple[CheckResult, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Time spent in models and checks."""
        return sum(model.seconds for model in self.models) + sum(check.seconds for check in self.checks)


def build_models(
    connection: duckdb.DuckDBPyConnection,
    *,
    sql_dirs: Sequence[Path] | None = None,
    user_dir: Path | None = None,
    select: Collection[str] = (),
    audit: Audit = Audit(),
    changes: Changes | None = None,
    listener: Listener = SILENT,
) -> BuildReport:
    """Builds all models into the connection's current database, writes their comments and runs all checks.

    With `select`, names of models: only these and what they read, and no checks.

    `audit`: what the settings tell the audit.

    `changes`: all that was written to the normalized layer since the models were last built, where that is known. Then
    only what they concern is hashed, built, commented and checked, if the last build left its note (see `changes`).

    The connection must be in no transaction. Its time zone is set to UTC.

    Raises CheckFailedError: a model does not build (file, line, cause), does not have the columns that its YAML
    promises, or a check found rows; ConfigurationError: the folder itself is wrong.
    """
    note = read_note(connection, changes) if changes is not None else None
    parsed = ParsedFiles(connection if note is not None else None)
    project = read_project(connection, sql_dirs, user_dir, audit=audit, parsed=parsed)
    planned = plan(connection, project, select=select, changes=changes, note=note)
    remove_note(connection)
    with _intermediate_tables(connection):
        is_known = note is not None and note.project == project.digest
        steps = tuple(execute(connection, planned, is_known=is_known))
        if select:
            return BuildReport(steps, ())
        planned.touched.settle()
        create_macros(connection)
        passed = (
            Passed(note.passed, _find_changed(planned, changes))
            if changes is not None and note is not None
            else Passed()
        )
        listener.on_step(Step.CHECKS)
        results = run_checks(connection, project.models, project.checks, project.properties, passed)
    failed = [result for result in results if result.failed and result.severity == "error"]
    if failed:
        raise CheckFailedError("\n".join(result.message for result in failed))
    parsed.store(connection)
    write_note(
        connection,
        Note(planned.fingerprints.queries, planned.views, frozenset(passed.digests), project.digest),
    )
    warnings = [result.message for result in results if result.failed]
    warnings += warn_of_old_sources(connection, project.properties)
    warnings += find_idle_entries(connection, audit.accepted)
    return BuildReport(steps, tuple(results), tuple(warnings))


def execute(connection: duckdb.DuckDBPyConnection, planned: Plan, *, is_known: bool = False) -> list[BuiltModel]:
    """Does what the plan says and writes the comments. Expects a database `intermediate` for the temporary tables.

    `is_known`: a finished build made all relations from the same SQL and YAML files. Then only relations that are
    created get comments, and the columns that follow from these files are not compared with their contract again.

    The touched assistants are marked first and not settled: what a build that fails has updated, the next one updates
    again. Raises CheckFailedError where a model does not build or breaks its contract.
    """
    properties = planned.project.properties
    settled = planned.project.find_settled() if is_known else frozenset()
    planned.touched.mark()
    _create_schemas(connection, planned.project.models)
    steps = []
    for removal in planned.removals:
        _remove(connection, removal)
        if not removal.is_replaced:
            steps.append(BuiltModel(removal.relation, "removed", 0.0))
    built = {
        step.relation: step.fingerprint
        for step in planned.models
        if step.action is Action.BUILD and step.model.kind == "table"
    }
    forget_builds(connection, built)
    in_batches = [step for step in planned.models if planned.is_in_batches(step)]
    for action in (Action.UPDATE, Action.BUILD):
        of_action = [step for step in in_batches if step.action is action]
        steps += _make_in_batches(connection, planned, of_action, action, settled)
    for step in planned.models:
        if step in in_batches:
            continue
        if step.action is Action.KEEP:
            steps.append(BuiltModel(step.relation, "unchanged", 0.0))
        elif step.action in (Action.BUILD, Action.CREATE_VIEW):
            steps.append(_make(connection, step.model, properties, settled))
    record_builds(connection, built)
    described = [
        step.model for step in planned.models if not is_known or step.action in (Action.BUILD, Action.CREATE_VIEW)
    ]
    write_comments(connection, described, properties, are_new=is_known)
    return steps


def _find_changed(planned: Plan, changes: Changes) -> Callable[[str], bool]:
    """A function that says of a relation whether it may hold other rows than after the build before."""
    actions = {step.relation: step for step in planned.models}

    def is_changed(relation: str) -> bool:
        step = actions.get(relation)
        if step is None:
            return changes.may_concern(relation)
        if step.action is not Action.KEEP:
            return True
        return step.model.kind == "view" and any(is_changed(read.relation) for read in step.model.references)

    return is_changed


def _make_in_batches(
    connection: duckdb.DuckDBPyConnection,
    planned: Plan,
    steps: Sequence[PlannedModel],
    action: Action,
    settled: Collection[str],
) -> list[BuiltModel]:
    """Makes incremental models: of the touched assistants (UPDATE) or of all (BUILD), a batch of them at a time, so
    that memory is bounded. The models are made in a small warehouse that holds no others, and the rows that come out
    take the place of theirs."""
    if not steps:
        return []
    touched = planned.touched
    models = with_inputs(planned.project.models, [step.model for step in steps])
    seconds, rows = dict.fromkeys(steps, 0.0), dict.fromkeys(steps, 0)
    for batch in range(touched.divide(all_assistants=action is Action.BUILD)):
        with touched.small_warehouse(batch):
            _create_schemas(connection, models)
            made = {model.relation: _make(connection, model, planned.project.properties, settled) for model in models}
            for step in steps:
                start = time.perf_counter()
                if action is Action.BUILD and batch == 0:
                    touched.replace_table(step.relation)
                else:
                    touched.replace_rows(step.relation)
                seconds[step] += made[step.relation].seconds + time.perf_counter() - start
                rows[step] += made[step.relation].rows or 0
    outcome: Outcome = "updated" if action is Action.UPDATE else "built"
    return [BuiltModel(step.relation, outcome, seconds[step], rows[step]) for step in steps]


def _make(
    connection: duckdb.DuckDBPyConnection, model: Model, properties: Properties, settled: Collection[str]
) -> BuiltModel:
    """Creates the model's relation in the current database, from what it reads there. The columns of the `settled`
    relations are known to be as promised."""
    start = time.perf_counter()
    kind = "VIEW" if model.kind == "view" else "TABLE"
    relation = quote_relation(model.relation)
    rows = None
    if model.itself:
        _prepare_itself(connection, model, properties)
    try:
        answer = connection.execute(f"CREATE OR REPLACE {kind} {relation} AS\n{model.sql}").fetchall()
        if kind == "TABLE":
            [(rows,)] = answer
    except duckdb.OutOfMemoryException:
        raise  # the SQL is not at fault
    except duckdb.Error as error:
        raise name_failure(model, error) from error
    if model.relation not in settled:
        compare_with_contract(connection, model, properties)
    return BuiltModel(model.relation, "built", time.perf_counter() - start, rows)


def _prepare_itself(connection: duckdb.DuckDBPyConnection, model: Model, properties: Properties) -> None:
    """What a model that reads itself finds: its table, without rows where there is none, and with every column that its
    YAML promises. A column that an earlier release did not know is NULL."""
    columns = [f"{quote_name(name)} {type_}" for name, type_ in properties.model(model.name).types.items()]
    if columns:
        relation = quote_relation(model.relation)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {relation} ({', '.join(columns)})")
        for column in columns:
            connection.execute(f"ALTER TABLE {relation} ADD COLUMN IF NOT EXISTS {column}")


def _remove(connection: duckdb.DuckDBPyConnection, removal: Removal) -> None:
    kind = "VIEW" if removal.action is Action.REMOVE_VIEW else "TABLE"
    connection.execute(f"DROP {kind} IF EXISTS {quote_relation(removal.relation)}")
    forget_builds(connection, [removal.relation])


def _create_schemas(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> None:
    for schema in dict.fromkeys(model.schema for model in models if model.kind != "temporary"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}")


@contextmanager
def _intermediate_tables(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A database in memory for the models of the schema `intermediate`."""
    connection.execute("ATTACH ':memory:' AS intermediate")
    try:
        yield
    finally:
        connection.execute("DETACH intermediate")
