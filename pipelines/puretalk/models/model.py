"""A model: a file with one SELECT. Its name is the relation's name, its folder is the schema.

    sql/staging/stg_assistants.sql      →  view  staging.stg_assistants
    sql/intermediate/int_changes.sql    →  a table in memory that exists only during the build
    sql/marts/dim_assistants.sql        →  table marts.dim_assistants
    sql/_internal/prompt_signatures.sql →  table _internal.prompt_signatures, which is for the marts and not for readers
    sql/checks/some_claim.sql           →  no relation: a query that must return no row (see `checks`)

The relations that a model reads are taken from its SQL; they decide the order.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from puretalk.database import quote_name
from puretalk.errors import CheckFailedError, ConfigurationError
from puretalk.models.parsed import ParsedFiles
from puretalk.models.references import Reference, UnreadableSQLError, find_references
from puretalk.release import PACKAGE_DIR
from puretalk.schema import CATALOG, INTERNAL_SCHEMA, STORAGE_SCHEMA

Kind = Literal["view", "table", "temporary", "check"]

#: The kind of the models in these folders of ours; the models of any other folder are tables.
_KINDS: Mapping[str, Kind] = {"staging": "view", "intermediate": "temporary", "checks": "check"}
#: Schemas that a user's own models must not write to.
RESERVED_SCHEMAS = frozenset(
    {
        CATALOG,
        STORAGE_SCHEMA,
        "staging",
        "intermediate",
        INTERNAL_SCHEMA,
        "marts",
        "information_schema",
        "pg_catalog",
    }
)
#: Schema of a user's model that is not in a subfolder.
DEFAULT_SCHEMA = "models"
#: What to do about SQL that does not build or breaks a promise.
EDIT_ACTION = "Correct the SQL file, then run `puretalk build`."

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_LINE = re.compile(r"\bLINE (\d+):")


@dataclass(frozen=True)
class Model:
    """One SQL file: `references` are the other relations that it reads, in the order of the text. A table may also read
    `itself`: that is what it was after the build before, without rows in the first build."""

    schema: str
    name: str
    kind: Kind
    path: Path
    sql: str
    references: tuple[Reference, ...]
    itself: tuple[Reference, ...] = ()

    @property
    def relation(self) -> str:
        """schema.name: how SQL and messages call it."""
        return f"{self.schema}.{self.name}"


def sql_folder() -> Path:
    """The folder of our own models: `sql/` of the checkout, or the copy in the installed package."""
    packaged = PACKAGE_DIR / "sql"
    return packaged if packaged.is_dir() else PACKAGE_DIR.parents[1] / "sql"


def read_models(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    owner: Literal["ours", "user"] = "ours",
    parsed: ParsedFiles | None = None,
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
            references = find_references(connection, sql, parsed)
        except UnreadableSQLError as error:
            raise CheckFailedError(f"{path}:{error.line}: {error}", action=EDIT_ACTION) from error
        kind = _KINDS.get(schema, "table") if owner == "ours" or schema == "checks" else "table"
        relation = f"{schema}.{path.stem}"
        itself = tuple(one for one in references if one.relation == relation) if kind == "table" else ()
        others = tuple(one for one in references if one not in itself)
        models.append(Model(schema, path.stem, kind, path, sql.strip().rstrip(";").rstrip(), others, itself))
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


def select_models(models: Sequence[Model], names: Collection[str]) -> list[Model]:
    """The models of these names and all that they read, in order. Raises ConfigurationError for an unknown name."""
    unknown = set(names) - {model.name for model in models}
    if unknown:
        raise ConfigurationError(f"There is no model {', '.join(sorted(unknown))}.")
    return with_inputs(models, [model for model in models if model.name in names])


def with_inputs(models: Sequence[Model], chosen: Iterable[Model]) -> list[Model]:
    """The chosen ones of the models and all that they read, in the order of the models, which must be that of
    `order_models`."""
    wanted = {model.relation for model in chosen}
    for model in reversed(models):
        if model.relation in wanted:
            wanted |= {reference.relation for reference in model.references}
    return [model for model in models if model.relation in wanted]


def quote_relation(relation: str) -> str:
    """schema.name as SQL identifiers."""
    schema, _, name = relation.partition(".")
    return quote_name(schema, name)


def name_failure(model: Model, error: duckdb.Error) -> CheckFailedError:
    """The error with file, line and cause, for a statement in which the model's SQL begins on the second line."""
    line = _LINE.search(str(error))
    place = f"{model.path}:{int(line.group(1)) - 1}" if line else str(model.path)
    cause = " ".join(str(error).split("\n\n")[0].split())  # without DuckDB's excerpt of the statement
    return CheckFailedError(f"{place}: {cause}", action=EDIT_ACTION)
