"""Read and write rows of the tables in an open work file. Only carrying over does: a load goes through dlt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from puretalk.database import quote_name
from puretalk.schema import Row, Table
from puretalk.warehouse.arrow import arrow_schema
from puretalk.warehouse.stored_tables import relation_of


def read_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Row]:
    """Every row of a table."""
    names = [column.name for column in table.columns]
    rows = connection.execute(f"SELECT {', '.join(map(quote_name, names))} FROM {relation_of(table)}").fetchall()
    return [dict(zip(names, values, strict=True)) for values in rows]


def insert_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[Row]) -> None:
    """Add rows to a table. A column that a row lacks is NULL there."""
    if rows:
        names = ", ".join(quote_name(column.name) for column in table.columns)
        with registered(connection, pa.Table.from_pylist(rows, schema=arrow_schema(table))) as batch:
            connection.execute(f"INSERT INTO {relation_of(table)} ({names}) SELECT {names} FROM {batch}")


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[str]:
    """The name under which SQL finds the rows."""
    connection.register("carried_over", rows)
    try:
        yield "carried_over"
    finally:
        connection.unregister("carried_over")
