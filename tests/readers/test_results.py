"""Claims about the forms of a result: nothing is lost or encoded twice, and a terminal shows what fits it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from puretalk.readers.formats import FORMATS, Format
from puretalk.readers.results import MAX_ROWS, render_result, render_screen

#: A value of each kind that a form can spoil, then a row of NULL.
ROWS = """
    SELECT * FROM (VALUES (
        JSON '{"a": [1, "é"]}', [{'b': JSON '{"c": 1}'}], MAP {'k': 1.5}, 9007199254740993, 2::BIGINT,
        170141183460469231731687303715884105727::HUGEINT, 1.50::DECIMAL(5, 2), 0.1::DOUBLE + 0.2, true,
        TIMESTAMPTZ '2026-11-01 09:00:00.000001Z', DATE '2026-11-01', INTERVAL 2 DAY, E'tab\\tline\\n"quoted"'
    ), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
    AS t(json, list, map, number, "integer", large, decimal, double, bool, moment, day, span, text)
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def render(connection: duckdb.DuckDBPyConnection, sql: str, form: Format) -> str:
    return render_result(connection.sql(sql), form).decode()


def test_json_holds_each_value_once_and_exactly(connection: duckdb.DuckDBPyConnection) -> None:
    [row, empty] = json.loads(render(connection, ROWS, "json"), parse_float=str)
    assert row == {
        "json": {"a": [1, "é"]},
        "list": [{"b": {"c": 1}}],
        "map": {"k": "1.5"},
        "number": 9007199254740993,
        "integer": 2,
        "large": 170141183460469231731687303715884105727,
        "decimal": "1.50",
        "double": "0.30000000000000004",
        "bool": True,
        "moment": "2026-11-01T09:00:00.000001Z",
        "day": "2026-11-01",
        "span": "2 days",
        "text": 'tab\tline\n"quoted"',
    }
    assert set(empty.values()) == {None}


def test_json_lines_are_the_same_objects_one_a_line(connection: duckdb.DuckDBPyConnection) -> None:
    lines = render(connection, ROWS, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render(connection, ROWS, "json"))
    assert render(connection, "SELECT 1 AS n LIMIT 0", "jsonl") == ""


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_separated_file_has_lists_as_json_and_exact_numbers(
    connection: duckdb.DuckDBPyConnection, form: Format, delimiter: str
) -> None:
    names, row, empty = csv.reader(io.StringIO(render(connection, ROWS, form), newline=""), delimiter=delimiter)
    value = dict(zip(names, row, strict=True))
    assert json.loads(value["json"]) == {"a": [1, "é"]}
    assert json.loads(value["list"]) == [{"b": {"c": 1}}]
    assert json.loads(value["map"]) == {"k": 1.5}
    assert [value[name] for name in ("number", "integer", "large", "decimal", "double", "bool", "moment", "day")] == [
        "9007199254740993",
        "2",
        "170141183460469231731687303715884105727",
        "1.50",
        "0.30000000000000004",
        "True",
        "2026-11-01 09:00:00.000001+00:00",
        "2026-11-01",
    ]
    assert value["text"] == 'tab\tline\n"quoted"'
    assert set(empty) == {""}


@pytest.mark.parametrize(("form", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r"])
def test_a_line_end_in_a_field_ends_no_row(
    connection: duckdb.DuckDBPyConnection, form: Format, delimiter: str, end: str
) -> None:
    texts = [f"a{end}b", end, f"{end}a", f"a{end}", f'"{end}']
    result = connection.sql('SELECT unnest(?::VARCHAR[]) AS "t\ru", 1 AS n', params=[texts])
    rendered = render_result(result, form).decode()
    assert [*csv.reader(io.StringIO(rendered, newline=""), delimiter=delimiter)] == [
        ["t\ru", "n"],
        *([text, "1"] for text in texts),
    ]
    assert rendered.endswith(f"{delimiter}1\n")
    assert not rendered.endswith("\r\n")


def test_parquet_keeps_lists_and_types(connection: duckdb.DuckDBPyConnection) -> None:
    table = pq.read_table(io.BytesIO(render_result(connection.sql(ROWS), "parquet")))
    [row, empty] = table.to_pylist()
    assert row["list"] == [{"b": '{"c": 1}'}]
    assert (row["number"], str(row["decimal"]), str(table.schema.field("integer").type)) == (
        9007199254740993,
        "1.50",
        "int64",
    )
    assert set(empty.values()) == {None}


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_one_name_each_keep_their_values(connection: duckdb.DuckDBPyConnection, form: Format) -> None:
    rendered = render_result(connection.sql("SELECT 1 AS n, 2 AS n"), form)
    read: dict[Format, Any] = {
        "json": lambda: json.loads(rendered) == [{"n": 1, "n_1": 2}],
        "jsonl": lambda: json.loads(rendered) == {"n": 1, "n_1": 2},
        "parquet": lambda: pq.read_table(io.BytesIO(rendered)).to_pylist() == [{"n": 1, "n_1": 2}],
        "csv": lambda: rendered == b"n,n_1\n1,2\n",
        "tsv": lambda: rendered == b"n\tn_1\n1\t2\n",
    }
    assert read.get(form, lambda: b"n_1" in rendered)()


def test_a_table_says_how_many_of_its_rows_it_shows(connection: duckdb.DuckDBPyConnection) -> None:
    assert render(connection, f"FROM range({MAX_ROWS})", "table").endswith(f"({MAX_ROWS} rows)\n")
    assert render(connection, f"FROM range({MAX_ROWS + 1})", "table").endswith(
        f"({MAX_ROWS + 1} rows, {MAX_ROWS} shown)\n"
    )


def test_a_screen_shows_what_fits_and_says_what_does_not(connection: duckdb.DuckDBPyConnection) -> None:
    wide = "SELECT " + ", ".join(f"'value {n}' AS column_{n}" for n in range(30)) + " FROM range({rows})"
    cut = render_screen(connection.sql(wide.format(rows=2)), 80)
    assert max(map(len, cut.splitlines()[:-1])) <= 80
    assert "30 columns (" in cut
    assert "value 29" in cut
    assert "value 15" not in cut
    assert cut.splitlines()[-1].startswith("… marks what does not fit this terminal; `--format csv`")
    transposed = render_screen(connection.sql(wide.format(rows=1)), 80)
    assert [f"value {n} " in transposed for n in range(30)] == [True] * 30
    assert "…" not in transposed
    narrow = render_screen(connection.sql("SELECT 'short' AS word"), 80)
    assert "short" in narrow
    assert "…" not in narrow
