"""The Python interface for analysts: the published snapshot as a DuckDB connection or as pandas DataFrames.

    >>> import puretalk
    >>> puretalk.table("assistants")[["name", "model", "updated_at"]]
    >>> puretalk.read("SELECT count(*) AS n FROM puretalk.assistants WHERE deleted_at IS NULL")

Every call opens the newest snapshot; a connection keeps the one that it opened until it is closed, also
when another is published meanwhile. Times are UTC.
"""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from puretalk.database import OPEN, SEALED, Options, quote_name
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.readers.moments import parse_moment
from puretalk.readers.published import find_snapshot
from puretalk.schema import CATALOG, STORAGE_SCHEMA

#: Schemas in the order in which a bare table name is looked up.
SCHEMAS = (STORAGE_SCHEMA, "marts", "staging")


def connect(data_dir: str | Path | None = None, *, allow_files: bool = False) -> duckdb.DuckDBPyConnection:
    """A read-only connection on the newest snapshot (default: of the configured data directory), time zone UTC.

    It is sealed: SQL reaches no other file, no environment and no DataFrame, and cannot change an option. With
    `allow_files` it may: only for SQL that you trust. Close sealed connections first, because DuckDB opens a file with
    one set of options at a time. Raises WarehouseError when nothing has been published yet, or it cannot be read.
    """
    return open_snapshot(find_snapshot(data_dir), OPEN if allow_files else SEALED)


def open_snapshot(snapshot: Path, options: Options) -> duckdb.DuckDBPyConnection:
    """A read-only connection with these options. Raises WarehouseError when the file cannot be read."""
    try:
        return duckdb.connect(str(snapshot), read_only=True, config=options)
    except duckdb.Error as error:
        raise WarehouseError(f"the published snapshot cannot be read: {str(error).splitlines()[0]}") from error


def read(
    query: str, parameters: Sequence[Any] | dict[str, Any] | None = None, *, data_dir: str | Path | None = None
) -> pd.DataFrame:
    """The result of an SQL query over the newest snapshot; `parameters` fill `?` or `$name`. Raises DuckDB's errors."""
    with contextlib.closing(connect(data_dir)) as connection:
        return to_frame(connection.execute(query, parameters))


def to_frame(result: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """The result as a DataFrame, without a warning of pandas 3.1 that duckdb 2.0 causes and its user cannot avoid."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The inplace keyword in DataFrame.drop", pd.errors.Pandas4Warning)
        return result.df()


def table(name: str, *, data_dir: str | Path | None = None) -> pd.DataFrame:
    """A whole table or view: "assistants", or with its schema, "marts.dim_assistants". Raises ConfigurationError."""
    with contextlib.closing(connect(data_dir)) as connection:
        return to_frame(connection.execute(f"SELECT * FROM {quote_name(*find_relation(connection, name))}"))


def fleet_as_of(moment: datetime | str, *, data_dir: str | Path | None = None) -> pd.DataFrame:
    """Every assistant that was live at the moment, as it was then: `marts.fleet_as_of`. A moment without a time zone is
    UTC. Raises UsageError for a text that is no time."""
    text = moment if isinstance(moment, str) else moment.isoformat()
    return read("SELECT * FROM marts.fleet_as_of(?) ORDER BY assistant_id", [parse_moment(text)], data_dir=data_dir)


def find_relation(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, str]:
    """Schema and name of a table or view, given as "assistants", "marts.dim_assistants", or with the name of the
    database before it. Raises ConfigurationError."""
    there = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database()"
    ).fetchall()
    schema, _, bare = name.removeprefix(f"{CATALOG}.").rpartition(".")
    for candidate in (schema,) if schema else SCHEMAS:
        if (candidate, bare) in there:
            return candidate, bare
    near = difflib.get_close_matches(bare, {other for _, other in there}, n=3)
    raise ConfigurationError(
        f"there is no table {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""),
        action="`puretalk tables` lists every table and view.",
    )
