"""The Arrow schema in which rows of the normalized tables are loaded into DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from puretalk.schema import ColumnType, Table

_ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's rows."""
    return pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.type], column.name not in table.key) for column in table.columns]
    )
