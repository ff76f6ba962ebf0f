"""Records on their way from the walk to the load: flattened once, and kept as the JSON lines that are loaded."""

from __future__ import annotations

from typing import IO

import msgspec

from puretalk.endpoints.assistants.flatten import Flattened
from puretalk.schema import Row

_LENGTH = 8
_LINES = msgspec.json.Encoder()


class Spooled(msgspec.Struct):
    """A flattened record. `assistant` is the row of `assistants`, `rows` are those of the child tables: a JSON object
    each, with times in ISO 8601. `extra` is a JSON object."""

    config: str
    assistant: bytes
    extra: bytes
    rows: dict[str, list[bytes]]


_ENTRIES = msgspec.msgpack.Encoder()
_READ_ENTRY = msgspec.msgpack.Decoder(Spooled)


class Spool:
    """A temporary file of flattened records: memory stays small, however large the account is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, flat: Flattened) -> int:
        """Append a record; gives its offset, which is what `read` takes."""
        entry = _ENTRIES.encode(
            Spooled(
                flat.config,
                encode_row(flat.assistant),
                _LINES.encode(flat.extra),
                {name: [encode_row(row) for row in rows] for name, rows in flat.rows.items()},
            )
        )
        offset = self._file.seek(0, 2)
        self._file.write(len(entry).to_bytes(_LENGTH))
        self._file.write(entry)
        return offset

    def read(self, offset: int) -> Spooled:
        """The record at an offset."""
        self._file.seek(offset)
        return _READ_ENTRY.decode(self._file.read(int.from_bytes(self._file.read(_LENGTH))))


def encode_row(row: Row) -> bytes:
    """A row as a JSON object."""
    return _LINES.encode(row)
