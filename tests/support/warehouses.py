"""Test warehouses: the normalized layer in a DuckDB file, filled from API records without a sync."""

from __future__ import annotations

import atexit
import functools
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from puretalk.catalogue import TABLES
from puretalk.endpoints.assistants.flatten import flatten_assistant, flatten_shared
from puretalk.json_values import canonical_json
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA, ColumnType
from puretalk.warehouse.work_file import describe

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}


def open_warehouse(path: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A warehouse with all tables of the normalized layer, empty: a file that old clients can read, or in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if path is None:
        connection.execute(f"ATTACH '{_empty_warehouse()}' AS empty (READ_ONLY)")
        connection.execute("COPY FROM DATABASE empty TO memory")
        connection.execute("DETACH empty")
        return connection
    connection.execute(f"ATTACH '{path}' AS warehouse (STORAGE_VERSION 'v1.4.0')")
    connection.execute("USE warehouse")
    for table in TABLES.values():
        columns = ", ".join(f"{column.name} {SQL_TYPES[column.type]}" for column in table.columns)
        connection.execute(f"CREATE TABLE {STORAGE_SCHEMA}.{table.name} ({columns})")
    describe(connection)
    return connection


@functools.cache
def _empty_warehouse() -> Path:
    """A file to copy from: writing the comments of all columns takes five times as long as copying them."""
    folder = tempfile.TemporaryDirectory(prefix="puretalk-empty-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "empty.duckdb"
    open_warehouse(path).close()
    return path


def insert_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows; a column that a row does not name is NULL."""
    table = TABLES[name]
    rows = list(rows)
    batch = pa.table(
        {
            column.name: pa.array([row.get(column.name) for row in rows], type=_ARROW_TYPES[column.type])
            for column in table.columns
        }
    )
    connection.register("batch", batch)
    connection.execute(f"INSERT INTO {STORAGE_SCHEMA}.{name} SELECT * FROM batch")
    connection.unregister("batch")


def observe(
    connection: duckdb.DuckDBPyConnection, observed_at: datetime, records: Sequence[Any], *, deleted: Sequence[str] = ()
) -> None:
    """What a sync at that moment leaves behind: `records` replace what was there, `deleted` ids get deleted_at."""
    known = dict(connection.execute(f"SELECT assistant_id, first_seen_at FROM {STORAGE_SCHEMA}.assistants").fetchall())
    gone = dict(connection.execute(f"SELECT assistant_id, deleted_at FROM {STORAGE_SCHEMA}.assistants").fetchall())
    before = {
        assistant_id: (updated_at, content_hash)
        for assistant_id, updated_at, content_hash in connection.execute(
            "SELECT assistant_id, updated_at, content_hash "
            f"FROM {STORAGE_SCHEMA}.assistant_versions ORDER BY observed_at"
        ).fetchall()
    }
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TABLES}
    shared: dict[str, dict[str, Mapping[str, Any]]] = {"users": {}, "voices": {}}
    for record in records:
        flat = flatten_assistant(record)
        was_updated_at, was_hash = before.get(flat.assistant_id, (None, None))
        was_deleted_at = gone.get(flat.assistant_id)
        if was_hash == flat.content_hash and was_deleted_at is None:
            continue
        rows["assistants"].append(
            {
                **flat.assistant,
                "first_seen_at": known.get(flat.assistant_id, observed_at),
                "extra": canonical_json(flat.extra) if flat.extra else None,
            }
        )
        for name, child_rows in flat.rows.items():
            rows[name].extend(child_rows)
        rows["assistant_versions"].append(
            {
                "assistant_id": flat.assistant_id,
                "observed_at": observed_at,
                "updated_at": flat.updated_at,
                "content_hash": flat.content_hash,
                "is_silent": was_hash is not None and was_updated_at == flat.updated_at and was_deleted_at is None,
                "previous_deleted_at": was_deleted_at,
                "config": flat.config,
            }
        )
        for one in (flat.user, flat.voice):
            if one is not None:
                shared[one.table.name][one.key] = flatten_shared(one)
    ids = [row["assistant_id"] for row in rows["assistants"]]
    for table in TABLES.values():
        if table.owner == "assistant_id" or table.name == "assistants":
            connection.execute(f"DELETE FROM {STORAGE_SCHEMA}.{table.name} WHERE list_contains(?, assistant_id)", [ids])
    for name, by_key in shared.items():
        key = TABLES[name].key[0]
        connection.execute(f"DELETE FROM {STORAGE_SCHEMA}.{name} WHERE list_contains(?, {key})", [list(by_key)])
        rows[name].extend(by_key.values())
    for name, table_rows in rows.items():
        if table_rows:
            insert_rows(connection, name, table_rows)
    connection.execute(
        f"UPDATE {STORAGE_SCHEMA}.assistants SET deleted_at = ? WHERE list_contains(?, assistant_id)",
        [observed_at, list(deleted)],
    )
    run = {"run_id": observed_at.isoformat(), "started_at": observed_at, "finished_at": observed_at}
    insert_rows(connection, "sync_runs", [run])
