"""The results of the SQL of a spec, as JSON values.

A time is `2026-11-01T09:00:00Z` (UTC), a date `2026-11-01`; NaN is null; a type that JSON does not have is its text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import duckdb
import pyarrow as pa

from puretalk.errors import ConfigurationError

Scalar = str | int | float | bool | None

#: The page cuts longer texts (the warehouse has them whole).
TEXT_LIMIT: Final = 100_000


@dataclass(frozen=True)
class Rows:
    """A result by column: `columns[i]` has the values of `titles[i]`, to be shown as `formats[i]`."""

    titles: tuple[str, ...]
    formats: tuple[str, ...]
    columns: tuple[list[Scalar], ...]

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def column(self, title: str) -> list[Scalar]:
        """The values of that column; None for every row if there is no such column."""
        return self.columns[self.titles.index(title)] if title in self.titles else [None] * len(self)

    def without(self, title: str) -> Rows:
        kept = [place for place, one in enumerate(self.titles) if one != title]
        return Rows(
            tuple(self.titles[place] for place in kept),
            tuple(self.formats[place] for place in kept),
            tuple(self.columns[place] for place in kept),
        )


def fetch(connection: duckdb.DuckDBPyConnection, sql: str, item: str, parameters: Sequence[object] = ()) -> Rows:
    """The result of `sql` as JSON values. ConfigurationError when it does not run; `item` names it in the message."""
    try:
        answer = connection.sql(f"SELECT * FROM (\n{sql}\n)", params=list(parameters)).to_arrow_table()
    except duckdb.Error as error:
        raise ConfigurationError(f"The SQL of {item} in the dashboard spec does not run: {error}") from error
    columns = [_json_values(answer.column(place)) for place in range(answer.num_columns)]
    formats = tuple(_format(field.type) for field in answer.schema)
    return Rows(tuple(answer.schema.names), formats, tuple(columns))


def _format(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind):
        return "time"
    return "date" if pa.types.is_date(kind) else "text"


def _json_values(column: pa.ChunkedArray) -> list[Scalar]:
    values: list[Scalar] = column.to_pylist()
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return values
    return [_json_value(value) for value in values]


def _json_value(value: object) -> Scalar:
    match value:
        case None | bool() | int():
            return value
        case str():
            return (
                value if len(value) <= TEXT_LIMIT else f"{value[:TEXT_LIMIT]}… (cut; {len(value):,} characters in all)"
            )
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return value.isoformat()
        case _:
            return str(value)
