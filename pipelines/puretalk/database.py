"""What every room that opens a DuckDB file needs: a connection that loads nothing from the network, and SQL quoting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import duckdb

Options: TypeAlias = "dict[str, str | bool | int | float | list[str]]"

#: Options for every connection: DuckDB must not download an extension.
OFFLINE: Options = {"autoinstall_known_extensions": "false"}
#: Options for reading a published snapshot with SQL that may reach other files. Times are UTC.
OPEN: Options = {**OFFLINE, "TimeZone": "UTC"}

#: The same for SQL that may not: a connection that is only read-only still reads and writes other files (read_text,
#: COPY … TO, ATTACH). All connections of one process to one file must have the same options.
SEALED: Options = {**OPEN, "enable_external_access": "false", "lock_configuration": "true"}


def quote_literal(text: str | None) -> str:
    """The text as an SQL literal; NULL for None. For statements that take no parameters: COMMENT ON, ATTACH."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def quote_name(*parts: str) -> str:
    """A name, or a dotted path of names, as SQL identifiers: `"main"."assistants"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What is executed within it is done together, or not at all where DuckDB refuses some of it."""
    connection.begin()
    try:
        yield
    except duckdb.Error:
        connection.rollback()
        raise
    connection.commit()


def change_catalog(connection: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    """Statements such as COMMENT ON, in one transaction: a hundred commits take longer than most models. The optimizer
    has nothing to do in them, and would take half of their time."""
    if not statements:
        return
    connection.execute("PRAGMA disable_optimizer")
    try:
        with transaction(connection):
            connection.execute("; ".join(statements)).fetchall()
    finally:
        connection.execute("PRAGMA enable_optimizer")
