"""The plan of a build: what has to be done to each model, and why. Planning builds nothing; `build` executes a plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

import duckdb

from puretalk.models.changes import Changes, Note, digest
from puretalk.models.fingerprints import Fingerprints, create_builds_table, hash_recipe, read_builds
from puretalk.models.increments import TouchedAssistants
from puretalk.models.model import Model, select_models
from puretalk.models.project import Project


class Action(Enum):
    """What is done to a relation. UPDATE replaces the rows of the touched assistants (see `increments`)."""

    REMOVE_VIEW = "remove view"
    REMOVE_TABLE = "remove table"
    UPDATE = "update"
    CREATE_VIEW = "create view"
    BUILD = "build"
    KEEP = "keep"


@dataclass(frozen=True)
class Removal:
    """A relation that is dropped. `is_replaced`: a model makes another kind of relation of the same name."""

    relation: str
    action: Action
    reason: str
    is_replaced: bool = False


@dataclass(frozen=True)
class PlannedModel:
    """What is done to a model. `fingerprint` is what a table that is built is recorded with (see `fingerprints`)."""

    model: Model
    action: Action
    reason: str
    fingerprint: str | None = None

    @property
    def relation(self) -> str:
        """schema.name"""
        return self.model.relation


@dataclass(frozen=True)
class Plan:
    """What a build will do, in this order: removals, updates, then each model after those that it reads.

    A model in `intermediate` that none of the models to be built reads is left out. As text, a plan is one line for
    each relation. It is valid for the connection on which it was made, until the next plan.
    """

    project: Project
    touched: TouchedAssistants
    removals: tuple[Removal, ...]
    models: tuple[PlannedModel, ...]
    fingerprints: Fingerprints

    def is_in_batches(self, step: PlannedModel) -> bool:
        """Whether the step makes rows of an incremental model, which is done assistants by assistants."""
        return step.action in (Action.UPDATE, Action.BUILD) and self.project.is_incremental(step.model)

    @property
    def views(self) -> dict[str, str]:
        """The views that are there once the plan is executed, with a digest of their SQL."""
        return {step.relation: digest(step.model.sql) for step in self.models if step.model.kind == "view"}

    def __str__(self) -> str:
        steps: list[Removal | PlannedModel] = [*self.removals, *self.models]
        width = max((len(step.relation) for step in steps), default=0)
        return "\n".join(f"{step.action.value:12}  {step.relation:{width}}  {step.reason}" for step in steps)


def plan(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    *,
    select: Collection[str] = (),
    changes: Changes | None = None,
    note: Note | None = None,
) -> Plan:
    """What has to be done so that every relation is as its model says. With `select`, names of models: only these and
    what they read. With `changes` and the `note` that they may be trusted with (see `changes`): only what they may
    concern is hashed, and a view that is there as its SQL says is kept.

    Writes nothing, but creates the two tables that remember earlier builds where they are missing, and sets the
    connection's time zone to UTC, which the rows of a view may depend on.

    Raises CheckFailedError where the SELECT of a view cannot be run, ConfigurationError where there is no model of a
    selected name, or a model cannot be incremental.
    """
    connection.execute("SET TimeZone='UTC'")
    if changes is None or note is None:
        changes, note = None, Note()
        create_builds_table(connection)
    known = _Known(
        project,
        read_builds(connection),
        dict(connection.execute(_EXISTING_RELATIONS).fetchall()),
        Fingerprints(connection, project.models, changes, note.queries),
        TouchedAssistants(connection, changes.assistants if changes is not None else None),
        note.views,
    )
    planned: list[PlannedModel] = []
    readers: dict[str, list[str]] = {}
    for model in reversed(select_models(project.models, select) if select else project.models):
        if model.kind != "temporary":
            step = _decide(model, known)
        elif model.relation in readers:
            step = PlannedModel(model, Action.BUILD, f"read by {', '.join(sorted(readers[model.relation]))}")
        else:
            continue
        planned.append(step)
        # An incremental model is made in batches, from intermediate tables of its own.
        if step.action in (Action.BUILD, Action.CREATE_VIEW) and not project.is_incremental(model):
            for relation in {reference.relation for reference in model.references}:
                readers.setdefault(relation, []).append(model.relation)
    planned.reverse()
    planned.sort(key=lambda step: step.action is not Action.UPDATE)
    return Plan(project, known.touched, tuple(_find_leftovers(known)), tuple(planned), known.fingerprints)


@dataclass(frozen=True)
class _Known:
    """What decisions are made from. `recorded`: fingerprints of the tables that earlier builds made; `existing`: TABLE
    or VIEW for each relation of the database; `views`: digests of the SQL of views that are known to be as it says."""

    project: Project
    recorded: Mapping[str, str | None]
    existing: Mapping[str, str]
    fingerprints: Fingerprints
    touched: TouchedAssistants
    views: Mapping[str, str]


def _decide(model: Model, known: _Known) -> PlannedModel:
    """What is done to a view or a table."""
    if model.kind == "view":
        return _decide_view(model, known)
    is_incremental = known.project.is_incremental(model)
    if is_incremental:
        fingerprint: str | None = hash_recipe(model, known.project.models)
    else:
        fingerprint = known.fingerprints.find(model.relation)
    if known.existing.get(model.relation) != "TABLE" or model.relation not in known.recorded:
        action, reason = Action.BUILD, "not built yet"
    elif fingerprint is None:
        action, reason = Action.BUILD, "it reads a relation whose changes are not tracked"
    elif known.recorded[model.relation] != fingerprint:
        cause = "SQL that leads to it" if is_incremental else "its SQL, a row that it depends on,"
        action, reason = Action.BUILD, f"{cause} or the version of DuckDB changed"
    elif not is_incremental:
        action, reason = Action.KEEP, "nothing that it depends on changed"
    else:
        action, reason = _decide_by_assistants(known.touched)
    return PlannedModel(model, action, reason, fingerprint)


def _decide_view(model: Model, known: _Known) -> PlannedModel:
    if _is_kept(model, known):
        return PlannedModel(model, Action.KEEP, "it is there, with this SQL")
    reason = "it is not there with this SQL" if known.views else "every build creates the views again"
    return PlannedModel(model, Action.CREATE_VIEW, reason)


def _is_kept(model: Model, known: _Known) -> bool:
    """Whether a view is as its SQL says. It may read tables of the normalized layer, whose columns are those of the
    release, and views that are kept; the columns of a table may change with each build."""
    if known.existing.get(model.relation) != "VIEW" or known.views.get(model.relation) != digest(model.sql):
        return False
    made = {one.relation: one for one in known.project.models}
    read = [made[reference.relation] for reference in model.references if reference.relation in made]
    return all(one.kind == "view" and _is_kept(one, known) for one in read)


def _decide_by_assistants(touched: TouchedAssistants) -> tuple[Action, str]:
    if not touched.count:
        return Action.KEEP, "no assistant changed"
    changed = "1 assistant changed" if touched.count == 1 else f"{touched.count} assistants changed"
    return (Action.UPDATE, changed) if touched.are_few else (Action.BUILD, f"{changed}, too many for an update")


def _find_leftovers(known: _Known) -> list[Removal]:
    """What earlier builds made and no model makes now, or what is of another kind than its model makes."""
    wanted = {model.relation: "VIEW" if model.kind == "view" else "TABLE" for model in known.project.models}
    schemas = {relation.partition(".")[0] for relation in [*known.recorded, *wanted]}
    leftovers = []
    for relation, kind in known.existing.items():
        action = Action.REMOVE_VIEW if kind == "VIEW" else Action.REMOVE_TABLE
        schema = relation.partition(".")[0]
        if relation in wanted:
            if wanted[relation] != kind:
                reason = f"its model makes a {wanted[relation].lower()}"
                leftovers.append(Removal(relation, action, reason, is_replaced=True))
        elif relation in known.recorded or (kind == "VIEW" and schema in ("staging", "marts") and schema in schemas):
            leftovers.append(Removal(relation, action, "no model makes it"))
    gone = known.recorded.keys() - known.existing.keys() - wanted.keys()
    return leftovers + [Removal(relation, Action.REMOVE_TABLE, "no model makes it") for relation in sorted(gone)]


_EXISTING_RELATIONS = """
    SELECT schema_name || '.' || table_name, 'TABLE' FROM duckdb_tables() WHERE database_name = current_database()
    UNION ALL
    SELECT schema_name || '.' || view_name, 'VIEW' FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal
"""
