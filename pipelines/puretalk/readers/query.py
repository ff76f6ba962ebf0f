"""One SQL statement over the published snapshot, as `puretalk query` and the prompt of `puretalk sql` run it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from puretalk.database import OPEN, SEALED
from puretalk.errors import UsageError
from puretalk.readers.connection import open_snapshot
from puretalk.readers.published import find_snapshot

#: Statements that would change the database. DuckDB refuses them too, in other words and only where the names exist.
_WRITES = {
    duckdb.StatementType.ALTER,
    duckdb.StatementType.CREATE,
    duckdb.StatementType.CREATE_FUNC,
    duckdb.StatementType.DELETE,
    duckdb.StatementType.DROP,
    duckdb.StatementType.INSERT,
    duckdb.StatementType.MERGE_INTO,
    duckdb.StatementType.UPDATE,
    duckdb.StatementType.VACUUM,
}


@contextmanager
def open_connection(
    data_dir: Path, *, is_local: bool = False, allow_files: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection on the newest snapshot, time zone UTC or that of this machine. Sealed, unless
    `allow_files`. Errors of DuckDB become UsageError. Raises WarehouseError when nothing has been published yet."""
    options = {**(OPEN if allow_files else SEALED), "python_enable_replacements": "false"}  # no table is a variable
    if is_local:
        del options["TimeZone"]
    with closing(open_snapshot(find_snapshot(data_dir), options)) as connection, explained_sql():
        yield connection


@contextmanager
def explained_sql() -> Iterator[None]:
    """Turn errors of DuckDB into UsageError, and so values that Python cannot hold: a date in the year -5877641."""
    try:
        yield
    except duckdb.Error as error:
        raise UsageError(str(error)) from error
    except OverflowError as error:
        raise UsageError(f"cast it to VARCHAR: a value of the result is beyond what Python holds ({error})") from error


def run_statement(
    connection: duckdb.DuckDBPyConnection, sql: str, *, limit: int | None = None
) -> duckdb.DuckDBPyRelation:
    """The rows of exactly one statement, at most `limit`, in memory. Ctrl-C ends it.

    Raises UsageError for no statement, several, or one that would change the snapshot; DuckDB's errors for wrong SQL.
    """
    statements = duckdb.extract_statements(sql)
    if not statements:
        raise UsageError("there is no SQL statement")
    if len(statements) > 1:
        raise UsageError(
            f"there are {len(statements)} SQL statements; `puretalk query` runs one",
            action="Run each on its own, or type them in `puretalk sql`.",
        )
    try:
        kind = statements[0].type
    except ValueError:  # DuckDB's Python does not know all kinds of its own, such as UPDATE EXTENSIONS
        raise UsageError("read-only: puretalk runs no statement of this kind") from None
    if kind in _WRITES:
        raise UsageError(
            f"read-only: this is a published snapshot, and {kind.name.replace('_', ' ')} would change it",
            action="Work on a copy of the file: each sync publishes a new snapshot.",
        )

    def run() -> duckdb.DuckDBPyRelation:
        result = connection.sql(sql)
        return (result if limit is None else result.limit(limit)).materialize()

    # DuckDB does not always notice Ctrl-C while it runs a statement in the main thread.
    with ThreadPoolExecutor(1) as pool:
        # The thread starts before there is something to interrupt: Ctrl-C during its start would leave it running.
        pool.submit(int).result()
        try:
            running = pool.submit(run)
            while not wait([running], timeout=0.1).done:
                pass  # the kernel may have given the signal to another thread, which does not end this wait
        except KeyboardInterrupt:
            connection.interrupt()
            raise
        return running.result()
