"""One query over a sealed snapshot, and its answer within limits: rows, bytes and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, cast

import duckdb
import msgspec

from puretalk.dashboard.redaction import open_snapshot
from puretalk.database import OFFLINE, Options
from puretalk.errors import UsageError
from puretalk.readers.results import render_result

#: A query sees no variable of this program, uses bounded memory, and leaves no file behind.
_OPTIONS: Final[Options] = {
    **OFFLINE,
    "python_enable_replacements": False,
    "memory_limit": "512MB",
    "temp_directory": "",
}


@dataclass(frozen=True)
class Caps:
    """The most that one answer may hold or take. `size`: bytes of the rows."""

    rows: int = 200
    size: int = 200_000
    seconds: float = 20.0


@dataclass(frozen=True)
class Answer:
    """Rows as JSON objects; `cut` says why there are not all of them, None if there are."""

    columns: tuple[str, ...]
    rows: tuple[msgspec.Raw, ...]
    cut: str | None


@contextmanager
def open_sealed(snapshot: Path, caps: Caps, *, with_texts: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the snapshot and nothing else, for at most so many seconds. Without texts, columns that
    may hold them are NULL, as in a dashboard without prompts. Errors of DuckDB become UsageError."""
    with closing(open_snapshot(snapshot, include_prompts=with_texts, options=_OPTIONS)) as connection:
        finished, late = Event(), Event()

        def watch() -> None:
            if finished.wait(caps.seconds):
                return
            late.set()
            while not finished.wait(0.05):  # an interrupt between two statements is lost
                connection.interrupt()

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield connection
        except duckdb.Error as error:
            if late.is_set():
                raise UsageError(
                    f"the query took longer than {caps.seconds:g} seconds and was stopped",
                    action="Ask for less: fewer rows, a filter, an aggregate.",
                ) from error
            raise UsageError(str(error)) from error
        finally:
            finished.set()
            watcher.join()


def ask(
    connection: duckdb.DuckDBPyConnection, sql: str, caps: Caps, parameters: Mapping[str, Any] | None = None
) -> Answer:
    """The answer of exactly one SELECT. Raises UsageError for anything else, DuckDB's errors for wrong SQL."""
    statements = duckdb.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise UsageError("only one SELECT is answered at a time", action="DESCRIBE and SUMMARIZE count as SELECT.")
    # A function such as checkpoint() gives no relation, which DuckDB's types do not say.
    result = cast(
        "duckdb.DuckDBPyRelation | None", connection.sql(sql, params=dict(parameters) if parameters else None)
    )
    if result is None:
        return Answer((), (), None)
    rows = msgspec.json.decode(render_result(result.limit(caps.rows + 1).materialize(), "json"), type=list[msgspec.Raw])
    kept, cut = rows[: caps.rows], None
    if len(rows) > caps.rows:
        cut = f"there are more than {caps.rows} rows"
    size = 0
    for number, row in enumerate(kept):
        size += len(bytes(row))
        if size > caps.size:
            kept, cut = kept[:number], f"the rows have more than {caps.size} bytes"
            break
    return Answer(tuple(result.columns), tuple(kept), cut)
