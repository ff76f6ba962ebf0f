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
