"""Fingerprints: hashes that say whether a table still holds what its SQL would give.

The fingerprint of a table is made from its SQL and from the fingerprints of what it reads. That of a relation of the
normalized layer is made from its rows. That of a view, too, from the rows that its SELECT gives: a table is not built
again because of a row or a column that the view leaves out. The SELECT is asked, not the view, which may be an old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_literal, quote_name
from puretalk.errors import ConfigurationError
from puretalk.models.changes import Changes, digest
from puretalk.models.increments import DIVIDED_TABLES, KEY
from puretalk.models.model import Model, name_failure, with_inputs
from puretalk.schema import CATALOG, INTERNAL_SCHEMA, STORAGE_SCHEMA

#: Where the fingerprints of the built tables are kept.
BUILDS_TABLE = f"{INTERNAL_SCHEMA}.model_builds"
_BUILDS_COLUMNS = {
    "relation": ("VARCHAR", "The table, as schema.name."),
    "fingerprint": (
        "VARCHAR",
        "SHA-256 (hex) of the SQL and of all that it reads, or, of an incremental model, of all SQL that leads to it; "
        "NULL when that cannot be known.",
    ),
    "built_at": ("TIMESTAMP WITH TIME ZONE", "When all of it was last built (UTC)."),
}
_BUILDS_COMMENT = "One row: a table that a model made. While the fingerprint holds, it is left as it is."


class Fingerprints:
    """Fingerprints of the models and of what they read, each computed when it is first asked for. Reads only."""

    #: A digest of each SELECT over the normalized layer whose rows were asked for → the fingerprint of its rows.
    queries: dict[str, str]

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        models: Iterable[Model],
        changes: Changes | None = None,
        known: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`known`: the `queries` of the build before; they hold where nothing that `changes` name is read."""
        self._connection = connection
        self._changes = changes
        self._known = known
        self.queries = {}
        self._models = {model.relation: model for model in models}
        self._found: dict[str, str | None] = {}

    def find(self, relation: str) -> str | None:
        """The fingerprint of a model or table; None where it depends on a relation that is neither.

        Raises CheckFailedError where a view's SELECT cannot be run.
        """
        if relation not in self._found:
            self._found[relation] = self._compute(relation)
        return self._found[relation]

    def _compute(self, relation: str) -> str | None:
        model = self._models.get(relation)
        if model is None:
            schema, _, name = relation.partition(".")
            is_known = schema in (CATALOG, STORAGE_SCHEMA) and name in TABLES
            query = f"SELECT * FROM {quote_name(STORAGE_SCHEMA, name)}"
            return self._find_rows(query, relation, [relation]) if is_known else None
        reads = sorted({reference.relation for reference in model.references})
        if model.kind == "view" and not any(read in self._models for read in reads):
            try:
                return self._find_rows(model.sql, model.sql, reads)
            except duckdb.Error as error:
                raise name_failure(model, error) from error
        inputs = [self.find(read) for read in reads]
        parts = [part for part in inputs if part is not None]
        return None if len(parts) < len(inputs) else _hash(duckdb.__version__, model.kind, model.sql, *parts)

    def _find_rows(self, query: str, salt: str, reads: Sequence[str]) -> str:
        """The fingerprint of the query's rows: the known one where all that it reads is unchanged, else a new hash."""
        key = digest(query, salt)
        is_unchanged = self._changes is not None and not any(self._changes.may_concern(read) for read in reads)
        known = self._known.get(key) if is_unchanged else None
        self.queries[key] = known or self._hash_rows(query, salt)
        return self.queries[key]

    def _hash_rows(self, query: str, salt: str) -> str:
        """A hash of all rows of a query in any order. `config` is left out where `content_hash` says the same."""
        columns = [row[0] for row in self._connection.execute(f"DESCRIBE\n{query}").fetchall()]
        if "content_hash" in columns and "config" in columns:
            columns.remove("config")
        names = ", ".join(quote_name(column) for column in columns)
        [(count, total, parity)] = self._connection.execute(
            f"SELECT count(*), sum(h), bit_xor(h) FROM (SELECT hash({names}) AS h FROM (\n{query}\n))"
        ).fetchall()
        return _hash(salt, names, str(count), str(total), str(parity))


def hash_recipe(model: Model, models: Sequence[Model]) -> str:
    """The fingerprint of an incremental model: of all SQL that leads to it, not of any rows.

    Raises ConfigurationError where the model reads a table whose rows do not each belong to one assistant, names the
    catalog (the small warehouse of a batch has another one), or depends on a model that reads itself, whose rows are
    not in the small warehouse.
    """
    inputs = with_inputs(models, [model])
    for one in inputs:
        if one.itself:
            raise ConfigurationError(f"{model.path}: the model cannot be incremental: {one.relation} reads itself.")
    made = {one.relation for one in inputs}
    divided = {f"{STORAGE_SCHEMA}.{table.name}" for table in DIVIDED_TABLES}
    for reference in (reference for one in inputs for reference in one.references):
        if CATALOG in (reference.catalog, reference.schema):
            raise ConfigurationError(
                f"{model.path}: the model cannot be incremental: it, or a model that it reads, names the catalog. "
                f"Write {STORAGE_SCHEMA}.assistants, not {CATALOG}.assistants."
            )
        if reference.relation not in made | divided:
            raise ConfigurationError(
                f"{model.path}: the model cannot be incremental: it depends on {reference.relation}, "
                f"which has no {KEY}."
            )
    return _hash(duckdb.__version__, *sorted(f"{one.relation}\x1f{one.sql}" for one in inputs))


def create_builds_table(connection: duckdb.DuckDBPyConnection) -> None:
    """The table of the fingerprints and its schema, where there are none yet."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {INTERNAL_SCHEMA}")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _) in _BUILDS_COLUMNS.items())
    connection.execute(f"CREATE TABLE IF NOT EXISTS {BUILDS_TABLE} ({columns})")
    connection.execute(f"COMMENT ON TABLE {BUILDS_TABLE} IS {quote_literal(_BUILDS_COMMENT)}")
    for name, (_, text) in _BUILDS_COLUMNS.items():
        connection.execute(f"COMMENT ON COLUMN {BUILDS_TABLE}.{name} IS {quote_literal(text)}")


def read_builds(connection: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    """The tables that earlier builds made, as schema.name, with their fingerprints."""
    return dict(connection.execute(f"SELECT relation, fingerprint FROM {BUILDS_TABLE}").fetchall())


def record_builds(connection: duckdb.DuckDBPyConnection, built: Mapping[str, str | None]) -> None:
    """These tables have just been built; none of them is recorded. Table → fingerprint."""
    if built:
        connection.execute(
            f"INSERT INTO {BUILDS_TABLE} SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), now()",
            [list(built), list(built.values())],
        )


def forget_builds(connection: duckdb.DuckDBPyConnection, relations: Collection[str]) -> None:
    """These tables have been removed, or are about to be built."""
    if relations:
        connection.execute(
            f"DELETE FROM {BUILDS_TABLE} WHERE relation IN (SELECT unnest(?::VARCHAR[]))", [[*relations]]
        )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
