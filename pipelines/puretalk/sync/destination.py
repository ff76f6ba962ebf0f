"""What a destination already holds, read in plain SQL: the known state that a sync compares with."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb

from puretalk.catalogue import REJECTED_RECORDS, SYNC_RUNS, TABLES
from puretalk.database import quote_name
from puretalk.endpoints.assistants.flatten import DEVIATES
from puretalk.endpoints.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, USERS, VOICES
from puretalk.privacy.policy import Policy
from puretalk.schema import STORAGE_SCHEMA, Row, Table
from puretalk.sync.digests import read_digests
from puretalk.sync.known import Known, KnownAccount, KnownAssistant
from puretalk.sync.page_digests import read_account
from puretalk.sync.sync_run import SyncRun

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.destinations.sql_client import SqlClientBase


class Destination(ABC):
    """The tables that a sync loads into; where one does not exist yet, it counts as empty."""

    #: How the destination's SQL marks a parameter.
    placeholder: ClassVar[str]

    def __init__(self) -> None:
        self._columns: dict[str, set[str]] = {}
        for table, column in self._read_columns():
            self._columns.setdefault(table, set()).add(column)

    def bare_tables(self) -> frozenset[str]:
        """Tables that do not exist yet, or that lack a column of this version of puretalk."""
        return frozenset(
            table.name
            for table in TABLES.values()
            if not {column.name for column in table.columns} <= self._columns.get(table.name, set())
        )

    def latest_moment(self) -> datetime | None:
        """The newest time that a run wrote, UTC."""
        moments = [
            row[0]
            for table, column in ((ASSISTANT_VERSIONS, "observed_at"), (SYNC_RUNS, "finished_at"))
            for row in self._select(table, self._moment(f"max({column})"))
            if row[0] is not None
        ]
        return _utc(max(moments, default=None))

    def read_known(self) -> Known:
        """What a sync compares with."""
        deviation = f"CASE WHEN CAST(extra AS VARCHAR) LIKE '%\"{DEVIATES}\"%' THEN CAST(extra AS VARCHAR) END"
        updated_at, first_seen_at, deleted_at = map(self._moment, ("updated_at", "first_seen_at", "deleted_at"))
        columns = f"assistant_id, {updated_at}, content_hash, {first_seen_at}, {deleted_at}, {deviation}"
        assistants = {
            assistant_id: KnownAssistant(
                _utc(updated_at),
                content_hash,
                _utc(first_seen_at),
                _utc(deleted_at),
                json.loads(extra).get(DEVIATES, {}) if extra else {},
            )
            for assistant_id, updated_at, content_hash, first_seen_at, deleted_at, extra in self._select(
                ASSISTANTS, columns
            )
        }
        return Known(
            assistants,
            users=dict(self._select(USERS, "user_id, content_hash")),
            voices=dict(self._select(VOICES, "voice_id, content_hash")),
            rejected=frozenset(row[0] for row in self._select(REJECTED_RECORDS, "record_hash")),
        )

    def read_account(self) -> KnownAccount | None:
        """The account as the last sync read it, where the destination remembers that."""
        return None

    def read_assistants(self, assistant_ids: list[str]) -> Iterator[Row]:
        """Rows of `assistants` as they are stored, JSON as text."""
        names = [column.name for column in ASSISTANTS.columns]
        columns = ", ".join(
            f"CAST({column.name} AS VARCHAR)" if column.type == "json" else column.name for column in ASSISTANTS.columns
        )
        for start in range(0, len(assistant_ids), 500):
            some = assistant_ids[start : start + 500]
            places = ", ".join([self.placeholder] * len(some))
            for values in self._select(ASSISTANTS, columns, f"WHERE assistant_id IN ({places})", some):
                yield {
                    name: _utc(value) if isinstance(value, datetime) else value
                    for name, value in zip(names, values, strict=True)
                }

    def _select(self, table: Table, columns: str, condition: str = "", parameters: Sequence[str] = ()) -> list[Any]:
        if table.name not in self._columns:
            return []
        return self._query(f"SELECT {columns} FROM {self._relation(table)} {condition}", parameters)

    def _moment(self, expression: str) -> str:
        """SQL of a point in time, aware or in UTC."""
        return expression

    @abstractmethod
    def _read_columns(self) -> Iterable[tuple[str, str]]:
        """(table, column) of everything in the schema that the sync loads into."""

    @abstractmethod
    def _relation(self, table: Table) -> str:
        """The table's name in SQL."""

    @abstractmethod
    def _query(self, sql: str, parameters: Sequence[str]) -> list[Any]:
        """All rows of a query."""


class PipelineDestination(Destination):
    """The destination of a dlt pipeline: any SQL engine that dlt knows."""

    placeholder = "%s"

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        super().__init__()

    @cached_property
    def _client(self) -> SqlClientBase[Any]:
        """Opened for each query. dlt resolves its whole configuration to make one, which takes longer than a query."""
        return self._pipeline.sql_client()

    def _read_columns(self) -> Iterable[tuple[str, str]]:
        if not self._pipeline.schema_names:
            return ()
        return self._query(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
            [self._client.dataset_name],
        )

    def _relation(self, table: Table) -> str:
        return self._client.make_qualified_table_name(table.name)

    def _query(self, sql: str, parameters: Sequence[str]) -> list[Any]:
        with self._client as client:
            return list(client.execute_sql(sql, *parameters) or ())


class WorkFileDestination(Destination):
    """An open work file: what `puretalk sync` loads into, read without dlt. `policy`: that of the sync."""

    placeholder = "?"

    def __init__(self, connection: duckdb.DuckDBPyConnection, policy: Policy | None = None) -> None:
        self.connection = connection
        self._policy = policy
        super().__init__()

    def read_known(self) -> Known:
        return replace(super().read_known(), digests=read_digests(self.connection, self._policy))

    def read_account(self) -> KnownAccount | None:
        # A table or column that is missing has to be written, whatever the account says.
        return None if self.bare_tables() or self._policy is not None else read_account(self.connection)

    def add_run(self, run: SyncRun) -> None:
        """Add the run's own row, where a run has nothing else to write."""
        row = run.to_row()
        names, places = ", ".join(map(quote_name, row)), ", ".join(["?"] * len(row))
        self.connection.execute(f"INSERT INTO {self._relation(SYNC_RUNS)} ({names}) VALUES ({places})", [*row.values()])

    def _moment(self, expression: str) -> str:
        return f"timezone('UTC', {expression})"  # reading an aware time takes ten times as long

    def _read_columns(self) -> Iterable[tuple[str, str]]:
        return self._query(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ?",
            [STORAGE_SCHEMA],
        )

    def _relation(self, table: Table) -> str:
        return quote_name(STORAGE_SCHEMA, table.name)

    def _query(self, sql: str, parameters: Sequence[str]) -> list[Any]:
        return self.connection.execute(sql, parameters).fetchall()


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
