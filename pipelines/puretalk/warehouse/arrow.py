"""The Arrow schema in which rows of the normalized tables are loaded into DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyarrow.json import ParseOptions, ReadOptions, read_json

from puretalk.schema import ColumnType, Table

_ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
#: Bytes of JSON that are parsed at once.
_BLOCK = 2**20


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's rows."""
    return pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.type], column.name not in table.key) for column in table.columns]
    )


def read_rows(table: Table, rows: Sequence[bytes]) -> pa.Table:
    """Rows, a JSON object each, as an Arrow table. A column that a row lacks is NULL there."""
    schema = arrow_schema(table)
    if not rows:
        return pa.Table.from_batches([], schema)  # `empty_table` imports pandas
    block = max(map(len, rows)) + 2  # a row must not be longer than a block
    found = read_json(
        pa.BufferReader(b"\n".join(rows)),
        read_options=ReadOptions(block_size=max(block, _BLOCK), use_threads=False),
        parse_options=ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    columns = found.select(
        schema.names
    ).columns  # `cast` would import pyarrow.compute, for types that are right already
    return pa.Table.from_arrays(columns, schema=schema)
