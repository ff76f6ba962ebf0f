"""Records on their way from the walk to the load."""

from __future__ import annotations

from typing import IO

import msgspec

from puretalk.json_values import JSONValue, parse_json

_LENGTH = 8


class Spool:
    """A temporary file of records as the API sent them: memory stays small, however large the account is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, body: bytes | msgspec.Raw) -> int:
        """Append the JSON text of a record; gives its offset, which is what `read` takes."""
        offset = self._file.seek(0, 2)
        self._file.write(memoryview(body).nbytes.to_bytes(_LENGTH))
        self._file.write(body)
        return offset

    def read(self, offset: int) -> JSONValue:
        """The record at an offset."""
        self._file.seek(offset)
        length = int.from_bytes(self._file.read(_LENGTH))
        return parse_json(self._file.read(length))
