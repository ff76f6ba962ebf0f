"""What a sync wrote, and what the last build that was finished knew: together they say what need not be looked at.

A build that is given the changes trusts them only where the last build left a note for it, and removes the note before
it changes anything. So after a failure, or where another release, another DuckDB or a missing table is involved, there
is no note to trust, and everything is found by hashing rows and by running all checks, as in a build without changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_literal, quote_name
from puretalk.endpoints.assistants.versions import CURRENT
from puretalk.models.increments import DIVIDED_TABLES
from puretalk.release import VERSION
from puretalk.schema import CATALOG, INTERNAL_SCHEMA, STORAGE_SCHEMA

#: Where the note of the last finished build is kept.
NOTE_TABLE = f"{INTERNAL_SCHEMA}.model_note"
_NOTE_COMMENT = "One row: what the last finished build knew (JSON), so that a sync need not find it out again."


@dataclass(frozen=True)
class Changes:
    """All that was written into the normalized layer since the models were last built.

    `tables`: names of the tables of which a row was inserted, updated or deleted. `assistants`: ids of all assistants
    whose rows these were. Both may name more than really changed, never less.
    """

    tables: frozenset[str]
    assistants: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = self.tables - TABLES.keys()
        if unknown:
            raise ValueError(f"not tables of the normalized layer: {', '.join(sorted(unknown))}")

    @property
    def is_plausible(self) -> bool:
        """Whether assistants are named where, and only where, a table of their rows is."""
        return bool(self.tables & {table.name for table in DIVIDED_TABLES}) == bool(self.assistants)

    def may_concern(self, relation: str) -> bool:
        """Whether a relation that no model makes may hold other rows; true of all that is not in the catalogue."""
        schema, _, name = relation.partition(".")
        return schema not in (CATALOG, STORAGE_SCHEMA) or name not in TABLES or name in self.tables


@dataclass(frozen=True)
class Note:
    """What a finished build knew.

    `queries`: a digest of a SELECT over the normalized layer → the fingerprint of its rows. `views`: relation → digest
    of its SQL. `passed`: digests of the checks that found no row. `project`: digest of the SQL and YAML files, from
    which the columns and comments of all relations follow.
    """

    queries: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()
    project: str = ""


def read_note(connection: duckdb.DuckDBPyConnection, changes: Changes) -> Note | None:
    """The note of the last build; None where it does not hold: there is none, another release or DuckDB wrote it, the
    changes contradict themselves, or a table that they do not name has another number of rows than it had."""
    if not changes.is_plausible:
        return None
    try:
        rows = connection.execute(f"SELECT note FROM {NOTE_TABLE}").fetchall()
    except duckdb.CatalogException:
        return None
    if len(rows) != 1:
        return None
    note = json.loads(rows[0][0])
    if note["basis"] != _basis():
        return None
    untouched = sorted(TABLES.keys() - changes.tables)
    if _count_rows(connection, untouched) != {name: note["rows"].get(name) for name in untouched}:
        return None
    return Note(note["queries"], note["views"], frozenset(note["passed"]), note["project"])


def remove_note(connection: duckdb.DuckDBPyConnection) -> None:
    """A build begins to change models: what the last one knew holds no longer. Makes the table where it is missing."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {NOTE_TABLE} (note VARCHAR)")
    connection.execute(f"DELETE FROM {NOTE_TABLE}")


def write_note(connection: duckdb.DuckDBPyConnection, note: Note) -> None:
    """A build is finished, with all checks."""
    text = json.dumps(
        {
            "basis": _basis(),
            "rows": _count_rows(connection, sorted(TABLES)),
            "queries": dict(note.queries),
            "views": dict(note.views),
            "passed": sorted(note.passed),
            "project": note.project,
        }
    )
    connection.execute(f"INSERT INTO {NOTE_TABLE} VALUES (?)", [text])
    connection.execute(f"COMMENT ON TABLE {NOTE_TABLE} IS {quote_literal(_NOTE_COMMENT)}")


def digest(*parts: str) -> str:
    """A short hash of texts."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _basis() -> str:
    """On what a note rests besides the rows: hashes differ between versions of DuckDB, and carrying over rewrites
    rows."""
    return digest(duckdb.__version__, VERSION, repr(CURRENT), repr(TABLES), *(entry.name for entry in fields(Note)))


def _count_rows(connection: duckdb.DuckDBPyConnection, names: list[str]) -> dict[str, int | None]:
    """Rows by table; None for a table that is not there."""
    counts: dict[str, int | None] = dict.fromkeys(names)
    for name in names:
        with suppress(duckdb.CatalogException):
            [(counts[name],)] = connection.execute(
                f"SELECT count(*) FROM {quote_name(STORAGE_SCHEMA, name)}"
            ).fetchall()
    return counts
