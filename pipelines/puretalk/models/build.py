"""The build: executes a plan, then runs the checks. Its entry point is `build_models`.

A table whose SQL and inputs are what they were in the build before is left as it is; of an incremental model only the
rows of assistants that changed are built again (see `plan` for the decisions, `increments` for the assistants).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from puretalk.database import quote_name
from puretalk.errors import CheckFailedError
from puretalk.listener import SILENT, Listener, Step
from puretalk.models.checks import CheckResult, run_checks, warn_of_old_sources
from puretalk.models.comments import write_comments
from puretalk.models.contract import compare_with_contract
from puretalk.models.fingerprints import forget_build, record_build
from puretalk.models.model import Model, name_failure, quote_relation, with_inputs
from puretalk.models.plan import Action, Plan, Removal, plan
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
    listener: Listener = SILENT,
) -> BuildReport:
    """Builds all models into the connection's current database, writes their comments and runs all checks.

    With `select`, names of models: only these and what they read, and no checks.

    The connection must be in no transaction. Its time zone is set to UTC.

    Raises CheckFailedError: a model does not build (file, line, cause), does not have the columns that its YAML
    promises, or a check found rows; ConfigurationError: the folder itself is wrong.
    """
    project = read_project(connection, sql_dirs, user_dir)
    planned = plan(connection, project, select=select)
    with _intermediate_tables(connection):
        steps = tuple(execute(connection, planned))
        if select:
            return BuildReport(steps, ())
        planned.touched.settle()
        listener.on_step(Step.CHECKS)
        results = run_checks(connection, project.models, project.checks, project.properties)
    failed = [result for result in results if result.failed and result.severity == "error"]
    if failed:
        raise CheckFailedError("\n".join(result.message for result in failed))
    warnings = [result.message for result in results if result.failed]
    warnings += warn_of_old_sources(connection, project.properties)
    return BuildReport(steps, tuple(results), tuple(warnings))


def execute(connection: duckdb.DuckDBPyConnection, planned: Plan) -> list[BuiltModel]:
    """Does what the plan says and writes the comments. Expects a database `intermediate` for the temporary tables.

    The touched assistants are marked first and not settled: what a build that fails has updated, the next one updates
    again. Raises CheckFailedError where a model does not build or breaks its contract.
    """
    properties = planned.project.properties
    planned.touched.mark()
    _create_schemas(connection, planned.project.models)
    steps = []
    for removal in planned.removals:
        _remove(connection, removal)
        if not removal.is_replaced:
            steps.append(BuiltModel(removal.relation, "removed", 0.0))
    steps += _update(connection, planned)
    for step in planned.models:
        if step.action is Action.KEEP:
            steps.append(BuiltModel(step.relation, "unchanged", 0.0))
        elif step.action in (Action.BUILD, Action.CREATE_VIEW):
            steps.append(_make(connection, step.model, properties))
            if step.model.kind == "table":
                record_build(connection, step.relation, step.fingerprint)
    write_comments(connection, [step.model for step in planned.models], properties)
    return steps


def _update(connection: duckdb.DuckDBPyConnection, planned: Plan) -> list[BuiltModel]:
    """Replaces the rows of the touched assistants: the same models are made in a small warehouse that holds no others,
    and the rows that come out take the place of theirs."""
    updated = [step.model for step in planned.models if step.action is Action.UPDATE]
    if not updated:
        return []
    models = with_inputs(planned.project.models, updated)
    with planned.touched.small_warehouse():
        _create_schemas(connection, models)
        made = {model.relation: _make(connection, model, planned.project.properties) for model in models}
        steps = []
        for model in updated:
            start = time.perf_counter()
            planned.touched.replace_rows(model.relation)
            step = made[model.relation]
            steps.append(BuiltModel(model.relation, "updated", step.seconds + time.perf_counter() - start, step.rows))
    return steps


def _make(connection: duckdb.DuckDBPyConnection, model: Model, properties: Properties) -> BuiltModel:
    """Creates the model's relation in the current database, from what it reads there."""
    start = time.perf_counter()
    kind = "VIEW" if model.kind == "view" else "TABLE"
    relation = quote_relation(model.relation)
    rows = None
    try:
        connection.execute(f"CREATE OR REPLACE {kind} {relation} AS\n{model.sql}").fetchall()
        if kind == "TABLE":
            [(rows,)] = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise name_failure(model, error) from error
    compare_with_contract(connection, model, properties)
    return BuiltModel(model.relation, "built", time.perf_counter() - start, rows)


def _remove(connection: duckdb.DuckDBPyConnection, removal: Removal) -> None:
    kind = "VIEW" if removal.action is Action.REMOVE_VIEW else "TABLE"
    connection.execute(f"DROP {kind} IF EXISTS {quote_relation(removal.relation)}")
    forget_build(connection, removal.relation)


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
