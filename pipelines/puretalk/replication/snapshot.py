"""The tables that a replica gets, and the parts that they consist of.

A part is the rows of one assistant in one table. A table without assistant_id is one part, named "". Rows whose
assistant_id is NULL are the part "" too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from puretalk.catalogue import TABLES
from puretalk.database import OFFLINE, quote_literal, quote_name
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.schema import CATALOG, STORAGE_SCHEMA

#: The names on an engine: the dataset (a schema there) of each schema of the snapshot.
DATASETS: Mapping[str, str] = {STORAGE_SCHEMA: "puretalk", "marts": "puretalk_marts"}
SNAPSHOT_INFO = "snapshot_info"
OWNER = "assistant_id"

#: DuckDB's types that a replica can have, in the words of dlt.
_TYPES: Mapping[str, str] = {
    "VARCHAR": "text",
    "JSON": "json",
    "BOOLEAN": "bool",
    "DOUBLE": "double",
    "FLOAT": "double",
    "TINYINT": "bigint",
    "SMALLINT": "bigint",
    "INTEGER": "bigint",
    "BIGINT": "bigint",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}


@dataclass(frozen=True)
class RelationColumn:
    """A column. `type` in the words of dlt."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Relation:
    """A table of a replica, and the schema and name of its source in the snapshot. `key`: () where none is declared."""

    dataset: str
    schema: str
    name: str
    description: str
    columns: tuple[RelationColumn, ...]
    key: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name under which the marker table knows it."""
        return f"{self.dataset}.{self.name}"

    @property
    def incoming_name(self) -> str:
        """Its name in the dataset of what is on its way: one dataset for the tables of all datasets."""
        return f"{self.dataset}_{self.name}"

    @property
    def is_by_assistant(self) -> bool:
        """Whether its parts are assistants."""
        return any(column.name == OWNER for column in self.columns)

    @property
    def source(self) -> str:
        """Its source in SQL."""
        return quote_name(CATALOG, self.schema, self.name)


@dataclass(frozen=True)
class Part:
    """How many rows a part has, and a digest of them that does not depend on their order."""

    row_count: int
    digest: str


#: (full name of the relation, assistant_id or "") → the part.
Parts = dict[tuple[str, str], Part]


@contextlib.contextmanager
def open_snapshot(snapshot: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, with the snapshot attached as `puretalk`; it keeps the snapshot although another may be
    published meanwhile."""
    connection = duckdb.connect(":memory:", config=OFFLINE)
    try:
        connection.execute(f"ATTACH {quote_literal(str(snapshot))} AS {CATALOG} (READ_ONLY)")
    except duckdb.Error as error:
        raise WarehouseError(f"the published snapshot cannot be read: {str(error).splitlines()[0]}") from error
    with contextlib.closing(connection):
        connection.execute("SET GLOBAL TimeZone = 'UTC'")  # for its cursors too
        yield connection


def list_relations(connection: duckdb.DuckDBPyConnection) -> list[Relation]:
    """Every table of the normalized layer and every mart, in the order of their names. snapshot_info is in both
    datasets. Raises ConfigurationError for a column of your own models whose type no engine is known to share."""
    found: dict[tuple[str, str], list[RelationColumn]] = {}
    for schema, name, column, type_, comment in connection.execute(
        """SELECT schema_name, table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns()
           WHERE database_name = 'puretalk' AND NOT internal ORDER BY schema_name, table_name, column_index"""
    ).fetchall():
        if schema == "marts" or (schema == STORAGE_SCHEMA and name in {*TABLES, SNAPSHOT_INFO}):
            if type_ not in _TYPES:
                raise ConfigurationError(
                    f"{schema}.{name}.{column} is of the type {type_}, which cannot be replicated",
                    action=f"Cast it in your model to one of {', '.join(_TYPES)}, then run the same command again.",
                )
            found.setdefault((schema, name), []).append(RelationColumn(column, _TYPES[type_], comment))
    comments = dict(
        connection.execute(
            """SELECT schema_name || '.' || table_name, coalesce(comment, '') FROM duckdb_tables()
               WHERE database_name = 'puretalk'
               UNION ALL
               SELECT schema_name || '.' || view_name, coalesce(comment, '') FROM duckdb_views()
               WHERE database_name = 'puretalk'"""
        ).fetchall()
    )
    relations = []
    for (schema, name), columns in found.items():
        key = TABLES[name].key if schema == STORAGE_SCHEMA and name in TABLES else ()
        for dataset in DATASETS.values() if name == SNAPSHOT_INFO else (DATASETS[schema],):
            relations.append(Relation(dataset, schema, name, comments[f"{schema}.{name}"], tuple(columns), key))
    return relations


def read_parts(connection: duckdb.DuckDBPyConnection, relation: Relation, source: str | None = None) -> Parts:
    """The parts of a relation, or of other rows of its shape, whose source is given in SQL. A digest covers the names
    and types of the columns too."""
    shape = ",".join(f"{column.name} {column.type}" for column in relation.columns)
    owner = f"coalesce({OWNER}, '')" if relation.is_by_assistant else "''"
    rows = connection.execute(
        f"""SELECT part, count(*), md5({quote_literal(shape)} || string_agg(digest, '' ORDER BY digest))
            FROM (SELECT {owner} AS part, md5(CAST(to_json(source) AS VARCHAR)) AS digest
                  FROM {source or relation.source} AS source)
            GROUP BY part"""
    ).fetchall()
    parts = {(relation.full_name, part): Part(count, digest) for part, count, digest in rows}
    if not relation.is_by_assistant and not parts:
        return {(relation.full_name, ""): Part(0, shape)}
    return parts


def read_batches(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[str]) -> Iterator[pa.Table]:
    """The result, a few thousand rows at a time; an empty one is one table without rows, which makes a table too."""
    with connection.cursor() as cursor:  # dlt takes rows of several tables by turns
        reader: pa.RecordBatchReader = cursor.sql(sql, params=parameters).to_arrow_reader(2048)
        is_empty = True
        for batch in reader:
            is_empty = False
            yield pa.Table.from_batches([batch])
        if is_empty:
            yield reader.schema.empty_table()
