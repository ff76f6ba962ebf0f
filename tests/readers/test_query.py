"""Claims about the one statement of `puretalk query`: what it may be, and whose error it is."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import CodeType

import duckdb
import pytest

from puretalk.errors import UsageError
from puretalk.readers.connection import connect
from puretalk.readers.query import explained_sql, open_connection, run_statement
from puretalk.readers.results import render_result


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


def test_a_kind_of_statement_that_is_unknown_to_duckdb_s_python_is_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(UsageError, match="runs no statement of this kind"):
        run_statement(connection, "UPDATE EXTENSIONS")


def test_a_value_that_python_cannot_hold_is_no_error_of_puretalk(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match="cast it to VARCHAR"), explained_sql():
        render_result(run_statement(connection, "SELECT DATE '5877642-06-25 (BC)' AS day"), "csv")


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


#: SQL that leaves the database: FILE is a file with a secret, TARGET one that must not be written.
ESCAPES = [
    "SELECT * FROM read_text('FILE')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_csv('FILE')",
    "SELECT * FROM read_json('FILE')",
    "SELECT * FROM read_parquet('FILE')",
    "SELECT * FROM 'FILE'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('FILE')",
    "COPY (SELECT 1) TO 'TARGET'",
    "COPY (SELECT 1) TO 'TARGET' (FORMAT PARQUET)",
    "ATTACH 'TARGET'",
    "ATTACH 'FILE' (READ_ONLY)",
    "EXPORT DATABASE 'TARGET'",
    "INSTALL httpfs",
    "LOAD 'FILE'",
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET GLOBAL allowed_directories = ['/']",
    "SET temp_directory = 'TARGET'",
    "SET log_query_path = 'TARGET'",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = 'TARGET'",
    "SELECT getenv('HOME')",
]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose published snapshot is a small DuckDB file."""
    folder = tmp_path_factory.mktemp("data")
    with duckdb.connect(str(folder / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE voices AS SELECT * FROM range(3) AS t(voice_id)")
    (folder / "puretalk.duckdb").symlink_to("a.duckdb")
    return folder


@pytest.mark.parametrize("is_local", [False, True], ids=["utc", "local"])
@pytest.mark.parametrize("sql", ESCAPES)
def test_a_statement_reaches_the_snapshot_and_nothing_else(
    sql: str, is_local: bool, data_dir: Path, tmp_path: Path
) -> None:
    secret, target = tmp_path / "secret.csv", tmp_path / "target"
    secret.write_text("key\nsecret-7c9\n")
    statement = sql.replace("FILE", str(secret)).replace("TARGET", str(target))
    with pytest.raises(UsageError) as caught, open_connection(data_dir, is_local=is_local) as connection:
        run_statement(connection, statement)
    assert "secret-7c9" not in str(caught.value)
    assert not target.exists()


def test_what_is_sealed_still_answers_and_may_choose_its_schema(data_dir: Path) -> None:
    with open_connection(data_dir) as one, open_connection(data_dir) as other:
        assert run_statement(one, "FROM voices").fetchall() == run_statement(other, "FROM voices").fetchall()
        run_statement(one, "SET search_path = 'main'")


def test_the_python_interface_is_sealed_too(data_dir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("key\n7\n")
    with closing(connect(data_dir)) as connection, pytest.raises(duckdb.PermissionException):
        connection.execute(f"SELECT * FROM read_csv('{secret}')")
    with closing(connect(data_dir, allow_files=True)) as connection:
        assert connection.execute(f"SELECT * FROM read_csv('{secret}')").fetchall() == [(7,)]


def test_files_are_reached_where_that_is_asked_for(data_dir: Path, tmp_path: Path) -> None:
    with open_connection(data_dir, allow_files=True) as connection:
        run_statement(connection, f"COPY (FROM voices) TO '{tmp_path / 'voices.csv'}'")
    assert (tmp_path / "voices.csv").read_text() == "voice_id\n0\n1\n2\n"
