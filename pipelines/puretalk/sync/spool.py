"""Records on their way from the walk to the load."""

from __future__ import annotations

import json
from typing import IO

from puretalk.json_values import JSONValue


class Spool:
    """A temporary file of records: memory stays small, however large the account is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, record: JSONValue) -> int:
        """Append a record; gives its offset, which is what `read` takes."""
        offset = self._file.seek(0, 2)
        self._file.write(json.dumps(record).encode("ascii") + b"\n")
        return offset

    def read(self, offset: int) -> JSONValue:
        """The record at an offset."""
        self._file.seek(offset)
        record: JSONValue = json.loads(self._file.readline())
        return record
