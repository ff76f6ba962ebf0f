"""The warehouse: a private work file in which a run happens, and the snapshot that it becomes.

A sync copies the published snapshot to a work file, loads into it, builds the models, runs the checks, seals it and
publishes it. If a step before that fails, readers keep the last good snapshot and the next sync has nothing to repair:
it starts again from the published snapshot.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import OFFLINE, change_catalog, quote_literal, quote_name
from puretalk.endpoints.assistants.versions import CURRENT, VERSION_COLUMNS
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.listener import SILENT, Listener, Step
from puretalk.release import VERSION
from puretalk.schema import STORAGE_SCHEMA
from puretalk.settings import RetentionSettings, Settings, StorageSettings
from puretalk.warehouse.carry_over import carry_over
from puretalk.warehouse.copies import copy_file
from puretalk.warehouse.snapshots import PUBLISHED_NAME, SnapshotStore
from puretalk.warehouse.stored_tables import POLICY_COLUMN, read_columns

#: dlt merges through this schema. Neither it nor dlt's own tables are published: no later load needs them.
STAGING_SCHEMA = f"{STORAGE_SCHEMA}_staging"
#: Number of failed work files, and of kept work folders, that stay for inspection.
FAILED_KEPT = 3
#: Bytes that must be free in addition to a copy of the snapshot.
DISK_MARGIN = 16 * 2**20
#: A file is compacted when it has more bytes than this, and when more than this share of its blocks is free.
_COMPACT_SIZE = 64 * 2**20
_COMPACT_SHARE = 0.5

SNAPSHOT_INFO_DESCRIPTION = "One row: this snapshot. It tells a reader which state it sees."
SNAPSHOT_INFO_COLUMNS = {
    "snapshot_id": ("VARCHAR", "Id of this snapshot: the time of its publication, as in the name of its folder."),
    "published_at": ("TIMESTAMP WITH TIME ZONE", "When this snapshot was sealed for publication (UTC)."),
    "run_id": ("VARCHAR", "Newest sync in this snapshot (key of sync_runs); NULL before the first sync."),
    "assistants": ("BIGINT", "Number of rows in assistants. A reader can compare it with what it sees."),
    "assistant_versions": ("BIGINT", "Number of rows in assistant_versions, for the same purpose."),
    **{
        column: ("INTEGER", f"Version of {what} that this snapshot was written with; see docs/upgrading.md.")
        for column, what in VERSION_COLUMNS.items()
    },
    "puretalk_version": ("VARCHAR", "Release of puretalk that wrote this snapshot."),
    POLICY_COLUMN: (
        "VARCHAR",
        "JSON object: what happens to each group of texts (keep, hash, mask, drop), and a mark of the secret; NULL "
        "when all are kept. See docs/privacy.md.",
    ),
}


class WorkFile:
    """A private DuckDB file in a folder (0700) of its own, which also holds everything else that a run writes."""

    def __init__(self, path: Path, *, is_new: bool, storage: StorageSettings = StorageSettings()) -> None:
        self.path = path
        self.is_new = is_new
        self.is_carried_over = False
        #: Whether texts were removed that the file's free blocks may still hold.
        self.must_compact = False
        self._storage = storage
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The one connection of the run, in UTC: each time that DuckDB closes a file, it writes a checkpoint."""
        if self._connection is None:
            config = {
                **OFFLINE,
                "memory_limit": self._storage.memory_limit,
                "temp_directory": str(self.folder / "duckdb.tmp"),  # the default is in the current directory
            }
            if self._storage.threads:
                config["threads"] = self._storage.threads
            try:
                self._connection = duckdb.connect(str(self.path), config=config)
            except (duckdb.InvalidInputException, duckdb.ParserException) as error:
                limits = f"memory_limit {self._storage.memory_limit!r} or threads {self._storage.threads}"
                raise ConfigurationError(f"{limits} cannot be used: {error}") from error
            self._connection.execute("SET TimeZone = 'UTC'")
        return self._connection

    def close(self) -> None:
        """Close the file, so that it can be moved."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Warehouse:
    """A data directory. The caller of every method must hold the lock; the constructor does not need it."""

    def __init__(self, data_dir: Path, storage: StorageSettings = StorageSettings()) -> None:
        self.data_dir = data_dir
        self.snapshots = SnapshotStore(data_dir, file_mode=storage.file_mode_bits)
        self.storage = storage
        self._work = data_dir / "work"
        self._failed = data_dir / "failed"

    @contextlib.contextmanager
    def open_work_file(self, *, listener: Listener = SILENT, keep: bool = False) -> Iterator[WorkFile]:
        """A work file with the content of the published snapshot, carried over to this release's tables.

        Its folder is removed at the end, also after an error; with `keep` it is moved to `kept/` instead. Raises
        WarehouseError when a newer release wrote the published snapshot.
        """
        listener.on_step(Step.SWEEP)
        self.snapshots.sweep()
        shutil.rmtree(self._work, ignore_errors=True)  # we hold the lock, so its files are from a dead run
        self.snapshots.refuse_foreign_files()
        current = self.snapshots.current()
        self._check_room(current.stat().st_size if current else 0)
        folder = self._work / f"{os.getpid()}"
        self._work.mkdir(mode=0o700)  # a new one: what else could be there may be a link
        folder.mkdir(mode=0o700)
        # A view that names the catalog of its file is stored without it. So the work file is called like the snapshot.
        work = WorkFile(folder / PUBLISHED_NAME, is_new=current is None, storage=self.storage)
        try:
            listener.on_step(Step.COPY)
            if current is None:
                self._create(work.path)
            else:
                copy_file(current, work.path)
                listener.on_step(Step.CARRY_OVER)
                work.is_carried_over = carry_over(work.connection)
            yield work
        finally:
            work.close()
            if keep:
                self._keep_folder(folder)
            shutil.rmtree(self._work, ignore_errors=True)

    def _keep_folder(self, folder: Path) -> None:
        """Move a work folder to `kept/`, named by the time (UTC); the newest few stay."""
        kept = self.data_dir / "kept"
        kept.mkdir(mode=0o700, exist_ok=True)
        os.replace(folder, kept / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        for old in sorted(kept.iterdir())[:-FAILED_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def keep_failed(self, work: WorkFile, run_name: str) -> Path:
        """Keep a work file that broke a check, for inspection; the newest few stay."""
        self._failed.mkdir(mode=0o700, exist_ok=True)
        kept = self._failed / f"{run_name}.duckdb"
        work.close()
        os.replace(work.path, kept)
        for old in sorted(self._failed.glob("*.duckdb"))[:-FAILED_KEPT]:
            old.unlink(missing_ok=True)
        return kept

    def publish(self, work: WorkFile, *, listener: Listener = SILENT) -> Path:
        """Seal the work file and publish it as a snapshot; returns the snapshot."""
        moment = self._next_moment()
        snapshot_id = f"{moment:%Y%m%dT%H%M%S%fZ}"
        listener.on_step(Step.SEAL)
        seal(work.connection, snapshot_id, datetime.now(UTC))
        free = _free_share(work.connection)
        work.close()
        size = work.path.stat().st_size
        is_worth_it = size > _COMPACT_SIZE and free > _COMPACT_SHARE
        if work.must_compact or (is_worth_it and shutil.disk_usage(work.folder).free > size + DISK_MARGIN):
            listener.on_step(Step.COMPACT)
            self.write_again(work.path)
        return self.snapshots.publish(work.path, snapshot_id, listener=listener)

    def delete_old_snapshots(self, retention: RetentionSettings) -> int:
        """Delete snapshots that the retention does not keep; returns how many."""
        return len(self.snapshots.delete_old(retention, now=datetime.now(UTC)))

    def _next_moment(self) -> datetime:
        """Now, or just after the newest snapshot: names must sort by time even when the clock was set back."""
        newest = max((snapshot.created_at for snapshot in self.snapshots.list_snapshots()), default=None)
        now = datetime.now(UTC)
        return now if newest is None or now > newest else newest + timedelta(microseconds=1)

    def _check_room(self, size: int) -> None:
        needed = int(size * 1.25) + DISK_MARGIN
        free = shutil.disk_usage(self.data_dir).free
        if free < needed:
            raise WarehouseError(
                f"the disk of {self.data_dir} has {free / 2**20:.0f} MiB free, a sync needs {needed / 2**20:.0f} MiB",
                action="Free disk space (`puretalk snapshots` shows their sizes), then run the same command again.",
            )

    def _create(self, path: Path) -> None:
        with contextlib.closing(duckdb.connect(config=OFFLINE)) as connection:
            try:
                place, version = quote_literal(str(path)), quote_literal(self.storage.storage_version)
                connection.execute(f"ATTACH {place} AS work (STORAGE_VERSION {version})")
                connection.execute("DETACH work")
            except duckdb.InvalidInputException as error:
                raise ConfigurationError(
                    f"storage_version {self.storage.storage_version!r} cannot be written by this DuckDB; v1.4.0 can"
                ) from error
        path.chmod(0o600)

    def write_again(self, path: Path) -> None:
        """Write the file again without its free blocks, with the storage version of the settings."""
        fresh = path.with_name("compact.duckdb")
        self._create(fresh)
        config = {
            **OFFLINE,
            "temp_directory": str(path.parent / "compact.tmp"),
        }  # the default is in the current directory
        with contextlib.closing(duckdb.connect(config=config)) as connection:
            connection.execute(f"ATTACH {quote_literal(str(path))} AS old (READ_ONLY)")
            connection.execute(f"ATTACH {quote_literal(str(fresh))} AS fresh")
            connection.execute("COPY FROM DATABASE old TO fresh")
            comments = connection.execute(_COMMENTS).fetchall()
            connection.execute("USE fresh")
            change_catalog(
                connection, [f"COMMENT ON {kind} {name} IS {quote_literal(text)}" for kind, name, text in comments]
            )
        os.replace(fresh, path)


_COMMENTS = """
SELECT 'TABLE', format('"{}"."{}"', schema_name, table_name), comment FROM duckdb_tables()
WHERE database_name = 'old' AND comment IS NOT NULL
UNION ALL
SELECT 'VIEW', format('"{}"."{}"', schema_name, view_name), comment FROM duckdb_views()
WHERE database_name = 'old' AND NOT internal AND comment IS NOT NULL
UNION ALL
SELECT 'COLUMN', format('"{}"."{}"."{}"', schema_name, table_name, column_name), comment FROM duckdb_columns()
WHERE database_name = 'old' AND comment IS NOT NULL
"""


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of these settings."""
    return Warehouse(settings.data_dir, settings.storage)


def describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Add snapshot_info and the comments for readers to a loaded work file, where they are missing or different."""
    columns = ", ".join(f"{name} {type_}" for name, (type_, _) in SNAPSHOT_INFO_COLUMNS.items())
    connection.execute(f"CREATE TABLE IF NOT EXISTS {STORAGE_SCHEMA}.snapshot_info ({columns})")
    for name, (type_, _) in SNAPSHOT_INFO_COLUMNS.items():  # a snapshot of an earlier release has fewer
        connection.execute(f"ALTER TABLE {STORAGE_SCHEMA}.snapshot_info ADD COLUMN IF NOT EXISTS {name} {type_}")
    descriptions = {name: table.description for name, table in TABLES.items()}
    descriptions["snapshot_info"] = SNAPSHOT_INFO_DESCRIPTION
    columns_of = {name: {c.name: c.description for c in table.columns} for name, table in TABLES.items()}
    columns_of["snapshot_info"] = {name: text for name, (_, text) in SNAPSHOT_INFO_COLUMNS.items()}
    there = _read_comments(connection)
    comments = []
    for name, column_texts in columns_of.items():
        for column, text in {"": descriptions[name], **column_texts}.items():
            if there.get((name, column)) != text:
                target = quote_name(STORAGE_SCHEMA, name, *([column] if column else []))
                comments.append(f"COMMENT ON {'COLUMN' if column else 'TABLE'} {target} IS {quote_literal(text)}")
    change_catalog(connection, comments)


def seal(connection: duckdb.DuckDBPyConnection, snapshot_id: str, moment: datetime) -> None:
    """Make a described work file ready to publish: fill snapshot_info, and drop what dlt leaves. The policy that it
    names stays."""
    connection.execute(f"DROP SCHEMA IF EXISTS {STAGING_SCHEMA} CASCADE")
    for name in read_columns(connection):
        if name.startswith("_dlt_"):
            connection.execute(f"DROP TABLE {quote_name(STORAGE_SCHEMA, name)}")
    policies = connection.execute(f"SELECT {POLICY_COLUMN} FROM {STORAGE_SCHEMA}.snapshot_info").fetchall()
    connection.execute(f"DELETE FROM {STORAGE_SCHEMA}.snapshot_info")
    connection.execute(
        f"""INSERT INTO {STORAGE_SCHEMA}.snapshot_info
            SELECT ?, ?, (SELECT max(run_id) FROM {STORAGE_SCHEMA}.sync_runs),
                   (SELECT count(*) FROM {STORAGE_SCHEMA}.assistants),
                   (SELECT count(*) FROM {STORAGE_SCHEMA}.assistant_versions), ?, ?, ?, ?, ?""",
        [
            *(snapshot_id, moment, CURRENT.tables, CURRENT.flattening, CURRENT.content_hash, VERSION),
            policies[0][0] if policies else None,
        ],
    )
    connection.execute("CHECKPOINT")


def _read_comments(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str | None]:
    """Comments of the normalized tables by (table, column). A table's own comment has the column ''."""
    rows = connection.execute(
        """SELECT table_name, '', comment FROM duckdb_tables()
           WHERE database_name = current_database() AND schema_name = $schema
           UNION ALL SELECT table_name, column_name, comment FROM duckdb_columns()
           WHERE database_name = current_database() AND schema_name = $schema""",
        {"schema": STORAGE_SCHEMA},
    ).fetchall()
    return {(table, column): comment for table, column, comment in rows}


def _free_share(connection: duckdb.DuckDBPyConnection) -> float:
    sizes = connection.execute("SELECT total_blocks, free_blocks FROM pragma_database_size()").fetchall()
    total, free = sizes[0]
    return free / total if total else 0.0
