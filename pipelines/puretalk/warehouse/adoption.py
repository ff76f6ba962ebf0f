"""A snapshot that somebody put back without its seal, from a backup for example: is it one that puretalk published?

It is read whole, read-only, and must hold what every snapshot holds. Then it gets a seal and is one of the snapshots
again; retention never deletes it, because a person put it there. What is not a whole snapshot is moved away, never
deleted.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import SEALED
from puretalk.endpoints.assistants.versions import CURRENT
from puretalk.errors import WarehouseError
from puretalk.schema import STORAGE_SCHEMA
from puretalk.warehouse.seals import Content, read_content, read_every_block
from puretalk.warehouse.stored_tables import find_altered_columns, read_types

#: The folder in the data directory of what is not a whole snapshot.
ASIDE_NAME = "put-aside"
#: Tables that the snapshots of all releases have.
_ALWAYS = {"assistants", "assistant_versions", "sync_runs", "snapshot_info"}


def verify_unsealed(snapshot: Path, snapshot_id: str) -> Content:
    """What a snapshot without a seal holds. Raises WarehouseError, with the reason, where it is not whole."""
    content = read_content(snapshot)
    try:
        with contextlib.closing(duckdb.connect(str(snapshot), read_only=True, config=SEALED)) as connection:
            fault = _find_fault(connection, snapshot_id)
        if fault is None:
            read_every_block(snapshot)
    except duckdb.Error as error:
        fault = str(error).splitlines()[0]
    if fault is not None:
        raise WarehouseError(fault)
    return content


def put_aside(data_dir: Path, found: Path) -> Path:
    """Move a file or folder out of the folder of snapshots; returns where it is now."""
    folder = data_dir / ASIDE_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / found.name
    if os.path.lexists(target):
        target = folder / f"{found.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    os.rename(found, target)
    return target


def _find_fault(connection: duckdb.DuckDBPyConnection, snapshot_id: str) -> str | None:
    """What keeps it from being the snapshot of that id; None when nothing does."""
    there = read_types(connection)
    if missing := _ALWAYS - there.keys():
        return f"it has no table {min(missing)}"
    rows = connection.execute(
        f"SELECT snapshot_id, assistants, assistant_versions FROM {STORAGE_SCHEMA}.snapshot_info"
    ).fetchall()
    if [row[0] for row in rows] != [snapshot_id]:
        return f"its snapshot_id is {', '.join(str(row[0]) for row in rows) or 'missing'}"
    counts = connection.execute(
        f"""SELECT (SELECT count(*) FROM {STORAGE_SCHEMA}.assistants),
                   (SELECT count(*) FROM {STORAGE_SCHEMA}.assistant_versions)"""
    ).fetchall()
    if counts != [rows[0][1:]]:
        return "it does not have as many rows as it says"
    if "tables_version" in there["snapshot_info"] and (missing := TABLES.keys() - there.keys()):
        versions = connection.execute(f"SELECT tables_version FROM {STORAGE_SCHEMA}.snapshot_info").fetchall()
        if versions == [(CURRENT.tables,)]:
            return f"it has no table {min(missing)}"
    return next(iter(find_altered_columns(there)), None)
