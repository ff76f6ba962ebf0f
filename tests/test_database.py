"""Claims about `change_catalog`: all or nothing, and the connection stays as it was."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from puretalk.database import change_catalog

RENAME = "COMMENT ON TABLE numbers IS 'it''s; a name'"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE numbers (number INTEGER)")
        yield opened


def comments(connection: duckdb.DuckDBPyConnection) -> list[tuple[str | None]]:
    return connection.execute("SELECT comment FROM duckdb_tables()").fetchall()


def has_optimizer(connection: duckdb.DuckDBPyConnection) -> bool:
    """Only an optimizer sees that no row can come."""
    [(_, plan)] = connection.execute("EXPLAIN SELECT * FROM numbers WHERE false").fetchall()
    return "Empty Result" in plan


def test_statements_are_done_together(connection: duckdb.DuckDBPyConnection) -> None:
    change_catalog(connection, [RENAME, "COMMENT ON COLUMN numbers.number IS 'one'"])
    assert comments(connection) == [("it's; a name",)]
    assert has_optimizer(connection)


def test_of_statements_of_which_one_fails_none_is_done(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error, match="missing"):
        change_catalog(connection, [RENAME, "COMMENT ON COLUMN numbers.missing IS 'one'"])
    assert comments(connection) == [(None,)]
    assert has_optimizer(connection)


def test_no_statement_is_nothing_to_do(connection: duckdb.DuckDBPyConnection) -> None:
    change_catalog(connection, [])
    assert comments(connection) == [(None,)]
