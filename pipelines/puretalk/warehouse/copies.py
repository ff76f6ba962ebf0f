"""Copies of files, and what makes sure that they are on the disk."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


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


def flush_file(path: Path) -> None:
    """What the file holds is on the disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """The names in the folder are on the disk when this returns."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
