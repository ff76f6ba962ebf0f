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
import os
import re
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.database import SEALED
from puretalk.errors import WarehouseError
from puretalk.listener import SILENT, Listener, Step
from puretalk.schema import CATALOG
from puretalk.settings import RetentionSettings
from puretalk.warehouse.adoption import put_aside, verify_unsealed
from puretalk.warehouse.copies import copy_file, sync_file, sync_folder
from puretalk.warehouse.places import folder_mode
from puretalk.warehouse.retention import TIME_FORMAT, Snapshot, choose_snapshots
from puretalk.warehouse.seals import (
    Content,
    begin_seal,
    confirm_seal,
    describe_headers,
    has_seal,
    is_adopted,
    looks_untouched,
    prepare_seal,
    prepared_path,
    read_content,
    seal_path,
    verify_content,
)

#: Name of the link, of the file of each snapshot, and of the work file.
PUBLISHED_NAME = f"{CATALOG}.duckdb"
_ID = r"\d{8}T\d{12}Z"
#: A snapshot's file in the folder of all snapshots. Up to release 0.2 it had no folder of its own.
_PLACE = re.compile(rf"(?:({_ID})/puretalk|puretalk-({_ID}))\.duckdb")
#: Error numbers of `symlink` on a file system without symlinks.
_NO_SYMLINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}

#: What puretalk and DuckDB may leave in the folder of a snapshot. Another name is of a person.
_OWN_NAMES = {f"{PUBLISHED_NAME}{ending}" for ending in (".seal", ".seal-to-be", ".wal", ".tmp")}

#: Held while readers are switched to another snapshot. Code that ends the process waits for it: otherwise the link
#: could point to a snapshot without a seal, which the next run would have to repair.
swap_guard = threading.Lock()


class SnapshotStore:
    """The snapshots of one data directory. Only the holder of the lock may call methods that change something."""

    def __init__(self, data_dir: Path, *, file_mode: int = 0o440) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "snapshots"
        self.published = data_dir / PUBLISHED_NAME
        self._file_mode = file_mode
        self._folder_mode = folder_mode(file_mode)
        #: What a person should read about the snapshots, a sentence each.
        self.remarks: list[str] = []
        #: What this run has read whole, and found to be as it was sealed.
        self._verified: dict[Path, Content] = {}

    def current(self) -> Path | None:
        """The file that readers get now, or None before the first sync. Raises WarehouseError when it is missing, or
        something else is in its place."""
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
        if not self.published.is_file():
            found = "a folder" if self.published.is_dir() else "a device or a pipe"
            raise WarehouseError(
                f"{self.published} is {found}, where the link to the published snapshot belongs",
                action="Move it away, then run the same command again.",
            )
        state = describe_headers(self.published)
        originals = [path for path in self._find_files().values() if describe_headers(path) == state]
        return originals[-1].resolve() if originals else self.published

    def is_published(self) -> bool:
        """Whether there is a published file, or a link to one that is gone. Raises OSError where nobody may look."""
        try:
            self.published.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_intact(self, snapshot: Path) -> bool:
        """Whether the snapshot is, byte for byte, as it was when it was sealed, with no write-ahead log next to it.
        Reads it whole."""
        return self._verify(snapshot) is not None and self._find_log(snapshot) is None

    def list_snapshots(self) -> list[Snapshot]:
        """All snapshots, newest first."""
        try:
            current = self.current()
        except WarehouseError:
            current = None
        found = []
        for snapshot_id, path in self._find_files().items():
            with contextlib.suppress(FileNotFoundError):
                created_at = datetime.strptime(snapshot_id, TIME_FORMAT).replace(tzinfo=UTC)
                size, is_current = path.stat().st_size, path.resolve() == current
                found.append(Snapshot(path, created_at, size, is_current, is_adopted(path)))
        return found[::-1]

    def refuse_foreign_files(self) -> None:
        """Raise WarehouseError for a file that could do harm or come to harm.

        That is a write-ahead log that DuckDB would replay into the published snapshot, a snapshot that is not, byte for
        byte, what was published, or a file that puretalk did not write. Reads the published snapshot whole."""
        current = self._refuse_traces()
        if current is None:
            return
        snapshot_id = self._ids()[current]
        content = self._verify_current(current, snapshot_id)
        if not self.published.is_symlink() and read_content(self.published).chunks != content.chunks:
            raise WarehouseError(
                f"{self.published} is damaged: it differs from the snapshot of which it is a copy",
                action=f"Type `puretalk rollback {snapshot_id}`, then sync.",
            )

    def _verify_current(self, current: Path, snapshot_id: str) -> Content:
        """Read the published snapshot whole; one without a seal must be whole, and the next run seals it."""
        seal = seal_path(current) if has_seal(current) else prepared_path(current)
        if not seal.exists():
            try:
                return verify_unsealed(current, snapshot_id)
            except WarehouseError as error:
                said = f"the published snapshot {snapshot_id} has no seal, and is not whole: {error.message}"
                raise WarehouseError(said, action=self._name_way_back(current)) from error
        content = self._verify(current, seal)
        if content is None:
            raise WarehouseError(
                f"the published snapshot is damaged: {snapshot_id} is not, byte for byte, what was published",
                action=self._name_way_back(current),
            )
        return content

    def _refuse_traces(self) -> Path | None:
        """The published snapshot. Raises WarehouseError where another program left a trace that shows without reading
        the snapshot whole."""
        current = self.current()
        log = self._find_log(current)
        if log is not None:
            raise WarehouseError(
                f"a foreign write-ahead log is next to the published snapshot: {log}",
                action="Another program opened the snapshot for writing. Close it, move the .wal file away, then "
                "run the same command again.",
            )
        if current is None:
            return None
        if current not in self._ids():
            raise WarehouseError(
                f"{self.published} is not a snapshot that puretalk published",
                action="Move that file away, or choose another PURETALK_DATA_DIR, then run the same command again.",
            )
        if has_seal(current) and not looks_untouched(current):
            raise WarehouseError(
                f"the published snapshot was written to after it was published: {self._ids()[current]}",
                action=self._name_way_back(current),
            )
        return current

    def _name_way_back(self, damaged: Path) -> str:
        """What to type when the published snapshot is not what was published: the newest that is."""
        others = (snapshot for snapshot in self.list_snapshots() if snapshot.path.resolve() != damaged)
        good = next((snapshot for snapshot in others if self._verify(snapshot.path) is not None), None)
        if good is None:
            return (
                "There is no other snapshot that is as it was published. Restore one from a backup into "
                f"{self.folder}, then type `puretalk rollback`; or move {PUBLISHED_NAME} away: the next sync then "
                "starts with an empty warehouse."
            )
        return (
            f"Type `puretalk rollback {good.snapshot_id}` to go back to the newest snapshot that is as it was "
            "published, then sync."
        )

    def _verify(self, snapshot: Path, seal: Path | None = None) -> Content | None:
        """Read the whole snapshot: what it holds, or None where it is not what was sealed."""
        content = verify_content(snapshot, seal or seal_path(snapshot))
        if content is not None:
            self._verified[snapshot.resolve()] = content
        return content

    def publish(self, work_file: Path, snapshot_id: str, *, listener: Listener = SILENT) -> Path:
        """Make a closed work file the snapshot that readers get. Nothing changes for them before the swap."""
        log = work_file.with_name(work_file.name + ".wal")
        if log.exists():
            raise WarehouseError(f"the work file was not closed cleanly: {log.name} is left")
        before = self._refuse_traces()
        target = self.folder / snapshot_id / PUBLISHED_NAME
        listener.on_step(Step.PUBLISH_SYNC)
        sync_file(work_file)
        work_file.chmod(self._file_mode)
        content = read_content(work_file, like=self._verified.get(before) if before else None)
        listener.on_step(Step.PUBLISH_MOVE)
        self.folder.mkdir(mode=self._folder_mode, exist_ok=True)
        target.parent.mkdir(mode=self._folder_mode)
        begin_seal(target)
        os.rename(work_file, target)
        sync_folder(target.parent)
        sync_folder(self.folder)
        listener.on_step(Step.PUBLISH_VERIFY)
        _read_back(target, snapshot_id)
        with swap_guard:
            listener.on_step(Step.PUBLISH_SWAP)
            prepare_seal(target, content)  # a full disk raises here, before anything has changed for readers
            self._point_to(target)
            listener.on_step(Step.PUBLISH_SEAL)
            confirm_seal(target)
        listener.on_step(Step.PUBLISH_DONE)
        return target

    def replace_kept(self, old: Snapshot, fresh: Path, snapshot_id: str) -> Path:
        """Put a closed file in the place of a snapshot that is not the current one, under an id of its own. A reader
        who has the old one open keeps it until it closes it."""
        target = self.folder / snapshot_id / PUBLISHED_NAME
        sync_file(fresh)
        fresh.chmod(self._file_mode)
        target.parent.mkdir(mode=self._folder_mode)
        begin_seal(target)
        os.rename(fresh, target)
        sync_folder(target.parent)
        sync_folder(self.folder)
        _read_back(target, snapshot_id)
        prepare_seal(target, read_content(target), is_adopted=old.is_adopted)
        confirm_seal(target)
        _delete(old.path)
        return target

    def next_id(self, after: Snapshot) -> str:
        """The first free id after that of a snapshot."""
        taken = self._find_files().keys()
        moment = after.created_at
        while f"{moment:{TIME_FORMAT}}" in taken:
            moment += timedelta(microseconds=1)
        return f"{moment:{TIME_FORMAT}}"

    def remove(self, snapshot: Snapshot) -> None:
        """Delete a snapshot that is not the current one."""
        _delete(snapshot.path)

    def roll_back(self, snapshot_id: str | None) -> Snapshot:
        """Point readers to an earlier snapshot (default: the one before the current). The next sync continues there."""
        self._take_in()
        snapshots = self.list_snapshots()
        if snapshot_id is None:
            places = [at for at, snapshot in enumerate(snapshots) if snapshot.is_current]
            candidates = snapshots[places[0] + 1 :] if places else snapshots
        else:
            candidates = [snapshot for snapshot in snapshots if snapshot.snapshot_id == snapshot_id]
        chosen = next((each for each in candidates if self._verify(each.path) is not None), None)
        if chosen is None:
            missing = f"there is no untouched snapshot {snapshot_id}" if snapshot_id else "there is no earlier snapshot"
            raise WarehouseError(missing, action="Type `puretalk snapshots` to list the snapshots.")
        _read_back(chosen.path, chosen.snapshot_id)
        with swap_guard:
            self._point_to(chosen.path)
        return chosen

    def delete_old(self, retention: RetentionSettings, *, now: datetime) -> list[Snapshot]:
        """Delete snapshots that the retention does not keep; returns the deleted ones.

        Besides the current one, one that is as it was published stays, whatever its age: those that the retention keeps
        may be damaged. Mostly that is the snapshot that this run began with. What a person put back stays too."""
        snapshots = self.list_snapshots()
        kept = set(choose_snapshots(snapshots, retention, now))
        others = [snapshot for snapshot in snapshots if not snapshot.is_current]
        stays = (each for each in others if each in kept or each.is_adopted)
        if not any(each.path.resolve() in self._verified for each in stays):
            good = next((each for each in others if self._verify(each.path) is not None), None)
            kept.update([good] if good else [])
        removed = [snapshot for snapshot in snapshots if snapshot not in kept and not snapshot.is_adopted]
        for snapshot in removed:
            with contextlib.suppress(PermissionError):  # Windows: a reader has it open; a later run will remove it
                _delete(snapshot.path)
        return removed

    def sweep(self) -> None:
        """Remove what a killed run left: temporary links, snapshots that never became the current one, and what is left
        of a snapshot that it deleted. Take in the snapshots that a person put back."""
        self._verified.clear()
        for leftover in self.data_dir.glob(f".{PUBLISHED_NAME}.*"):
            leftover.unlink(missing_ok=True)
        current = self.current()
        for path in self._find_files().values():
            if has_seal(path):
                prepared_path(path).unlink(missing_ok=True)
            elif prepared_path(path).exists():
                if path.resolve() == current:
                    confirm_seal(path)  # the run died right after the swap
                else:
                    _delete(path)
        places = (*(seal.with_suffix("") for seal in self.folder.glob("*.seal")), *self._own_folders())
        for path in places:
            if not path.exists():
                if path.name == PUBLISHED_NAME and {each.name for each in path.parent.iterdir()} - _OWN_NAMES:
                    self._put_aside(path.parent, f"it has no {PUBLISHED_NAME}")
                else:
                    _delete(path)
        self._take_in()

    def _take_in(self) -> None:
        """Give each snapshot that has no seal one, where it is whole; put it aside where it is not. The published one
        stays where it is: `refuse_foreign_files` judges it."""
        current = self.current() if self.published.exists() else None
        for snapshot_id, path in self._find_files().items():
            if has_seal(path) or prepared_path(path).exists():
                continue
            try:
                content = verify_unsealed(path, snapshot_id)
            except WarehouseError as error:
                if path.resolve() != current:
                    self._put_aside(path.parent if path.name == PUBLISHED_NAME else path, error.message)
                continue
            with contextlib.suppress(PermissionError):  # it belongs to another user
                path.chmod(self._file_mode)
            prepare_seal(path, content, is_adopted=True)
            confirm_seal(path)
            self._verified[path.resolve()] = content
            self.remarks.append(f"the snapshot {snapshot_id} had no seal: it was read through, and sealed again")

    def _put_aside(self, found: Path, reason: str) -> None:
        place = put_aside(self.data_dir, found)
        self.remarks.append(f"{found.name} in {self.folder} is no snapshot, and was moved to {place}: {reason}")

    def _ids(self) -> dict[Path, str]:
        """The id of each snapshot by its file."""
        return {path.resolve(): snapshot_id for snapshot_id, path in self._find_files().items()}

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

    def _point_to(self, target: Path) -> None:
        """Give readers this snapshot. The caller holds the swap guard."""
        temporary = self.data_dir / f".{PUBLISHED_NAME}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
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


def _delete(snapshot: Path) -> None:
    """Delete a snapshot's file, then all that belongs to it."""
    snapshot.unlink(missing_ok=True)
    seal_path(snapshot).unlink(missing_ok=True)
    prepared_path(snapshot).unlink(missing_ok=True)
    if snapshot.name == PUBLISHED_NAME:  # it has a folder of its own
        shutil.rmtree(snapshot.parent, ignore_errors=True)


def _read_back(snapshot: Path, snapshot_id: str) -> None:
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
