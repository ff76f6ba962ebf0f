"""Claims about the one statement of `puretalk query`: what it may be, and whose error it is."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import CodeType

import duckdb
import pytest

from puretalk.errors import UsageError
from puretalk.readers.query import explained_sql, run_statement


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that can be written to: what is refused is refused by us."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE voices AS SELECT * FROM range(3) AS t(voice_id)")
        yield connection


@pytest.mark.parametrize(
    "sql",
    [
        "-- the newest first\nSELECT * FROM voices -- all of them",
        "FROM voices;",
        "WITH two AS (FROM voices) FROM two",
        "DESCRIBE voices",
        "EXPLAIN FROM voices",
        "PIVOT voices ON voice_id",
        "PRAGMA database_list",
    ],
)
def test_statements_that_read_are_run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert len(run_statement(connection, sql)) > 0


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("INSERT INTO voices VALUES (4)", "INSERT"),
        ("-- really\nDELETE FROM voices", "DELETE"),
        ("WITH one AS (SELECT 1 AS n) UPDATE voices SET voice_id = 1", "UPDATE"),
        ("MERGE INTO voices USING voices AS v ON v.voice_id = voices.voice_id WHEN MATCHED THEN DELETE", "MERGE INTO"),
        ("CREATE TABLE copied AS FROM voices", "CREATE"),
        ("CREATE OR REPLACE VIEW v AS FROM voices", "CREATE"),
        ("DROP TABLE voices", "DROP"),
        ("ALTER TABLE voices ADD COLUMN name VARCHAR", "ALTER"),
        ("COMMENT ON TABLE voices IS 'mine'", "ALTER"),
        ("INSERT INTO a_table_that_does_not_exist VALUES (1)", "INSERT"),
    ],
)
def test_statements_that_write_are_refused_in_the_same_words(
    connection: duckdb.DuckDBPyConnection, sql: str, kind: str
) -> None:
    with pytest.raises(UsageError, match=f"^read-only: this is a published snapshot, and {kind} would change it$"):
        run_statement(connection, sql)
    assert connection.execute("SELECT count(*), sum(voice_id) FROM voices").fetchall() == [(3, 3)]


def test_one_statement_at_a_time_and_not_none(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match="there are 2 SQL statements"):
        run_statement(connection, "SELECT ';' AS semicolon; SELECT 2")
    for nothing in ("", " ;\n", "-- only a comment"):
        with pytest.raises(UsageError, match="there is no SQL statement"):
            run_statement(connection, nothing)


def test_the_limit_is_of_the_rows_and_keeps_their_order(connection: duckdb.DuckDBPyConnection) -> None:
    descending = "SELECT voice_id FROM voices ORDER BY voice_id DESC -- newest first"
    assert run_statement(connection, descending, limit=2).fetchall() == [(2,), (1,)]
    assert run_statement(connection, descending, limit=9).fetchall() == [(2,), (1,), (0,)]
    assert run_statement(connection, descending, limit=0).fetchall() == []


def test_a_result_is_computed_once(connection: duckdb.DuckDBPyConnection) -> None:
    result = run_statement(connection, "SELECT random() AS number")
    assert result.fetchall() == result.fetchall()


@pytest.fixture
def _obeys_ctrl_c() -> Iterator[None]:
    """A shell starts what runs in the background with Ctrl-C ignored, and a test run may be such a thing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_obeys_ctrl_c")
def test_ctrl_c_ends_a_statement_that_would_take_hours(connection: duckdb.DuckDBPyConnection) -> None:
    is_running = threading.Event()

    def tell(number: int) -> int:
        is_running.set()
        return number + 1

    def press_ctrl_c() -> None:
        """Once the statement runs, and `tell` has ended: DuckDB wraps what is raised inside of a function."""
        is_running.wait()
        while _is_in(tell.__code__, threading.main_thread()):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    connection.create_function("tell", tell, ["BIGINT"], "BIGINT")
    endless = "FROM range(1000000000000) AS t(i) WHERE CASE WHEN i = 0 THEN tell(i) ELSE hash(i) END = 0"
    presser = threading.Thread(target=press_ctrl_c)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        run_statement(connection, f"SELECT count(*) {endless}")
    presser.join()
    assert run_statement(connection, "FROM voices").fetchall() == [(0,), (1,), (2,)], "the connection still works"


def _is_in(code: CodeType, thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nope FROM voices", "SELECT 'a'::INTEGER", "SELECT ?"])
def test_wrong_sql_is_the_error_of_who_wrote_it(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(UsageError) as caught, explained_sql():
        run_statement(connection, sql)
    assert isinstance(caught.value.__cause__, duckdb.Error)
