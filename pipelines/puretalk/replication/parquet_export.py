"""What was published, as Parquet files: `puretalk export parquet DIR`.

    DIR/README.txt                         marks the folder as an export, and says how to read it
    DIR/current -> sets/<time>             the newest set; swapped when a set is whole
    DIR/sets/<time>/puretalk/<table>.parquet          the normalized tables, snapshot_info
    DIR/sets/<time>/puretalk_marts/<mart>.parquet     the marts, snapshot_info
    DIR/sets/incoming/                     a set on its way; what a killed run left is removed by the next one

A set is never written to again. A file whose bytes are those of the set before is a hard link to that.
"""

from __future__ import annotations

import contextlib
import filecmp
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_literal, quote_name
from puretalk.errors import ConfigurationError, WarehouseBusyError, WarehouseError
from puretalk.replication.snapshot import DATASETS, SNAPSHOT_INFO, open_snapshot
from puretalk.schema import CATALOG, STORAGE_SCHEMA
from puretalk.settings import Settings
from puretalk.warehouse.copies import sync_file, sync_folder
from puretalk.warehouse.disk_errors import disk_errors
from puretalk.warehouse.lock import is_in_data_dir, try_lock
from puretalk.warehouse.snapshots import SnapshotStore

#: A set that was replaced longer ago is removed, unless it is the set before the current one.
KEPT_FOR: Final = timedelta(hours=1)
_WRITTEN_BY: Final = "Written by `puretalk export parquet`, which removes old sets.\n"
_README: Final = f"""{_WRITTEN_BY}
current/puretalk/        the normalized tables, a Parquet file each
current/puretalk_marts/  the marts
snapshot_info.parquet    in both: which snapshot this is

current is a link to the newest set, and never to half of one. To read several tables of one set, resolve the link
once and read from where it leads: a set stays there for at least an hour after it was replaced.
"""
_TIME_FORMAT: Final = "%Y%m%dT%H%M%S%fZ"
_SET: Final = re.compile(r"\d{8}T\d{12}Z")
_INCOMING: Final = "incoming"
#: What Parquet has no type for, or what its readers take for bytes.
_WRITTEN_AS: Final = {"JSON": "VARCHAR", "JSON[]": "VARCHAR[]"}


@dataclass(frozen=True)
class ParquetExport:
    """What a run wrote. `folder` is the set that readers get; `files` of it differ from the set before."""

    folder: Path
    snapshot_id: str
    tables: int
    files: int
    seconds: float


def export_parquet(settings: Settings, folder: Path) -> ParquetExport:
    """Write the published snapshot as a set of Parquet files, and make it the current one. Readers get the set before
    or this one; if nothing differs, the current one stays.

    Raises ConfigurationError for a folder that is not empty and not an earlier export, or is in a data directory; and
    for a column of your own models whose type Parquet does not keep.
    """
    started = time.monotonic()
    snapshot = SnapshotStore(settings.data_dir).current()
    if snapshot is None:
        raise ConfigurationError("nothing has been published yet", action="Run `puretalk sync` first.")
    with disk_errors(folder), _open_folder(folder):
        incoming = folder / "sets" / _INCOMING
        before = _find_current(folder)
        _sweep(folder / "sets", before)
        incoming.mkdir(parents=True)
        with open_snapshot(snapshot) as connection:
            written = [_write(connection, source, incoming / file) for source, file in _list_files(connection)]
        differing = [path for path in written if not _link_equal(path, incoming, before)]
        if before is not None and not differing and _names(incoming) == _names(before):
            shutil.rmtree(incoming)
        else:
            now = datetime.now(UTC)
            if before is not None:  # the clock may have been set back
                now = max(now, _time_of(before.name) + timedelta(microseconds=1))
            before = _publish(folder, written, f"{now:{_TIME_FORMAT}}", settings.storage.file_mode_bits)
        _delete_old(before, datetime.now(UTC))
    return ParquetExport(before, snapshot.parent.name, len(written), len(differing), time.monotonic() - started)


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[None]:
    """The folder, made where there is none, and locked; or an error for a folder that holds something else."""
    if is_in_data_dir(folder / "current"):
        raise ConfigurationError(
            f"{folder} is in a data directory of puretalk",
            action="Name another folder: only puretalk writes to this one.",
        )
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder", action="Choose a new or an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    readme = folder / "README.txt"
    mark = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    if not mark and {path.name for path in folder.iterdir()} <= {readme.name}:  # a killed run may leave it empty
        readme.write_text(_README, encoding="utf-8")
    elif not mark.startswith(_WRITTEN_BY):
        raise ConfigurationError(
            f"{folder} is not empty, and is not an earlier export", action="Choose a new or an empty folder."
        )
    with try_lock(folder / ".lock") as is_held:
        if not is_held:
            raise WarehouseBusyError(f"another export into {folder} is at work")
        yield


def _find_current(folder: Path) -> Path | None:
    """The set that readers get; None where there is none."""
    current = folder / "current"
    if not current.is_symlink() and current.exists():
        raise ConfigurationError(
            f"{current} is not a link",
            action="Remove it, or choose a new folder: puretalk makes it a link to the newest set.",
        )
    found = current.resolve()
    return found if found.is_dir() and found.parent == (folder / "sets").resolve() else None


def _list_files(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Path]]:
    """Each table in SQL, and its file in a set. snapshot_info is in both folders."""
    for schema, name in connection.execute(
        """SELECT DISTINCT schema_name, table_name FROM duckdb_columns()
           WHERE database_name = 'puretalk' AND NOT internal ORDER BY ALL"""
    ).fetchall():
        if schema == "marts" or (schema == STORAGE_SCHEMA and name in {*TABLES, SNAPSHOT_INFO}):
            for dataset in DATASETS.values() if name == SNAPSHOT_INFO else (DATASETS[schema],):
                yield quote_name(CATALOG, schema, name), Path(dataset, f"{name}.parquet")


def _write(connection: duckdb.DuckDBPyConnection, source: str, path: Path) -> Path:
    """Write a table in one order of its rows, so that equal tables are equal bytes. Raises ConfigurationError when the
    file does not have the types of the table."""
    columns = {
        name: _WRITTEN_AS.get(type_, type_)
        for name, type_, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()
    }
    selected = ", ".join(
        f"CAST({quote_name(name)} AS {type_}) AS {quote_name(name)}" for name, type_ in columns.items()
    )
    path.parent.mkdir(exist_ok=True)
    file = quote_literal(str(path))
    connection.execute(f"COPY (SELECT {selected} FROM {source} ORDER BY ALL) TO {file} (FORMAT parquet, CODEC zstd)")
    for name, type_, *_ in connection.execute(f"DESCRIBE FROM read_parquet({file})").fetchall():
        if columns[name] != type_:
            raise ConfigurationError(
                f"{source}.{name} is of the type {columns[name]}, which Parquet does not keep",
                action="Cast it in your model to a type that Parquet has, then run the same command again.",
            )
    return path


def _link_equal(path: Path, incoming: Path, before: Path | None) -> bool:
    """Whether the set before has a file of the same bytes; the new one is then a link to it."""
    older = before and before / path.relative_to(incoming)
    if not older or not older.is_file() or not filecmp.cmp(path, older, shallow=False):
        return False
    with contextlib.suppress(OSError):  # a file system without hard links: the copy stays
        link = path.with_suffix(".link")
        os.link(older, link)
        link.replace(path)
    return True


def _publish(folder: Path, written: list[Path], name: str, file_mode: int) -> Path:
    """Make the set on its way the current one, under this name; returns its folder."""
    for path in written:
        sync_file(path)
        path.chmod(file_mode)
    incoming = folder / "sets" / _INCOMING
    for place in (*incoming.iterdir(), incoming):
        sync_folder(place)
    target = incoming.with_name(name)
    incoming.rename(target)
    sync_folder(target.parent)
    link = folder / ".current"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(target.relative_to(folder))
    except (OSError, NotImplementedError) as error:
        raise WarehouseError(
            f"{folder} cannot hold a symbolic link", action="Choose a folder on a file system that has them."
        ) from error
    link.replace(folder / "current")
    sync_folder(folder)
    return target


def _sweep(sets: Path, current: Path | None) -> None:
    """Remove what a killed run left: a set on its way, and one that never became the current one."""
    shutil.rmtree(sets / _INCOMING, ignore_errors=True)
    if current is not None:
        for name in _list_sets(sets):
            if name > current.name:
                shutil.rmtree(sets / name)


def _delete_old(current: Path, now: datetime) -> None:
    """Delete the sets that were replaced long ago, all but the one before the current. The name of a set is the time at
    which it replaced the one before."""
    earlier = [name for name in _list_sets(current.parent) if name < current.name]
    for name, following in itertools.pairwise(earlier):
        if now - _time_of(following) > KEPT_FOR:
            shutil.rmtree(current.parent / name)


def _list_sets(sets: Path) -> list[str]:
    """The names of the sets, oldest first."""
    return sorted(path.name for path in sets.glob("*Z") if _SET.fullmatch(path.name))


def _time_of(name: str) -> datetime:
    return datetime.strptime(name, _TIME_FORMAT).replace(tzinfo=UTC)


def _names(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*.parquet")}
