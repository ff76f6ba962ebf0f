"""The seal of a snapshot: a small file next to it that shows whether it is, byte for byte, what was published.

    {snapshot}.seal
    54013952 bytes, headers 3f1c…      changes with each write through DuckDB, and is read in no time
    content 2b9a…                      SHA-256 over the SHA-256 of each 256 KiB
    adopted                            only where a person put the snapshot back without its seal

DuckDB's blocks have 256 KiB, and most of them pass unchanged from one snapshot to the next. So a publish hashes only
what differs from the snapshot that the run began with, which was verified when it began. The seal shows accidents and
other programs; it is no proof against somebody who can write to the folder, and so to the seal. Releases up to 0.3
wrote the first line only: such a snapshot is verified by having DuckDB read every block, each of which has a checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import duckdb

from puretalk.database import SEALED, quote_name
from puretalk.warehouse.copies import sync_file
from puretalk.warehouse.places import create_file

#: Bytes of DuckDB's three header blocks. Writing through DuckDB changes them; copying or moving the file does not.
_HEADERS = 3 * 4096
_CHUNK = 2**18
_ADOPTED = "adopted\n"


@dataclass(frozen=True)
class Content:
    """What a file holds: the SHA-256 of each 256 KiB of it."""

    path: Path
    chunks: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """One hash of the whole file."""
        return hashlib.sha256(b"".join(self.chunks)).hexdigest()


def read_content(path: Path, *, like: Content | None = None) -> Content:
    """Read the whole file. `like`: what another file held a moment ago; what equals it there is not hashed again."""
    chunks: list[bytes] = []
    here, there = bytearray(_CHUNK), bytearray(_CHUNK)
    known = like.chunks if like is not None else ()
    with contextlib.ExitStack() as files:
        file = files.enter_context(path.open("rb", buffering=0))
        other = files.enter_context(like.path.open("rb", buffering=0)) if like is not None else None
        while size := file.readinto(here):
            at = len(chunks)
            is_same = (
                other is not None and at < len(known) and other.readinto(there) == size == _CHUNK and here == there
            )
            chunks.append(known[at] if is_same else hashlib.sha256(memoryview(here)[:size]).digest())
    return Content(path, tuple(chunks))


def seal_path(snapshot: Path) -> Path:
    """Where the seal of a snapshot is."""
    return snapshot.with_name(snapshot.name + ".seal")


def prepared_path(snapshot: Path) -> Path:
    """Where it is until readers have the snapshot. A snapshot with a prepared seal was made by a run of puretalk."""
    return snapshot.with_name(snapshot.name + ".seal-to-be")


def begin_seal(snapshot: Path) -> None:
    """Mark the place of a snapshot as one that a run of puretalk is about to fill."""
    create_file(prepared_path(snapshot), "", mode=0o600)


def prepare_seal(snapshot: Path, content: Content, *, is_adopted: bool = False) -> None:
    """Write the seal of a snapshot that holds this; on the disk when this returns. It does not count before
    `confirm_seal`: a half-written seal must never count. Who may read the snapshot may read its seal."""
    text = f"{describe_headers(snapshot)}content {content.digest}\n{_ADOPTED if is_adopted else ''}"
    create_file(prepared_path(snapshot), text, mode=stat.S_IMODE(snapshot.stat().st_mode) & 0o444)
    sync_file(prepared_path(snapshot))


def confirm_seal(snapshot: Path) -> None:
    """The prepared seal counts from now on."""
    prepared_path(snapshot).replace(seal_path(snapshot))


def has_seal(snapshot: Path) -> bool:
    """Whether it has a seal, valid or not."""
    return seal_path(snapshot).exists()


def is_adopted(snapshot: Path) -> bool:
    """Whether a person put it back without its seal."""
    return _ADOPTED in _read_lines(seal_path(snapshot))


def looks_untouched(snapshot: Path) -> bool:
    """Whether size and headers agree with the seal. Costs nothing, and finds every write through DuckDB."""
    return describe_headers(snapshot) in _read_lines(seal_path(snapshot))[:1]


def verify_content(snapshot: Path, seal: Path) -> Content | None:
    """Read the whole snapshot: what it holds, or None where there is no such seal, or the snapshot differs from it."""
    lines = _read_lines(seal)
    if not lines or lines[0] != describe_headers(snapshot):
        return None
    content = read_content(snapshot)
    if len(lines) > 1:
        return content if lines[1] == f"content {content.digest}\n" else None
    with contextlib.suppress(duckdb.Error):
        read_every_block(snapshot)
        return content
    return None


def read_every_block(snapshot: Path) -> None:
    """Have DuckDB read every value of every table, and so compare each block with its checksum. Raises duckdb.Error."""
    with contextlib.closing(duckdb.connect(str(snapshot), read_only=True, config=SEALED)) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f"SELECT max(hash(t)) FROM {quote_name(schema, table)} AS t").fetchall()


def describe_headers(path: Path) -> str:
    """The first line of a seal."""
    with path.open("rb") as file:
        headers = hashlib.sha256(file.read(_HEADERS)).hexdigest()
        return f"{os.fstat(file.fileno()).st_size} bytes, headers {headers}\n"


def _read_lines(seal: Path) -> list[str]:
    """The lines of a seal; none where there is no seal."""
    try:
        return seal.read_bytes().decode(errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return []
