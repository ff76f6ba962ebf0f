"""What lies where puretalk keeps files of its own: no symbolic link, no device, no pipe.

Somebody who can write to the data directory could otherwise lead a run to files elsewhere. The one link in it is that
of the readers, which leads to a snapshot or is refused. The data directory itself may be a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from puretalk.errors import WarehouseError

_FOLDERS = ("failed", "kept", "logs", "put-aside", "snapshots", "work")
#: Locks are not among them: to take one opens it without following a link.
_FILES = ("forgotten.json", "notices.json", "privacy.secret", "sync.holder.json")
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
#: Never follow a link, and never wait for the other end of a pipe.
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def refuse_odd_places(data_dir: Path) -> None:
    """Raise WarehouseError for something of another kind, such as a link, where puretalk keeps a file or folder."""
    for path, is_wanted, wanted in _own_places(data_dir):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if not is_wanted(mode):
            found = next((words for is_kind, words in _KINDS if is_kind(mode)), "a device")
            raise WarehouseError(
                f"{path} is {found}, where puretalk keeps {wanted} of its own",
                action="puretalk follows no link inside its data directory, and writes to files only. Look who put it "
                "there, move it away, then run the same command again.",
            )


def _own_places(data_dir: Path) -> Iterator[tuple[Path, Callable[[int], bool], str]]:
    """What may exist in a data directory, and of which kind it must be."""
    for name in _FOLDERS:
        yield data_dir / name, stat.S_ISDIR, "a folder"
    for name in _FILES:
        yield data_dir / name, stat.S_ISREG, "a file"
    if (data_dir / "snapshots").is_dir():
        for each in (data_dir / "snapshots").iterdir():
            if each.is_dir():
                yield each, stat.S_ISDIR, "a folder"
                for ending in ("", ".seal", ".seal-to-be"):
                    yield each / f"puretalk.duckdb{ending}", stat.S_ISREG, "a file"
            else:
                yield each, stat.S_ISREG, "a file"


def create_file(path: Path, text: str, *, mode: int) -> None:
    """Write a new file of this mode, whatever more the umask allows. What was there is removed, and not written to: it
    may be a link. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFULLY, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def read_own_file(path: Path) -> str:
    """The text of a small file. Raises OSError, also for a link, a device or a pipe."""
    with os.fdopen(open_own_file(path, os.O_RDONLY), encoding="utf-8", errors="replace") as file:
        return file.read()


def open_own_file(path: Path, flags: int, mode: int = 0o600) -> int:
    """The descriptor of a regular file, opened with these flags. Raises OSError for anything else, also for a link."""
    descriptor = os.open(path, flags | _CAREFULLY, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return descriptor


def folder_mode(file_mode: int) -> int:
    """The mode of the folders of files of this mode: who may read the files may enter and list them."""
    readable = file_mode & 0o044
    return 0o700 | readable | readable >> 2


def make_data_dir(data_dir: Path, file_mode: int) -> None:
    """Make the data directory, where there is none; one that exists keeps its mode. Raises OSError."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(mode=folder_mode(file_mode), exist_ok=True)
