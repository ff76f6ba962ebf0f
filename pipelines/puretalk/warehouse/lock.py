"""One sync at a time: a lock that the kernel releases when its holder dies, and a note that names the holder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from puretalk.errors import WarehouseBusyError, WarehouseError
from puretalk.warehouse.places import create_file, read_own_file, refuse_odd_places

LOCK_NAME = "sync.lock"
#: The note: a run that cannot get the lock reads in it who holds it.
NOTE_NAME = "sync.holder.json"


@dataclass(frozen=True)
class Holder:
    """Who holds the lock: process id, command, and since when (UTC, ISO 8601)."""

    pid: int
    command: str
    since: str


@contextlib.contextmanager
def hold_lock(data_dir: Path, command: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of a data directory; wait at most `wait` seconds. Raises WarehouseBusyError with its holder."""
    note = data_dir / NOTE_NAME
    refuse_odd_places(data_dir)
    lock = FileLock(data_dir / LOCK_NAME, mode=0o600)
    try:
        lock.acquire(timeout=wait, poll_interval=0.2)
    except Timeout:
        holder = read_holder(data_dir)
        said = (
            f"`puretalk {holder.command}` with process id {holder.pid}, since {holder.since}"
            if holder
            else "its process id is not known"
        )
        raise WarehouseBusyError(f"another run is at work: {said}") from None
    except OSError as error:
        raise WarehouseError(f"the lock {data_dir / LOCK_NAME} cannot be taken: {error.strerror}") from error
    try:
        holder = Holder(os.getpid(), command, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        with contextlib.suppress(OSError):
            create_file(note, json.dumps(asdict(holder)), mode=0o644)  # for `status --check` of any user
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock of this file if nobody else does; whether it is held. Raises OSError when there can be no file."""
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextlib.contextmanager
def hold_replication_lock(data_dir: Path) -> Iterator[None]:
    """Hold a lock that excludes another replication, and no sync. Raises WarehouseBusyError."""
    refuse_odd_places(data_dir)
    try:
        with try_lock(data_dir / "replicate.lock") as is_held:
            if not is_held:
                raise WarehouseBusyError(
                    "another replication is at work",
                    action="Run the same command again when it has ended: it sends what differs.",
                )
            yield
    except OSError as error:
        raise WarehouseError(f"the lock {data_dir / 'replicate.lock'} cannot be taken: {error.strerror}") from error


def is_in_data_dir(path: Path) -> bool:
    """Whether a file is, or would be, in a data directory that a run has locked once."""
    return any((place / LOCK_NAME).exists() for place in path.resolve().parents)


def forget_holder(data_dir: Path) -> None:
    """Remove this process's note before it ends without releasing the lock, which the kernel then does."""
    note = data_dir / NOTE_NAME
    with contextlib.suppress(OSError, ValueError, TypeError):
        if Holder(**json.loads(read_own_file(note))).pid == os.getpid():
            note.unlink()


def read_holder(data_dir: Path) -> Holder | None:
    """Who took the lock last and has not given it back; None where that is not known. It may have died since."""
    try:
        return Holder(**json.loads(read_own_file(data_dir / NOTE_NAME)))
    except (OSError, ValueError, TypeError):
        return None


def find_overdue_run(data_dir: Path, deadline: float, now: datetime) -> str | None:
    """A run that lives and has held the lock for longer than `deadline` seconds, in words; None where there is none."""
    holder = read_holder(data_dir)
    if holder is None or not deadline:
        return None
    try:
        held = (now - datetime.fromisoformat(holder.since)).total_seconds()
        os.kill(holder.pid, 0)
    except PermissionError:
        pass  # it lives, and belongs to another user
    except (OSError, OverflowError, TypeError, ValueError):
        return None
    if held <= deadline:
        return None
    return (
        f"`puretalk {holder.command}` with process id {holder.pid} has held the lock since {holder.since}, longer than "
        f"run_deadline ({deadline:g} s) allows; no other run can publish before it ends"
    )
