"""The tables of an open work file: their names in SQL, and which columns they have."""

from __future__ import annotations

import duckdb

from puretalk.database import quote_name
from puretalk.privacy.policy import StoredPolicy, read_stored
from puretalk.schema import STORAGE_SCHEMA, Table

#: Column of snapshot_info that names the policy.
POLICY_COLUMN = "privacy_policy"


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


def read_stored_policy(connection: duckdb.DuckDBPyConnection) -> StoredPolicy | None:
    """The policy under which the rows were written; None where it keeps everything."""
    try:
        rows = connection.execute(f"SELECT {POLICY_COLUMN} FROM {STORAGE_SCHEMA}.snapshot_info").fetchall()
    except (duckdb.BinderException, duckdb.CatalogException):  # an earlier release wrote the file, or nothing did yet
        return None
    return read_stored(rows[0][0]) if rows else None


def write_stored_policy(connection: duckdb.DuckDBPyConnection, text: str | None) -> None:
    """Name the policy under which the rows of this work file are written. It has been described before."""
    info = f"{STORAGE_SCHEMA}.snapshot_info"
    if not connection.execute(f"UPDATE {info} SET {POLICY_COLUMN} = ? RETURNING 1", [text]).fetchall():
        connection.execute(f"INSERT INTO {info} ({POLICY_COLUMN}) VALUES (?)", [text])
