"""The tables of an open work file: their names in SQL, which columns they have, and of which types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_name
from puretalk.privacy.policy import StoredPolicy, read_stored
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA, Table

#: Column of snapshot_info that names the policy.
POLICY_COLUMN = "privacy_policy"


def relation_of(table: Table) -> str:
    return quote_name(STORAGE_SCHEMA, table.name)


def read_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The columns of each table that exists, in their order."""
    return {name: list(types) for name, types in read_types(connection).items()}


def read_types(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The DuckDB type of each column of each table that exists, in their order."""
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name, column_index",
        [STORAGE_SCHEMA],
    ).fetchall()
    types: dict[str, dict[str, str]] = {}
    for table, column, data_type in rows:
        types.setdefault(table, {})[column] = data_type
    return types


def find_altered_columns(there: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Each column that has another type than every release gives it, in words. `there`: what `read_types` gives."""
    for table in TABLES.values():
        for column in table.columns:
            found, wanted = there.get(table.name, {}).get(column.name), SQL_TYPES[column.type]
            if found not in (None, wanted):
                yield f"{table.name}.{column.name} is {found} instead of {wanted}"


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
