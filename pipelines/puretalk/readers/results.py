"""The result of a query as text or bytes, for a person or for a program."""

from __future__ import annotations

import contextlib
import io
import re
import shutil

import duckdb
import msgspec
import pandas as pd
import pyarrow.parquet as pq

from puretalk.database import quote_literal, quote_name
from puretalk.readers.connection import to_frame
from puretalk.readers.formats import Format

#: Most rows that a table shows.
MAX_ROWS = 1000

_NESTED = frozenset({"array", "list", "map", "struct", "union"})
_NUMBERS = {"bigint", "decimal", "double", "float", "hugeint", "integer", "smallint", "tinyint"}
_UNSIGNED = {"ubigint", "uinteger", "usmallint", "utinyint"}
_TIMES = {"date", "time", "timestamp", "timestamp_ms", "timestamp_s", "timestamp with time zone"}
#: Types that every writer knows. Others, such as INTERVAL, BLOB or ENUM, are written as DuckDB shows them.
_PLAIN = {"boolean", "null", "varchar", *_NUMBERS, *_UNSIGNED, *_TIMES}

#: The beginning of a text that a spreadsheet would run.
_FORMULA = re.compile(r"^[=+\-@\t\r\n]")

_JSON = msgspec.json.Encoder(decimal_format="number")


def render_result(result: duckdb.DuckDBPyRelation, form: Format, *, is_for_spreadsheet: bool = False) -> bytes:
    """The whole result: a table, CSV or TSV with a header, an array of JSON objects, JSON lines, Parquet, or a Markdown
    table.

    JSON columns, lists and structs are JSON in JSON, and JSON text in the other forms; Parquet keeps lists and structs.
    `is_for_spreadsheet`: in CSV and TSV, a text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    if form in ("json", "jsonl"):
        rows = _json_rows(result)
        return _JSON.encode(rows) + b"\n" if form == "json" else _JSON.encode_lines(rows)
    if form == "parquet":
        buffer = io.BytesIO()
        pq.write_table(_simplify(result, _NESTED - {"union"}).to_arrow_table(), buffer)
        return buffer.getvalue()
    simple = _simplify(result)
    if form in ("csv", "tsv"):
        if is_for_spreadsheet:
            simple = _without_formulas(simple)
        # Arrow's types keep large integers, decimals, and integers next to NULL exact.
        exact: pd.DataFrame = simple.to_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)
        lines = _Lines()
        exact.to_csv(lines, index=False, sep="," if form == "csv" else "\t", lineterminator="\r\n")
        return lines.getvalue().encode()
    frame = to_frame(simple)
    if form == "md":
        return f"{frame.to_markdown(index=False)}\n".encode()
    return f"{_render_table(frame)}\n".encode()


class _Lines(io.StringIO):
    """Takes a row of CSV at a time, and ends it with a line feed. `csv` quotes a carriage return in a field only where
    rows end with one; without quotes, a reader takes it for the end of the row."""

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def render_screen(result: duckdb.DuckDBPyRelation, width: int) -> str:
    """The result as the table of the duckdb command line, for a terminal of that many characters.

    Columns that do not fit are left out, with a note. A single row that does not fit is transposed: a line for each
    column.
    """
    text = _draw(result, width, duckdb.RenderMode.ROWS)
    if " columns (" in text.rpartition("\n  ")[2] and len(result) == 1:
        text = _draw(result, width, duckdb.RenderMode.COLUMNS)
    if "…" in text:
        text += "… marks what does not fit this terminal; `--format csv` or `--out FILE` gives everything.\n"
    return text


def _draw(result: duckdb.DuckDBPyRelation, width: int, mode: duckdb.RenderMode) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as drawn:
        result.show(max_width=width, max_rows=MAX_ROWS, render_mode=mode)
    return drawn.getvalue().rstrip("\n") + "\n"


def _simplify(result: duckdb.DuckDBPyRelation, keep: frozenset[str] = frozenset()) -> duckdb.DuckDBPyRelation:
    """The result with plain types: nested values as JSON text, others as DuckDB shows them; `keep`: types to leave."""
    values = []
    for place, kind in enumerate(result.types, start=1):
        if kind.id in _PLAIN | keep:
            values.append(f"#{place}")
        else:
            values.append(f"to_json(#{place})::VARCHAR" if kind.id in _NESTED else f"#{place}::VARCHAR")
    return _project(result, values)


def _without_formulas(result: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The result with an apostrophe before each text and name that a spreadsheet would run. `csvCell` of the dashboard
    has the same rule."""
    pattern = quote_literal(_FORMULA.pattern)
    values = [
        f"if(regexp_matches(#{place}, {pattern}), chr(39) || #{place}, #{place})"
        if kind.id == "varchar"
        else f"#{place}"
        for place, kind in enumerate(result.types, start=1)
    ]
    names = [f"'{name}" if _FORMULA.match(name) else name for name in result.columns]
    columns = (f"{value} AS {quote_name(name)}" for name, value in zip(names, values, strict=True))
    return result.project(", ".join(columns))


def _json_rows(result: duckdb.DuckDBPyRelation) -> list[dict[str, object]]:
    """The rows. Values that are JSON, or that JSON has no type for, are JSON text that msgspec writes unchanged."""
    are_json = [str(kind) == "JSON" or kind.id not in _PLAIN for kind in result.types]
    values = [f"to_json(#{at})::VARCHAR" if is_json else f"#{at}" for at, is_json in enumerate(are_json, start=1)]
    plain = _project(result, values)
    columns = list(zip(plain.columns, are_json, strict=True))
    return [
        {
            name: msgspec.Raw(value.encode()) if is_json and value is not None else value
            for (name, is_json), value in zip(columns, row, strict=True)
        }
        for row in plain.fetchall()
    ]


def _project(result: duckdb.DuckDBPyRelation, values: list[str]) -> duckdb.DuckDBPyRelation:
    """The result with these values for its columns, and a name of its own for each: a second `n` becomes `n_1`."""
    columns = (f"{value} AS {quote_name(name)}" for name, value in zip(result.columns, values, strict=True))
    return result.project(", ".join(columns)).project("*")


def _render_table(frame: pd.DataFrame) -> str:
    width = shutil.get_terminal_size((120, 40)).columns
    if frame.empty:
        return f"{'  '.join(map(str, frame.columns))}\n(no rows)"
    with pd.option_context("display.width", width, "display.max_columns", None, "display.max_colwidth", 60):
        text = frame.to_string(index=False, max_rows=MAX_ROWS, na_rep="", line_width=width)
    shown = f", {MAX_ROWS} shown" if len(frame) > MAX_ROWS else ""
    return f"{text}\n({len(frame)} rows{shown})"
