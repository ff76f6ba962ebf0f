"""What a table of the normalized layer is: its columns with type and meaning, its key, the schemas that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

#: The schema that readers know.
SCHEMA = "puretalk"
#: The schema in which the tables really lie; SCHEMA holds a view on each. Clients up to DuckDB 1.4 name the catalog of
#: `puretalk.duckdb` `puretalk`, and a catalog and a schema of one name make `puretalk.assistants` ambiguous, inside
#: stored views too. `main.assistants` never is, and a bare `assistants` finds it.
STORAGE_SCHEMA = "main"


@dataclass(frozen=True)
class Column:
    """A column: `api_field` is the name of the API's field that it carries one to one, where it does."""

    name: str
    type: ColumnType
    description: str
    api_field: str | None = None


@dataclass(frozen=True)
class Table:
    """A table: `key` identifies a row; `owner` is the column whose value a load replaces as a whole."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    owner: str | None = None
    note: str = ""

    @property
    def description(self) -> str:
        """Text of the table's comment: the grain, then what else a reader must know."""
        return f"One row: {self.grain}. {self.note}".strip()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
