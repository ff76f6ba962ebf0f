"""The reporting layer: builds the SQL models into an open warehouse, describes and checks them.

A model is a file with one SELECT; its name is the relation's, its folder's the schema's:

    sql/staging/stg_assistants.sql      →  view  staging.stg_assistants
    sql/intermediate/int_changes.sql    →  a table in memory that lives as long as the build
    sql/marts/dim_assistants.sql        →  table marts.dim_assistants
    sql/checks/some_claim.sql           →  no relation: a query that must return no row (see `checks`)

What a model reads is taken from its SQL, and decides the order. A table whose SQL and inputs are what they were in
the build before is left as it is; of an incremental model only the rows of assistants that changed are built again
(see `increments`). YAML files beside the models describe them (see `properties`).
"""

from __future__ import annotations

import graphlib
import hashlib
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

import puretalk
from puretalk.catalogue import TABLES
from puretalk.errors import CheckFailedError, ConfigurationError
from puretalk.reporting.checks import CheckResult, check_freshness, run_checks
from puretalk.reporting.increments import DIVIDED_TABLES, KEY, TouchedAssistants
from puretalk.reporting.properties import ModelProperties, Properties, read_properties
from puretalk.reporting.references import Reference, UnreadableSQLError, find_references
from puretalk.schema import SCHEMA, STORAGE_SCHEMA

Kind = Literal["view", "table", "temporary", "check"]
Outcome = Literal["built", "updated", "unchanged", "removed"]

#: What the folders of our own models become; any other folder's models become tables.
_KINDS: Mapping[str, Kind] = {"staging": "view", "intermediate": "temporary", "checks": "check"}
#: Schemas that a user's own models must not write to.
RESERVED_SCHEMAS = frozenset(
    {SCHEMA, STORAGE_SCHEMA, "staging", "intermediate", "marts", "information_schema", "pg_catalog"}
)
#: Schema of a user's model that lies in no subfolder.
DEFAULT_SCHEMA = "models"
#: Where the fingerprints of the built tables are kept.
BUILDS_TABLE = f"{STORAGE_SCHEMA}.model_builds"
_BUILDS_COLUMNS = {
    "relation": ("VARCHAR PRIMARY KEY", "The table, as schema.name."),
    "fingerprint": (
        "VARCHAR",
        "SHA-256 (hex) of the SQL and of all that it reads, or, of an incremental model, of all SQL that leads to it; "
        "NULL when that cannot be known.",
    ),
    "built_at": ("TIMESTAMP WITH TIME ZONE", "When all of it was last built (UTC)."),
}
_BUILDS_COMMENT = "One row: a table that a model made. While the fingerprint holds, it is left as it is."

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_LINE = re.compile(r"\bLINE (\d+):")


@dataclass(frozen=True)
class Model:
    """One SQL file: `references` are the relations that it reads, in the order in which they stand in it."""

    schema: str
    name: str
    kind: Kind
    path: Path
    sql: str
    references: tuple[Reference, ...]

    @property
    def relation(self) -> str:
        """schema.name: how SQL and messages call it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Step:
    """What became of one model: built, or updated for the assistants that changed (then `rows` are theirs). `rows` is
    NULL for views; `seconds` include the counting."""

    name: str
    outcome: Outcome
    seconds: float
    rows: int | None = None

    @property
    def is_built(self) -> bool:
        """Whether it was built now, or part of it, rather than left as it was, or removed."""
        return self.outcome in ("built", "updated")


@dataclass(frozen=True)
class BuildReport:
    """What a build did. Failed checks do not get here: they raise. `warnings` are sentences for people."""

    models: tuple[Step, ...]
    checks: tuple[CheckResult, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Time spent in models and checks."""
        return sum(model.seconds for model in self.models) + sum(check.seconds for check in self.checks)


def sql_folder() -> Path:
    """The folder of our own models: `sql/` of the checkout, or the copy in the installed package."""
    packaged = Path(puretalk.__file__).parent / "sql"
    return packaged if packaged.is_dir() else Path(puretalk.__file__).parents[2] / "sql"


def read_models(
    connection: duckdb.DuckDBPyConnection, folder: Path, *, owner: Literal["ours", "user"] = "ours"
) -> list[Model]:
    """The models and checks of a folder, in no particular order.

    Raises ConfigurationError where a name or a place is not allowed, CheckFailedError where SQL cannot be read.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"The folder of SQL models does not exist: {folder}")
    models = []
    for path in sorted(folder.rglob("*.sql")):
        place = path.relative_to(folder).parts[:-1]
        schema = place[0] if place else DEFAULT_SCHEMA
        if len(place) > 1 or not _NAME.match(path.stem) or not _NAME.match(schema):
            raise ConfigurationError(
                f"{path}: a model is a file folder/name.sql; both in lower case letters, digits and underscores."
            )
        if owner == "user" and schema in RESERVED_SCHEMAS:
            raise ConfigurationError(
                f"{path}: the schema {schema} is puretalk's own. Choose another folder name for your models."
            )
        sql = path.read_text(encoding="utf-8")
        try:
            references = find_references(connection, sql)
        except UnreadableSQLError as error:
            raise CheckFailedError(f"{path}:{error.line}: {error}", action=_EDIT_ACTION) from error
        kind = _KINDS.get(schema, "table") if owner == "ours" or schema == "checks" else "table"
        models.append(Model(schema, path.stem, kind, path, sql.strip().rstrip(";").rstrip(), references))
    return models


def order_models(models: Iterable[Model]) -> list[Model]:
    """The models so that each comes after those that it reads. Raises ConfigurationError where they read in a circle,
    or where two files make the same relation."""
    by_relation: dict[str, Model] = {}
    for model in models:
        other = by_relation.setdefault(model.relation, model)
        if other is not model:
            raise ConfigurationError(f"Two files make {model.relation}: {other.path} and {model.path}.")
    graph = {
        relation: {read.relation for read in model.references if read.relation in by_relation}
        for relation, model in by_relation.items()
    }
    try:
        return [by_relation[relation] for relation in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ConfigurationError(f"SQL models read each other in a circle: {circle}.") from error


def build_models(
    connection: duckdb.DuckDBPyConnection,
    *,
    sql_dirs: Sequence[Path] | None = None,
    user_dir: Path | None = None,
    select: Collection[str] = (),
) -> BuildReport:
    """Builds all models into the connection's current database, writes their comments and runs all checks.

    With `select`, names of models: only these and what they read, and no checks.

    The connection must be in no transaction. Its time zone is set to UTC.

    Raises CheckFailedError: a model does not build (file, line, cause), does not have the columns that its YAML
    promises, or a check found rows; ConfigurationError: the folder itself is wrong.
    """
    folders = list(sql_dirs) if sql_dirs is not None else [sql_folder()]
    files = [model for folder in folders for model in read_models(connection, folder)]
    properties = read_properties(folders)
    if user_dir is not None:
        files += read_models(connection, user_dir, owner="user")
        properties = properties.extended(read_properties([user_dir]))
    models = order_models(model for model in files if model.kind != "check")
    connection.execute("SET TimeZone='UTC'")
    connection.execute("ATTACH ':memory:' AS intermediate")
    try:
        builder = _Builder(connection, models, properties)
        touched = TouchedAssistants(connection)
        if select:
            return BuildReport(tuple(builder.build(_select(models, select), touched)), ())
        steps = builder.build(models, touched)
        touched.settle()
        results = run_checks(connection, models, [model for model in files if model.kind == "check"], properties)
    finally:
        connection.execute("DETACH intermediate")
    failed = [result for result in results if result.failed and result.severity == "error"]
    if failed:
        raise CheckFailedError("\n".join(result.message for result in failed))
    warnings = [result.message for result in results if result.failed]
    warnings += check_freshness(connection, properties)
    return BuildReport(tuple(steps), tuple(results), tuple(warnings))


def _select(models: Sequence[Model], names: Collection[str]) -> list[Model]:
    """The models of these names and all that they read, in order. Raises ConfigurationError for an unknown name."""
    unknown = set(names) - {model.name for model in models}
    if unknown:
        raise ConfigurationError(f"There is no model {', '.join(sorted(unknown))}.")
    return _with_inputs(models, [model for model in models if model.name in names])


def _with_inputs(models: Sequence[Model], chosen: Iterable[Model]) -> list[Model]:
    """The chosen ones of the models and all that they read, in the order of the models."""
    wanted = {model.relation for model in chosen}
    for model in reversed(models):
        if model.relation in wanted:
            wanted |= {reference.relation for reference in model.references}
    return [model for model in models if model.relation in wanted]


_EDIT_ACTION = "Correct the SQL file, then run `puretalk build`."


class _Builder:
    """One build: knows what is in the warehouse, and what of it still holds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, models: Sequence[Model], properties: Properties) -> None:
        self.connection = connection
        self.models = models
        self.properties = properties
        self.fingerprints: dict[str, str | None] = {}
        self.waiting: dict[str, Model] = {}
        self.steps: list[Step] = []

    def build(self, models: Sequence[Model], touched: TouchedAssistants | None = None) -> list[Step]:
        """Builds what of these models is not as it should be; they are in order, with all that they read.

        Without `touched`, incremental models are built like all others.
        """
        self._create_builds_table()
        before = dict(self._rows(f"SELECT relation, fingerprint FROM {BUILDS_TABLE}"))
        for schema in dict.fromkeys(model.schema for model in self.models if model.kind != "temporary"):
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self._remove_leftovers(before)
        existing = {relation for (relation,) in self._rows(_EXISTING_TABLES)}
        recipes: dict[str, str] = {}
        up_to_date: set[str] = set()
        if touched is not None:
            recipes = {model.relation: self._recipe(model) for model in models if self._is_incremental(model)}
            lasting = {relation for relation in recipes if before.get(relation) == recipes[relation]} & existing
            if lasting and touched.are_few:
                self._update([model for model in models if model.relation in lasting], touched)
                up_to_date = lasting
        for model in models:
            fingerprint = self._fingerprint(model)
            if model.kind == "temporary":
                self.waiting[model.relation] = model
            elif model.kind == "view":
                self._build(model)
            elif model.relation in up_to_date:
                continue
            elif (
                model.relation not in recipes
                and fingerprint is not None
                and before.get(model.relation) == fingerprint
                and model.relation in existing
            ):
                self.steps.append(Step(model.relation, "unchanged", 0.0))
            else:
                self._build(model)
                self._execute(
                    f"INSERT OR REPLACE INTO {BUILDS_TABLE} VALUES (?, ?, now())",
                    [model.relation, recipes.get(model.relation, fingerprint)],
                )
            if model.kind == "view":
                self.fingerprints[model.relation] = self._hash_content(model.relation, model.sql)
        self._write_comments(models)
        return self.steps

    def _create_builds_table(self) -> None:
        columns = ", ".join(f"{name} {type_}" for name, (type_, _) in _BUILDS_COLUMNS.items())
        self._execute(f"CREATE TABLE IF NOT EXISTS {BUILDS_TABLE} ({columns})")
        self._execute(f"COMMENT ON TABLE {BUILDS_TABLE} IS {_literal(_BUILDS_COMMENT)}")
        for name, (_, text) in _BUILDS_COLUMNS.items():
            self._execute(f"COMMENT ON COLUMN {BUILDS_TABLE}.{name} IS {_literal(text)}")

    def _update(self, models: Sequence[Model], touched: TouchedAssistants) -> None:
        """Replaces the rows of the touched assistants in these incremental models."""
        if not touched.count:
            self.steps += [Step(model.relation, "unchanged", 0.0) for model in models]
            return
        with touched.small_warehouse():
            small = _Builder(self.connection, self.models, self.properties)
            steps = {step.name: step for step in small.build(_with_inputs(self.models, models))}
            for model in models:
                start = time.perf_counter()
                touched.replace_rows(model.relation)
                seconds = steps[model.relation].seconds + time.perf_counter() - start
                self.steps.append(Step(model.relation, "updated", seconds, steps[model.relation].rows))

    def _is_incremental(self, model: Model) -> bool:
        return model.kind == "table" and self.properties.model(model.name).is_incremental

    def _recipe(self, model: Model) -> str:
        """A hash of all SQL that leads to an incremental model. Raises ConfigurationError where its rows do not follow
        from those of one assistant."""
        inputs = _with_inputs(self.models, [model])
        made = {one.relation for one in inputs}
        divided = {f"{STORAGE_SCHEMA}.{table.name}" for table in DIVIDED_TABLES}
        for reference in (reference for one in inputs for reference in one.references):
            if reference.relation not in made | divided:
                raise ConfigurationError(
                    f"{model.path}: the model cannot be incremental: it depends on {reference.relation}, "
                    f"which has no {KEY}."
                )
        parts = [duckdb.__version__, *sorted(f"{one.relation}\x1f{one.sql}" for one in inputs)]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def _build(self, model: Model) -> None:
        for reference in model.references:
            if reference.relation in self.waiting:
                self._build(self.waiting.pop(reference.relation))
        start = time.perf_counter()
        kind = "VIEW" if model.kind == "view" else "TABLE"
        try:
            self._execute(f"CREATE OR REPLACE {kind} {model.relation} AS\n{model.sql}")
            rows = None if kind == "VIEW" else int(self._rows(f"SELECT count(*) FROM {model.relation}")[0][0])
        except duckdb.Error as error:
            line = _LINE.search(str(error))
            place = f"{model.path}:{int(line.group(1)) - 1}" if line else str(model.path)
            raise CheckFailedError(f"{place}: {_first_paragraph(error)}", action=_EDIT_ACTION) from error
        self._compare_with_contract(model)
        self.steps.append(Step(model.relation, "built", time.perf_counter() - start, rows))

    def _fingerprint(self, model: Model) -> str | None:
        """What the model's rows depend on, as a hash; None when that cannot be known (foreign inputs)."""
        parts = [duckdb.__version__, model.kind, model.sql]
        for relation in sorted({reference.relation for reference in model.references}):
            if relation not in self.fingerprints:
                schema, _, name = relation.partition(".")
                known = schema in (SCHEMA, STORAGE_SCHEMA) and name in TABLES
                stored = f"{STORAGE_SCHEMA}.{name}"
                self.fingerprints[relation] = self._hash_content(stored, relation) if known else None
            part = self.fingerprints[relation]
            if part is None:
                self.fingerprints[model.relation] = None
                return None
            parts.append(part)
        fingerprint = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        self.fingerprints[model.relation] = fingerprint
        return fingerprint

    def _hash_content(self, relation: str, salt: str) -> str:
        """A hash of all rows, whatever their order. `config` is left out: `content_hash` stands for it."""
        columns = [row[0] for row in self._rows(f"DESCRIBE {relation}")]
        if "content_hash" in columns and "config" in columns:
            columns.remove("config")
        names = ", ".join(f'"{column}"' for column in columns)
        count, total, parity = self._rows(
            f"SELECT count(*), sum(h), bit_xor(h) FROM (SELECT hash({names}) AS h FROM {relation})"
        )[0]
        return hashlib.sha256(f"{salt}\x1f{names}\x1f{count}\x1f{total}\x1f{parity}".encode()).hexdigest()

    def _remove_leftovers(self, before: Mapping[str, str]) -> None:
        """Drops what models made that are no more, or have become another kind of relation."""
        wanted = {model.relation: "VIEW" if model.kind == "view" else "TABLE" for model in self.models}
        schemas = {relation.partition(".")[0] for relation in [*before, *wanted]}
        for relation, kind in self._rows(_EXISTING_RELATIONS):
            ours = relation in before or (kind == "VIEW" and relation.startswith("staging."))
            if (
                relation.partition(".")[0] in schemas
                and wanted.get(relation, "") != kind
                and (ours or relation in wanted)
            ):
                self._execute(f"DROP {kind} {relation}")
                if relation not in wanted:
                    self.steps.append(Step(relation, "removed", 0.0))
        for relation in before.keys() - wanted.keys():
            self._execute(f"DELETE FROM {BUILDS_TABLE} WHERE relation = ?", [relation])

    def _compare_with_contract(self, model: Model) -> None:
        """Raises CheckFailedError when the relation has other columns or types than its YAML promises."""
        promised = self.properties.model(model.name)
        actual = {name: type_ for name, type_, *_ in self._rows(f"DESCRIBE {model.relation}")}
        missing = [column.name for column in promised.columns if column.name not in actual]
        if missing:
            raise CheckFailedError(
                f"{model.path}: the model has no column {', '.join(missing)}, but {promised.path} describes it.",
                action=_EDIT_ACTION,
            )
        types = {column.name: column.data_type for column in promised.columns if column.data_type}
        if not types:
            return
        wrong = [f"{name} is {actual[name]}, not {type_}" for name, type_ in types.items() if actual[name] != type_]
        extra = [name for name in actual if name not in types]
        if wrong or extra or list(actual) != list(types):
            reasons = wrong or [f"it also has {name}" for name in extra] or ["the columns stand in another order"]
            raise CheckFailedError(
                f"{model.path}: not as {promised.path} promises: {'; '.join(reasons)}.", action=_EDIT_ACTION
            )

    def _write_comments(self, models: Sequence[Model]) -> None:
        """COMMENT ON for every relation and column that has another comment than its description."""
        now = {(relation, column): comment for relation, column, comment in self._rows(_EXISTING_COMMENTS)}
        by_relation = {model.relation: model for model in models}
        statements = []
        for model in models:
            if model.kind == "temporary":
                continue
            description = self.properties.model(model.name).description
            if now.get((model.relation, None)) != description:
                kind = "VIEW" if model.kind == "view" else "TABLE"
                statements.append(f"COMMENT ON {kind} {model.relation} IS {_literal(description)}")
        for relation, column in now:
            found = by_relation.get(relation)
            if found is None or column is None:
                continue
            description = describe_column(found, column, self.properties)
            if now[relation, column] != description:
                statements.append(f'COMMENT ON COLUMN {relation}."{column}" IS {_literal(description)}')
        # In one transaction: a hundred commits take longer than most models.
        self._execute("; ".join(["BEGIN", *statements, "COMMIT"]))

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(sql, parameters).fetchall()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def describe_column(model: Model, column: str, properties: Properties) -> str | None:
    """The column's description: its own, else that of the same column in the one table of the normalized layer that
    the model reads."""
    described: ModelProperties = properties.model(model.name)
    for own in described.columns:
        if own.name == column and own.description:
            return own.description
    for reference in model.references:
        if reference.schema == STORAGE_SCHEMA and reference.name in TABLES:
            try:
                return TABLES[reference.name].column(column).description
            except KeyError:
                continue
    return None


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _first_paragraph(error: duckdb.Error) -> str:
    """DuckDB's message without the excerpt of the statement."""
    return " ".join(str(error).split("\n\n")[0].split())


_EXISTING_TABLES = """
    SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()
"""
_EXISTING_RELATIONS = """
    SELECT schema_name || '.' || table_name, 'TABLE' FROM duckdb_tables() WHERE database_name = current_database()
    UNION ALL
    SELECT schema_name || '.' || view_name, 'VIEW' FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal
"""
_EXISTING_COMMENTS = """
    SELECT schema_name || '.' || table_name, NULL AS column_name, comment FROM duckdb_tables()
    WHERE database_name = current_database()
    UNION ALL
    SELECT schema_name || '.' || view_name, NULL, comment FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal
    UNION ALL
    SELECT schema_name || '.' || table_name, column_name, comment FROM duckdb_columns()
    WHERE database_name = current_database() AND NOT internal
"""
