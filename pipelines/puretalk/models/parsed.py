"""What the files of a project say, once they are parsed: the warehouse remembers it by a hash of their text.

Parsing all of them takes several times as long as building what a usual sync leaves to be built.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import duckdb

from puretalk.database import quote_literal
from puretalk.json_values import JSONValue
from puretalk.models.changes import digest
from puretalk.release import VERSION
from puretalk.schema import INTERNAL_SCHEMA

#: Where parsed files are kept.
FILES_TABLE = f"{INTERNAL_SCHEMA}.model_files"
_FILES_COMMENT = "One row: what an SQL or YAML file of the models was parsed into, by a hash of its text."


class ParsedFiles:
    """Parsed files by the hash of their text. One that is made without a connection remembers nothing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self._stored = _read(connection) if connection is not None else {}
        self._used: dict[str, str] = {}

    def find(self, text: str, parse: Callable[[str], JSONValue]) -> JSONValue:
        """What `parse` makes of the text, or made of it when it was stored."""
        key = digest(parse.__name__, duckdb.__version__, VERSION, text)
        if key in self._stored:
            self._used[key] = self._stored[key]
            found: JSONValue = json.loads(self._stored[key])
            return found
        parsed = parse(text)
        try:
            written = json.dumps(parsed)
        except (TypeError, ValueError):  # a date in a YAML file
            return parsed
        if json.loads(written) == parsed:
            self._used[key] = written
        return parsed

    def store(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep what was found since this object was made, and nothing else."""
        if self._used == self._stored:
            return
        connection.execute(f"CREATE OR REPLACE TABLE {FILES_TABLE} (digest VARCHAR, parsed VARCHAR)")
        connection.execute(f"COMMENT ON TABLE {FILES_TABLE} IS {quote_literal(_FILES_COMMENT)}")
        connection.execute(
            f"INSERT INTO {FILES_TABLE} SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
            [list(self._used), list(self._used.values())],
        )


def _read(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    try:
        return dict(connection.execute(f"SELECT digest, parsed FROM {FILES_TABLE}").fetchall())
    except duckdb.CatalogException:
        return {}
