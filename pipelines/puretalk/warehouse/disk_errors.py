"""A disk that is full, read-only or forbidden raises one error, from any step of a run; so does too little memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from puretalk.errors import ConfigurationError, WarehouseError

_FORBIDDEN = {errno.EACCES, errno.EPERM}
_DISK_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # full
    *(errno.EROFS, *_FORBIDDEN),  # forbidden
    *(errno.EIO, errno.EXDEV, errno.ENOTDIR, errno.EEXIST),  # broken, or something else is there
}


def concerns(error: OSError, data_dir: Path) -> bool:
    """Whether the error is about a file or folder in the data directory, or about itself."""
    names = (error.filename, error.filename2)
    return any(isinstance(name, str) and Path(name).is_relative_to(data_dir) for name in names)


@contextmanager
def disk_errors(data_dir: Path) -> Iterator[None]:
    """Turn errors of the operating system and of DuckDB that concern the disk or the folder into a WarehouseError, and
    a memory_limit that is too low for DuckDB into a ConfigurationError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FORBIDDEN and concerns(error, data_dir):
            place = Path(error.filename)
            while not os.path.lexists(place) and place != data_dir:  # a folder on the way to it is forbidden
                place = place.parent
            if place != data_dir:
                raise WarehouseError(f"{place} cannot be used: {error.strerror}") from error
        if error.errno in _DISK_ERRORS or concerns(error, data_dir):
            raise WarehouseError(f"{data_dir} cannot be written: {error.strerror}") from error
        raise
    except duckdb.OutOfMemoryException as error:
        raise ConfigurationError(
            f"DuckDB needs more than memory_limit allows: {str(error).splitlines()[0]}",
            action="Set PURETALK_MEMORY_LIMIT, or memory_limit in .dlt/config.toml, to more.",
        ) from error
    except duckdb.Error as error:
        text = str(error)
        if isinstance(error, duckdb.IOException) or "No space left" in text or "out of disk" in text.lower():
            raise WarehouseError(f"{data_dir} cannot be used: {text.splitlines()[0]}") from error
        raise
