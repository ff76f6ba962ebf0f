"""The tables of an open work file: their names in SQL, and which columns they have."""

from __future__ import annotations

import duckdb

from puretalk.database import quote_name
from puretalk.schema import STORAGE_SCHEMA, Table


def relation_of(table: Table) -> str:
    return quote_name(STORAGE_SCHEMA, table.name)


def read_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The columns of each table that exists, in their order."""
    rows = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = ? GROUP BY ALL",
        [STORAGE_SCHEMA],
    ).fetchall()
    return dict(rows)
