"""The tables of an open work file: their names in SQL, and which columns they have."""

from __future__ import annotations

import duckdb

from puretalk.database import quote_name
from puretalk.schema import STORAGE_SCHEMA, Table


def relation_of(table: Table) -> str:
    return quote_name(STORAGE_SCHEMA, table.name)


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [STORAGE_SCHEMA, table],
    ).fetchall()
    return {name for (name,) in rows}
