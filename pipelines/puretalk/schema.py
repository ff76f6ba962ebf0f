"""How a table of the normalized layer is described: its columns with type and meaning, its key, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

#: Type of a column. `json` is JSON text, `timestamp` an instant in UTC with microseconds.
ColumnType = Literal["text", "double", "bigint", "bool", "timestamp", "json"]

#: The DuckDB type that each column type becomes.
SQL_TYPES: Mapping[ColumnType, str] = MappingProxyType(
    {
        "text": "VARCHAR",
        "double": "DOUBLE",
        "bigint": "BIGINT",
        "bool": "BOOLEAN",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
        "json": "JSON",
    }
)

#: The name of the catalog in every client: DuckDB takes it from the name of the file, `puretalk.duckdb`. So
#: `puretalk.assistants` is the table `assistants`; a schema of this name would make that ambiguous. DuckDB's parser
#: takes the name for a schema there.
CATALOG = "puretalk"
#: The schema of the tables: DuckDB's default, so a bare `assistants` finds them.
STORAGE_SCHEMA = "main"
#: The schema of tables that only puretalk itself reads.
INTERNAL_SCHEMA = "_internal"


#: A value of a row, by the type of its column: text and json are str, timestamp is an aware datetime.
RowValue = str | float | int | bool | datetime | None
#: A row: column name → value. A column that is absent is NULL.
Row = dict[str, RowValue]


def text_of(row: Row, column: str) -> str | None:
    """The value of a text or JSON column. Raises TypeError for another type."""
    value = row.get(column)
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{column} is {type(value).__name__}, not text")


@dataclass(frozen=True)
class Column:
    """A column. `api_field` names the field of the API that it holds one to one; None when there is no such field."""

    name: str
    type: ColumnType
    description: str
    api_field: str | None = None


@dataclass(frozen=True)
class Table:
    """A table. `key` identifies a row. A load replaces all rows that have the same value of `owner` together."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    owner: str | None = None
    note: str = ""

    @property
    def description(self) -> str:
        """Text of the table's comment: the grain, then the note."""
        return f"One row: {self.grain}. {self.note}".strip()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
