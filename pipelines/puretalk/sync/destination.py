"""What a pipeline's destination already holds, read in plain SQL: the known state that a sync compares with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from puretalk.assistants.flatten import DEVIATES
from puretalk.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, USERS, VOICES
from puretalk.catalogue import REJECTED_RECORDS, SYNC_RUNS, TABLES
from puretalk.schema import Row, Table
from puretalk.sync.known import Known, KnownAssistant

if TYPE_CHECKING:
    from dlt import Pipeline


class Destination:
    """The tables of one pipeline's destination; where one does not exist yet, it counts as empty."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._columns = self._read_columns()

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
            for row in self._select(table, f"max({column})")
            if row[0] is not None
        ]
        return _utc(max(moments, default=None))

    def read_known(self) -> Known:
        """What a sync compares with."""
        deviation = f"CASE WHEN CAST(extra AS VARCHAR) LIKE '%\"{DEVIATES}\"%' THEN CAST(extra AS VARCHAR) END"
        columns = f"assistant_id, updated_at, content_hash, first_seen_at, deleted_at, {deviation}"
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

    def read_assistants(self, assistant_ids: list[str]) -> Iterator[Row]:
        """Rows of `assistants` as they are stored, JSON as text."""
        names = [column.name for column in ASSISTANTS.columns]
        columns = ", ".join(
            f"CAST({column.name} AS VARCHAR)" if column.type == "json" else column.name for column in ASSISTANTS.columns
        )
        for start in range(0, len(assistant_ids), 500):
            some = assistant_ids[start : start + 500]
            places = ", ".join(["%s"] * len(some))
            for values in self._select(ASSISTANTS, columns, f"WHERE assistant_id IN ({places})", some):
                yield {
                    name: _utc(value) if isinstance(value, datetime) else value
                    for name, value in zip(names, values, strict=True)
                }

    def _read_columns(self) -> dict[str, set[str]]:
        pipeline = self._pipeline
        if not pipeline.schema_names:
            return {}
        columns: dict[str, set[str]] = {}
        with pipeline.sql_client() as client:
            rows = client.execute_sql(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
                client.dataset_name,
            )
        for table, column in rows or ():
            columns.setdefault(table, set()).add(column)
        return columns

    def _select(self, table: Table, columns: str, condition: str = "", parameters: Iterable[str] = ()) -> list[Any]:
        if table.name not in self._columns:
            return []
        with self._pipeline.sql_client() as client:
            name = client.make_qualified_table_name(table.name)
            return list(client.execute_sql(f"SELECT {columns} FROM {name} {condition}", *parameters) or ())


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
