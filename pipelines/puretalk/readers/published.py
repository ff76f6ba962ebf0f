"""What is published: the facts that `puretalk status`, `status --check` and the metrics give about the snapshot.

Reads the published snapshot only, read-only; no lock, no network, no log file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import SEALED, quote_name
from puretalk.errors import WarehouseError
from puretalk.schema import STORAGE_SCHEMA
from puretalk.settings import load_settings
from puretalk.warehouse.snapshots import SnapshotStore

#: The numbers of the newest sync that say how it went; columns of sync_runs.
RUN_NUMBERS = ("rows_loaded", "new", "changed", "silent", "deleted", "held", "rejected", "retries")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Published:
    """A published snapshot. Times are UTC; what is None is not in the snapshot, because it holds no such sync or row.

    `run_id`, `finished_at`, `is_exact` and `numbers` are of the newest sync; `exact_at` is the end of the newest one
    that was exact and complete. `cursor`: the newest updated_at. `live_assistants`: those that are not deleted.
    `row_counts`: rows by table of the normalized layer.
    """

    path: Path
    snapshot_id: str
    run_id: str | None
    finished_at: datetime | None
    is_exact: bool | None
    exact_at: datetime | None
    cursor: datetime | None
    live_assistants: int
    numbers: Mapping[str, int]
    row_counts: Mapping[str, int]


def find_snapshot(data_dir: str | Path | None = None) -> Path:
    """The file of the published snapshot (default: of the configured data directory). Raises WarehouseError when
    nothing has been published yet."""
    folder = Path(data_dir).expanduser().absolute() if data_dir is not None else load_settings(with_key=False).data_dir
    snapshot = SnapshotStore(folder).current()
    if snapshot is None:
        raise WarehouseError(
            f"nothing has been published in {folder} yet",
            action="Run `puretalk sync` (or `puretalk sync --demo`) first; is PURETALK_DATA_DIR the right folder?",
        )
    return snapshot


def read_published(data_dir: Path) -> Published:
    """What readers get now. Raises WarehouseError when nothing has been published yet or it cannot be read."""
    try:
        snapshot = find_snapshot(data_dir)
        with contextlib.closing(duckdb.connect(str(snapshot), read_only=True, config=SEALED)) as connection:
            return _read_facts(connection, snapshot)
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WarehouseError(f"the published snapshot cannot be read: {reason}") from error


def verify_published(data_dir: Path) -> None:
    """Compare the published snapshot with its seal, if it has one. Raises WarehouseError when another program wrote to
    it, is about to, or put another file in its place."""
    try:
        SnapshotStore(data_dir).refuse_foreign_files()
    except OSError as error:
        raise WarehouseError(f"the published snapshot cannot be verified: {error.strerror}") from error


def _read_facts(connection: duckdb.DuckDBPyConnection, snapshot: Path) -> Published:
    runs, assistants = quote_name(STORAGE_SCHEMA, "sync_runs"), quote_name(STORAGE_SCHEMA, "assistants")
    [(snapshot_id, exact_at, cursor, live_assistants)] = connection.execute(
        f"""SELECT (SELECT snapshot_id FROM {quote_name(STORAGE_SCHEMA, "snapshot_info")}),
                   (SELECT epoch_us(max(finished_at)) FROM {runs} WHERE is_exact),
                   epoch_us(max(updated_at)),
                   count(*) FILTER (deleted_at IS NULL)
            FROM {assistants}"""
    ).fetchall()
    newest = connection.execute(
        f"""SELECT run_id, epoch_us(finished_at), is_exact, {", ".join(map(quote_name, RUN_NUMBERS))}
            FROM {runs} ORDER BY finished_at DESC, run_id DESC LIMIT 1"""
    ).fetchall()
    run_id, finished_at, is_exact, *numbers = newest[0] if newest else [None] * (3 + len(RUN_NUMBERS))
    return Published(
        path=snapshot,
        snapshot_id=snapshot_id,
        run_id=run_id,
        finished_at=_moment(finished_at),
        is_exact=is_exact,
        exact_at=_moment(exact_at),
        cursor=_moment(cursor),
        live_assistants=live_assistants,
        numbers={name: number for name, number in zip(RUN_NUMBERS, numbers, strict=True) if number is not None},
        row_counts=_count_rows(connection),
    )


def _count_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows by table. A snapshot of an earlier release may lack a table that was added later."""
    found = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_catalog = current_database() AND table_schema = ?",
            [STORAGE_SCHEMA],
        ).fetchall()
    }
    counts = {}
    for name in TABLES:
        if name in found:
            [(counts[name],)] = connection.execute(
                f"SELECT count(*) FROM {quote_name(STORAGE_SCHEMA, name)}"
            ).fetchall()
    return counts


def _moment(microseconds: int | None) -> datetime | None:
    # A time zone column would come with the zone of this machine, and needs another library.
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
