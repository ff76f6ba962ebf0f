"""The published snapshots: immutable DuckDB files, and one symlink to the one that readers get.

    {data dir}/puretalk.duckdb -> snapshots/20261122T124331413262Z/puretalk.duckdb

The symlink's target is the only state of the warehouse. DuckDB names a database after its file, so every snapshot's
file has the same name: the catalog is `puretalk` in every client and after every publish. A reader that has opened a
snapshot keeps it until it closes it; a reader that opens the link later gets the newest. puretalk never writes to a
published snapshot, and the seal next to it shows whether another program did. Where symlinks do not exist,
puretalk.duckdb is a copy of the snapshot instead.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.database import SEALED
from puretalk.errors import WarehouseError
from puretalk.listener import SILENT, Listener, Step
from puretalk.schema import CATALOG
from puretalk.settings import RetentionSettings

#: Name of the link, of the file of each snapshot, and of the work file.
PUBLISHED_NAME = f"{CATALOG}.duckdb"
_ID = r"\d{8}T\d{12}Z"
#: A snapshot's file in the folder of all snapshots. Up to release 0.2 it had no folder of its own.
_PLACE = re.compile(rf"(?:({_ID})/puretalk|puretalk-({_ID}))\.duckdb")
_TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
#: Bytes of DuckDB's three header blocks. Writing through DuckDB changes them; copying or moving the file does not.
_HEADERS = 3 * 4096
#: Error numbers of `symlink` on a file system without symlinks.
_NO_SYMLINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}

#: Held while readers are switched to another snapshot. Code that ends the process waits for it: otherwise the link
#: could point to a snapshot without a seal, which the next run would have to repair.
swap_guard = threading.Lock()


@dataclass(frozen=True)
class Snapshot:
    """A published file. `created_at` (UTC) is its id; `size` in bytes."""

    path: Path
    created_at: datetime
    size: int
    is_current: bool

    @property
    def snapshot_id(self) -> str:
        """The time in the name of its folder; the ID of `puretalk rollback`."""
        return f"{self.created_at:{_TIME_FORMAT}}"


class SnapshotStore:
    """The snapshots of one data directory. Only the holder of the lock may call methods that change something."""

    def __init__(self, data_dir: Path, *, file_mode: int = 0o440) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "snapshots"
        self.published = data_dir / PUBLISHED_NAME
        self._file_mode = file_mode

    def current(self) -> Path | None:
        """The file that readers get now, or None before the first sync. Raises WarehouseError when it is missing."""
        if self.published.is_symlink():
            if not self.published.exists():
                raise WarehouseError(
                    f"{self.published} points to a snapshot that is gone",
                    action="Type `puretalk snapshots`, then `puretalk rollback ID`. If there is none, remove the link: "
                    "the next sync then starts with an empty warehouse.",
                )
            return self.published.resolve()
        if not self.published.exists():
            return None
        state = _describe(self.published)
        originals = [path for path in self._find_files().values() if _describe(path) == state]
        return originals[-1].resolve() if originals else self.published

    def is_published(self) -> bool:
        """Whether there is a published file, or a link to one that is gone."""
        return os.path.lexists(self.published)

    def is_intact(self, snapshot: Path) -> bool:
        """Whether the snapshot has a seal and is as it was when it was sealed, with no write-ahead log next to it."""
        return _has_valid_seal(snapshot) and self._find_log(snapshot) is None

    def list_snapshots(self) -> list[Snapshot]:
        """All snapshots, newest first."""
        try:
            current = self.current()
        except WarehouseError:
            current = None
        found = []
        for snapshot_id, path in self._find_files().items():
            with contextlib.suppress(FileNotFoundError):
                created_at = datetime.strptime(snapshot_id, _TIME_FORMAT).replace(tzinfo=UTC)
                found.append(Snapshot(path, created_at, path.stat().st_size, path.resolve() == current))
        return found[::-1]

    def refuse_foreign_files(self) -> None:
        """Raise WarehouseError for a file that could do harm or come to harm.

        That is a write-ahead log that DuckDB would replay into the published snapshot, a snapshot that another program
        wrote to, or a file that puretalk did not write."""
        current = self.current()
        log = self._find_log(current)
        if log is not None:
            raise WarehouseError(
                f"a foreign write-ahead log is next to the published snapshot: {log}",
                action="Another program opened the snapshot for writing. Close it, move the .wal file away, then "
                "run the same command again.",
            )
        if current is None:
            return
        ids = {path.resolve(): snapshot_id for snapshot_id, path in self._find_files().items()}
        if current not in ids:
            raise WarehouseError(
                f"{self.published} is not a snapshot that puretalk published",
                action="Move that file away, or choose another PURETALK_DATA_DIR, then run the same command again.",
            )
        if _is_touched(current):
            raise WarehouseError(
                f"the published snapshot was written to after it was published: {ids[current]}",
                action="Type `puretalk rollback` to go back to the snapshot before it, then sync. If there is none, "
                f"move {PUBLISHED_NAME} away: the next sync then starts with an empty warehouse.",
            )

    def publish(self, work_file: Path, snapshot_id: str, *, listener: Listener = SILENT) -> Path:
        """Make a closed work file the snapshot that readers get. Nothing changes for them before the swap."""
        log = work_file.with_name(work_file.name + ".wal")
        if log.exists():
            raise WarehouseError(f"the work file was not closed cleanly: {log.name} is left")
        self.refuse_foreign_files()
        target = self.folder / snapshot_id / PUBLISHED_NAME
        listener.on_step(Step.PUBLISH_SYNC)
        sync_file(work_file)
        work_file.chmod(self._file_mode)
        listener.on_step(Step.PUBLISH_MOVE)
        target.parent.mkdir(parents=True)
        os.rename(work_file, target)
        sync_folder(target.parent)
        sync_folder(self.folder)
        listener.on_step(Step.PUBLISH_VERIFY)
        _verify(target, snapshot_id)
        self._point_to(target, listener)
        listener.on_step(Step.PUBLISH_DONE)
        return target

    def replace_kept(self, old: Snapshot, fresh: Path, snapshot_id: str) -> Path:
        """Put a closed file in the place of a snapshot that is not the current one, under an id of its own. A reader
        who has the old one open keeps it until it closes it."""
        target = self.folder / snapshot_id / PUBLISHED_NAME
        sync_file(fresh)
        fresh.chmod(self._file_mode)
        target.parent.mkdir(parents=True)
        os.rename(fresh, target)
        sync_folder(target.parent)
        sync_folder(self.folder)
        _verify(target, snapshot_id)
        _prepare_seal(target).replace(_seal_path(target))
        _delete(old.path)
        return target

    def next_id(self, after: Snapshot) -> str:
        """The first free id after that of a snapshot."""
        taken = self._find_files().keys()
        moment = after.created_at
        while f"{moment:{_TIME_FORMAT}}" in taken:
            moment += timedelta(microseconds=1)
        return f"{moment:{_TIME_FORMAT}}"

    def remove(self, snapshot: Snapshot) -> None:
        """Delete a snapshot that is not the current one."""
        _delete(snapshot.path)

    def roll_back(self, snapshot_id: str | None) -> Snapshot:
        """Point readers to an earlier snapshot (default: the one before the current). The next sync continues there."""
        snapshots = self.list_snapshots()
        if snapshot_id is None:
            places = [at for at, snapshot in enumerate(snapshots) if snapshot.is_current]
            candidates = snapshots[places[0] + 1 :] if places else snapshots
        else:
            candidates = [snapshot for snapshot in snapshots if snapshot.snapshot_id == snapshot_id]
        untouched = (each for each in candidates if _has_valid_seal(each.path))
        chosen = next(untouched, None)
        if chosen is None:
            missing = f"there is no untouched snapshot {snapshot_id}" if snapshot_id else "there is no earlier snapshot"
            raise WarehouseError(missing, action="Type `puretalk snapshots` to list the snapshots.")
        _verify(chosen.path, chosen.snapshot_id)
        self._point_to(chosen.path, SILENT)
        return chosen

    def delete_old(self, retention: RetentionSettings, *, now: datetime) -> list[Snapshot]:
        """Delete snapshots that the retention does not keep; returns the deleted ones."""
        snapshots = self.list_snapshots()
        kept = set(choose_snapshots(snapshots, retention, now))
        removed = [snapshot for snapshot in snapshots if snapshot not in kept]
        for snapshot in removed:
            with contextlib.suppress(PermissionError):  # Windows: a reader has it open; a later run will remove it
                _delete(snapshot.path)
        return removed

    def sweep(self) -> None:
        """Remove what a killed run left: temporary links and seals, snapshots that never became the current one, and
        what is left of a snapshot that it deleted."""
        for leftover in (*self.data_dir.glob(f".{PUBLISHED_NAME}.*"), *self.folder.rglob("*.seal-to-be")):
            leftover.unlink(missing_ok=True)
        current = self.current()
        for path in self._find_files().values():
            if not _seal_path(path).exists():
                if path.resolve() == current:
                    _prepare_seal(path).replace(_seal_path(path))  # the run died right after the swap
                else:
                    _delete(path)
        places = (*(seal.with_suffix("") for seal in self.folder.glob("*.seal")), *self._own_folders())
        for path in places:
            if not path.exists():
                _delete(path)

    def _find_log(self, snapshot: Path | None) -> Path | None:
        """A write-ahead log next to the published file or this snapshot."""
        logs = [path.with_name(path.name + ".wal") for path in (self.published, snapshot) if path is not None]
        return next((log for log in logs if os.path.lexists(log)), None)

    def _find_files(self) -> dict[str, Path]:
        """The files of all snapshots by id, oldest first."""
        found = {}
        for path in (*self._own_folders(), *self.folder.glob("*.duckdb")):
            place = _PLACE.fullmatch(path.relative_to(self.folder).as_posix())
            if place is not None and path.exists():
                found[place[1] or place[2]] = path
        return dict(sorted(found.items()))

    def _own_folders(self) -> list[Path]:
        """The path that the file has, or should have, in each folder that is named like a snapshot."""
        return [path / PUBLISHED_NAME for path in self.folder.glob("*Z") if re.fullmatch(_ID, path.name)]

    def _point_to(self, target: Path, listener: Listener) -> None:
        with swap_guard:
            listener.on_step(Step.PUBLISH_SWAP)
            temporary = self.data_dir / f".{PUBLISHED_NAME}.{os.getpid()}"
            temporary.unlink(missing_ok=True)
            seal = _prepare_seal(target)  # a full disk raises here, before anything has changed for readers
            try:
                try:
                    temporary.symlink_to(target.relative_to(self.data_dir))
                except (OSError, NotImplementedError) as error:
                    if os.name != "nt" and getattr(error, "errno", None) not in _NO_SYMLINKS:
                        raise
                    copy_file(target, temporary)
                    temporary.chmod(self._file_mode)
                    sync_file(temporary)
                os.replace(temporary, self.published)
            except OSError as error:
                temporary.unlink(missing_ok=True)
                raise WarehouseError(f"the link to the new snapshot could not be made: {error.strerror}") from error
            sync_folder(self.data_dir)
            listener.on_step(Step.PUBLISH_SEAL)
            seal.replace(_seal_path(target))


def choose_snapshots(snapshots: list[Snapshot], retention: RetentionSettings, now: datetime) -> Iterator[Snapshot]:
    """The snapshots, of a list with the newest first, that the retention keeps. Pure."""
    kept: list[Snapshot] = []
    hours: set[str] = set()
    days: set[str] = set()
    current_at = next((at for at, snapshot in enumerate(snapshots) if snapshot.is_current), 0)
    for at, snapshot in enumerate(snapshots):
        hour, day = f"{snapshot.created_at:%Y%m%d%H}", f"{snapshot.created_at:%Y%m%d}"
        age = now - snapshot.created_at
        is_hourly = hour not in hours and age <= timedelta(hours=retention.keep_hourly)
        is_daily = day not in days and age <= timedelta(days=retention.keep_daily)
        if at < retention.keep_last or at in (current_at, current_at + 1) or is_hourly or is_daily:
            kept.append(snapshot)
            hours.add(hour)
            days.add(day)
    total = 0
    for snapshot in kept:
        total += snapshot.size
        needed = snapshots.index(snapshot) in (current_at, current_at + 1)
        if needed or retention.disk_budget == 0 or total <= retention.disk_budget:
            yield snapshot
        else:
            total -= snapshot.size


def copy_file(source: Path, target: Path) -> None:
    """Copy a closed file as cheaply as the file system can (it may share blocks); private to the owner."""
    with source.open("rb") as reader, target.open("xb") as writer:
        os.fchmod(writer.fileno(), 0o600)
        remaining = os.fstat(reader.fileno()).st_size
        try:
            while remaining > 0:
                copied = os.copy_file_range(reader.fileno(), writer.fileno(), remaining)
                if copied == 0:
                    raise OSError(errno.EIO, "the file system stopped copying")
                remaining -= copied
        except (OSError, AttributeError):
            reader.seek(0)
            writer.seek(0)
            writer.truncate()
            shutil.copyfileobj(reader, writer, 2**20)


def _delete(snapshot: Path) -> None:
    """Delete a snapshot's file, then all that belongs to it."""
    snapshot.unlink(missing_ok=True)
    _seal_path(snapshot).unlink(missing_ok=True)
    if snapshot.name == PUBLISHED_NAME:  # it has a folder of its own
        shutil.rmtree(snapshot.parent, ignore_errors=True)


def _seal_path(snapshot: Path) -> Path:
    return snapshot.with_name(snapshot.name + ".seal")


def _prepare_seal(snapshot: Path) -> Path:
    """Write a snapshot's seal under another name, to be renamed: a half-written seal must never count."""
    prepared = _seal_path(snapshot).with_suffix(".seal-to-be")
    prepared.write_text(_describe(snapshot))
    return prepared


def _is_touched(snapshot: Path) -> bool:
    seal = _seal_path(snapshot)
    return seal.exists() and seal.read_text() != _describe(snapshot)


def _has_valid_seal(snapshot: Path) -> bool:
    return _seal_path(snapshot).exists() and not _is_touched(snapshot)


def _describe(path: Path) -> str:
    with path.open("rb") as file:
        headers = hashlib.sha256(file.read(_HEADERS)).hexdigest()
        return f"{os.fstat(file.fileno()).st_size} bytes, headers {headers}\n"


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify(snapshot: Path, snapshot_id: str) -> None:
    """Open the file read-only, as a reader will, and compare the snapshot_id in it. DuckDB has not opened it under this
    name before, so it reads the file."""
    try:
        with contextlib.closing(duckdb.connect(str(snapshot), read_only=True, config=SEALED)) as connection:
            found = connection.execute("SELECT snapshot_id FROM main.snapshot_info").fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
    else:
        if found == [(snapshot_id,)]:
            return
        reason = f"its snapshot_id is {found}"
    raise WarehouseError(f"the snapshot {snapshot_id} cannot be read back: {reason}")
