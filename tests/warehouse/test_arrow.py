"""Claims about rows on their way into DuckDB: the Arrow table that is loaded holds exactly the values of the rows."""

from __future__ import annotations

from datetime import UTC

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from puretalk.schema import Column, Row, Table
from puretalk.sync.spool import encode_row
from puretalk.warehouse.arrow import arrow_schema, read_rows

TABLE = Table(
    "things",
    grain="a thing",
    key=("key",),
    columns=(
        Column("key", "text", ""),
        Column("number", "double", ""),
        Column("count", "bigint", ""),
        Column("is_so", "bool", ""),
        Column("moment", "timestamp", ""),
        Column("item", "json", ""),
    ),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_ROWS = st.fixed_dictionaries(
    {"key": _TEXTS},
    optional={
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "is_so": st.none() | st.booleans(),
        "moment": st.none() | st.datetimes(timezones=st.just(UTC)),
        "item": st.none() | _TEXTS,
    },
)


@given(st.lists(_ROWS))
def test_every_value_of_a_row_arrives_as_it_was(rows: list[Row]) -> None:
    read = read_rows(TABLE, [encode_row(row) for row in rows])
    wanted = pa.Table.from_pylist(rows, schema=arrow_schema(TABLE))
    assert read.schema == wanted.schema
    assert repr(read.to_pylist()) == repr(wanted.to_pylist())  # repr tells 0.0 from -0.0


def test_a_row_may_be_longer_than_a_block_of_the_parser() -> None:
    rows: list[Row] = [{"key": "a" * (3 * 2**20)}, {"key": "b"}, {"key": "c" * 2**20}]
    assert read_rows(TABLE, [encode_row(row) for row in rows]).column("key").to_pylist() == [row["key"] for row in rows]


@pytest.mark.parametrize("row", [{"count": 1}, {"key": None}])
def test_a_key_is_never_null(row: Row) -> None:
    with pytest.raises(pa.ArrowInvalid, match=r"a required field was (absent|null)"):
        read_rows(TABLE, [encode_row({"key": "a"}), encode_row(row)])
