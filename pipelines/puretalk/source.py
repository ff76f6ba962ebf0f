"""The dlt source: what a reading decided, as rows of the normalized tables.

    pipeline = dlt.pipeline("puretalk", destination="duckdb", dataset_name="puretalk")
    pipeline.run(puretalk_source())  # the key comes from .dlt/secrets.toml, as with any dlt source

Works with any SQL destination: what is already there is asked of the destination, never of dlt's working folder.
Rows travel as Arrow tables. Assistants, users and voices are merged by key; an assistant's lists and states are
replaced together with it; versions, rejected records and runs are only ever added.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from anyio.from_thread import start_blocking_portal
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.schema.typing import TColumnSchema
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource, DltSource

from puretalk.client import ApiClient, ClientSettings
from puretalk.flatten import DEVIATES, Row, canonical_json, flatten_assistant, flatten_shared
from puretalk.reading import (
    Known,
    KnownAssistant,
    Reading,
    ReadingRules,
    Spool,
    iterate_ids_to_load,
    read_account,
)
from puretalk.tables import (
    ASSISTANT_VERSIONS,
    ASSISTANTS,
    CHILD_TABLES,
    REJECTED_RECORDS,
    STORAGE_SCHEMA,
    SYNC_RUNS,
    TABLES,
    USERS,
    VOICES,
    ColumnType,
    Table,
)
from puretalk.walk import PageListener

#: Records and bytes of JSON that travel in one Arrow batch at most.
BATCH_RECORDS = 2_000
BATCH_BYTES = 32 * 2**20

_ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass
class Hooks:
    """What a sync wants to be told. All are called from the thread that runs the pipeline or from the walk's."""

    on_page: PageListener | None = None
    on_retry: Callable[[str, float], None] | None = None
    on_reading: Callable[[Reading, Row], None] | None = None  # the reading and its row of sync_runs
    spool_dir: Path | None = None  # None: the system's folder for temporary files


@dataclass
class Batch:
    """Rows on their way to dlt, by table. `bare` names tables that the destination lacks, or lacks columns of."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    cursor: datetime | None = None
    bare: frozenset[str] = frozenset()
    records: int = 0
    size: int = 0

    def add(self, table: Table, *rows: Row) -> None:
        self.rows.setdefault(table.name, []).extend(rows)


@configspec
class PuretalkSourceConfiguration(BaseConfiguration):
    """Settings in dlt's own places: [sources.puretalk] in .dlt/, SOURCES__PURETALK__… in the environment."""

    api_key: TSecretStrValue = None  # type: ignore[assignment]  # dlt asks for it when it is missing
    base_url: str = "https://api.puretalk.ai/api"
    page_size: int = 100
    window: int = 8
    timeout: float = 30.0
    retry_budget: float = 300.0
    max_walks: int = 4
    deletion_cap_share: float = 0.5
    deletion_cap_minimum: int = 10


@dlt.source(name="puretalk", max_table_nesting=0, spec=PuretalkSourceConfiguration)
def puretalk_source(
    api_key: TSecretStrValue = dlt.secrets.value,
    base_url: str = "https://api.puretalk.ai/api",
    page_size: int = 100,
    window: int = 8,
    timeout: float = 30.0,
    retry_budget: float = 300.0,
    max_walks: int = 4,
    deletion_cap_share: float = 0.5,
    deletion_cap_minimum: int = 10,
    *,
    accept_deletions: bool = False,
    full_refresh: bool = False,
) -> Iterable[DltResource]:
    """One resource for each table of the normalized layer.

    A second run over a quiet account loads nothing but its own row of `sync_runs`. Times out per request after
    `timeout` seconds; retries for `retry_budget` seconds. Errors: those of `puretalk.errors`, wrapped by dlt (reach
    them through `__cause__`). What the arguments mean stands in .dlt/config.toml.
    """
    settings = ClientSettings(str(api_key), base_url, page_size, window, timeout, retry_budget)
    rules = ReadingRules(max_walks, deletion_cap_share, deletion_cap_minimum, accept_deletions, full_refresh)
    return build_resources(settings, rules, Hooks())


def build_source(settings: ClientSettings, rules: ReadingRules, hooks: Hooks) -> DltSource:
    """The same source with everything given, for a caller who has his own settings and wants to be told."""
    source: DltSource = dlt.source(build_resources, name="puretalk", max_table_nesting=0)(settings, rules, hooks)
    return source


def run_pipeline(database: Path, folder: Path, settings: ClientSettings, rules: ReadingRules, hooks: Hooks) -> Row:
    """Load the account into a DuckDB file; gives the run's row of sync_runs. `folder` is dlt's, new and for this run
    only: a folder that outlives its run brings back packages that never were published."""
    runs: list[Row] = []
    told = replace(hooks, on_reading=lambda _reading, run: runs.append(run))
    pipeline = dlt.pipeline(
        "puretalk",
        pipelines_dir=str(folder),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name=STORAGE_SCHEMA,
    )
    pipeline.run(build_source(settings, rules, told), loader_file_format="parquet")
    return runs[-1]


def build_resources(settings: ClientSettings, rules: ReadingRules, hooks: Hooks) -> list[DltResource]:
    """The account's reading as one hidden resource, and a transformer on it for each table."""
    batches = dlt.resource(_read_batches, name="account", selected=False)(settings, rules, hooks)
    return [batches, *(_table_resource(table, batches) for table in TABLES.values())]


def _table_resource(table: Table, batches: DltResource) -> DltResource:
    def rows_of(batch: Batch) -> Iterator[pa.Table]:
        rows = batch.rows.get(table.name)
        if rows:
            yield pa.Table.from_pylist(rows, schema=arrow_schema(table))
        elif table.name in batch.bare:
            yield arrow_schema(table).empty_table()

    def assistants(
        batch: Batch,
        updated_at: dlt.sources.incremental[datetime] = dlt.sources.incremental(  # noqa: B008  (dlt's own idiom)
            "updated_at", on_cursor_value_missing="include"
        ),
    ) -> Iterator[pa.Table]:
        # The cursor is for people to see. It must not filter: a row changed on a page already read lies below it.
        moments = [moment for moment in (updated_at.last_value, batch.cursor) if moment is not None]
        if moments:
            updated_at.advance(max(moments))
        yield from rows_of(batch)

    resource: DltResource = dlt.transformer(
        assistants if table is ASSISTANTS else rows_of,
        data_from=batches,
        name=table.name,
        columns=[_column_hints(table, column.name) for column in table.columns],
        primary_key=list(table.key),
        write_disposition=_write_disposition(table),
    )
    resource.apply_hints(additional_table_hints={"description": table.description})
    return resource


def _column_hints(table: Table, name: str) -> TColumnSchema:
    column = table.column(name)
    return {
        "name": name,
        "data_type": column.type,
        "nullable": name not in table.key,
        "description": column.description,
    }


def _write_disposition(table: Table) -> Any:
    if table in CHILD_TABLES:
        # An emptied list has no row that could say so; a row with place -1 says it, and is not itself inserted.
        return {
            "disposition": "merge",
            "strategy": "delete-insert",
            "deduplicated": True,
            "source_filter": f"{table.key[1]} >= 0",
            "destination_scope": f"{table.owner} IN (SELECT {table.owner} FROM {{staging_table}})",
        }
    if table in (ASSISTANTS, USERS, VOICES):
        return {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}
    return "append"


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's rows."""
    return pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.type], column.name not in table.key) for column in table.columns]
    )


def _read_batches(settings: ClientSettings, rules: ReadingRules, hooks: Hooks) -> Iterator[Batch]:
    destination = Destination(dlt.current.pipeline())
    now = _monotonic_clock(destination.latest_moment())
    started_at = now()
    known = destination.read_known()
    with tempfile.TemporaryFile(dir=hooks.spool_dir) as file, start_blocking_portal() as portal:
        spool = Spool(file)

        async def read() -> tuple[Reading, int]:
            async with ApiClient(settings, on_retry=hooks.on_retry, now=now) as client:
                reading = await read_account(client, known, spool, rules, now=now, on_page=hooks.on_page)
                return reading, client.retries

        reading, retries = portal.call(read)
        loader = _Loader(reading, destination, full_refresh=rules.full_refresh)
        last = Batch(bare=destination.bare_tables())
        yield from loader.batches()
        loader.add_shared(last)
        loader.add_rejected(last)
        run = _describe_run(reading, loader, started_at, now(), retries)
        last.add(SYNC_RUNS, run)
        last.cursor = max((s.updated_at for s in reading.standing.values() if s.updated_at), default=None)
        if hooks.on_reading is not None:
            hooks.on_reading(reading, run)
        yield last


def _monotonic_clock(not_before: datetime | None) -> Callable[[], datetime]:
    """The time, never before what the warehouse already holds: a clock set back must not reorder history."""
    latest = not_before or datetime.min.replace(tzinfo=UTC)

    def now() -> datetime:
        nonlocal latest
        latest = max(datetime.now(UTC), latest + timedelta(microseconds=1))
        return latest

    return now


class _Loader:
    """Turns a reading into rows, a batch at a time."""

    def __init__(self, reading: Reading, destination: Destination, *, full_refresh: bool) -> None:
        self.reading = reading
        self.destination = destination
        self.full_refresh = full_refresh
        self.versions = 0
        self.loaded = 0

    def batches(self) -> Iterator[Batch]:
        """Batches with the assistants to write, their lists and states, and their new versions."""
        reading = self.reading
        ids = sorted({*iterate_ids_to_load(reading, full_refresh=self.full_refresh), *reading.deleted})
        stored_only = []
        batch = Batch()
        for assistant_id in ids:
            standing = reading.standing.get(assistant_id)
            if standing is None or standing.offset is None:
                stored_only.append(assistant_id)
                continue
            self._add_assistant(batch, assistant_id, standing.offset)
            if batch.records >= BATCH_RECORDS or batch.size >= BATCH_BYTES:
                yield batch
                batch = Batch()
        for row in self.destination.read_assistants(stored_only):
            self._add_stored(batch, row)
            if batch.records >= BATCH_RECORDS or batch.size >= BATCH_BYTES:
                yield batch
                batch = Batch()
        if batch.records:
            yield batch

    def _add_assistant(self, batch: Batch, assistant_id: str, offset: int) -> None:
        reading = self.reading
        known = reading.known.assistants.get(assistant_id)
        news = reading.news.get(assistant_id, [])
        for observation in news:
            version = flatten_assistant(reading.spool.read(observation.offset))
            batch.add(
                ASSISTANT_VERSIONS,
                {
                    "assistant_id": assistant_id,
                    "observed_at": observation.received_at,
                    "updated_at": observation.updated_at,
                    "content_hash": observation.content_hash,
                    "is_silent": observation.is_silent,
                    "previous_deleted_at": observation.previous_deleted_at,
                    "config": version.config,
                },
            )
            batch.size += len(version.config)
            self.versions += 1
        flat = flatten_assistant(reading.spool.read(offset))
        row = dict(flat.assistant)
        row["first_seen_at"] = known.first_seen_at if known else news[0].received_at
        row["deleted_at"] = reading.deleted.get(assistant_id)
        row["extra"] = _extra(flat.extra, reading, assistant_id)
        batch.add(ASSISTANTS, row)
        for table in CHILD_TABLES:
            rows = flat.rows[table.name]
            if not rows and known is not None:
                rows = [{"assistant_id": assistant_id, **dict.fromkeys(table.key[1:], -1)}]
            batch.add(table, *rows)
        batch.records += 1
        batch.size += len(flat.config)
        self.loaded += 1

    def _add_stored(self, batch: Batch, row: Row) -> None:
        """A row that the warehouse has already, of which only a deletion or a deviation is new."""
        assistant_id = row["assistant_id"]
        row["deleted_at"] = self.reading.deleted.get(assistant_id)
        if assistant_id in self.reading.standing:
            extra = json.loads(row["extra"]) if row["extra"] else {}
            extra.pop(DEVIATES, None)
            row["extra"] = _extra(extra, self.reading, assistant_id)
        batch.add(ASSISTANTS, row)
        batch.records += 1
        batch.size += len(row["prompt"] or "")
        self.loaded += 1

    def add_shared(self, batch: Batch) -> None:
        """Users and voices that are new or changed."""
        for shared in self.reading.changed_shared():
            batch.add(shared.table, flatten_shared(shared))
            self.loaded += 1

    def add_rejected(self, batch: Batch) -> None:
        """Records that could not be used, each once in the life of the warehouse."""
        for digest, rejected in self.reading.rejected.items():
            if digest not in self.reading.known.rejected:
                row: Row = {
                    "observed_at": rejected.observed_at,
                    "reason": rejected.reason,
                    "record": canonical_json(rejected.record),
                    "record_hash": digest,
                }
                batch.add(REJECTED_RECORDS, row)
                self.loaded += 1


def _extra(extra: dict[str, Any], reading: Reading, assistant_id: str) -> str | None:
    deviation = reading.deviation(assistant_id)
    whole = {**extra, DEVIATES: deviation} if deviation else extra
    return canonical_json(whole) if whole else None


def _describe_run(reading: Reading, loader: _Loader, started_at: datetime, finished_at: datetime, retries: int) -> Row:
    kinds = reading.kinds()
    shared = [shared.table for shared in reading.changed_shared()]
    walk = reading.walks[-1]
    return {
        "run_id": f"{started_at:%Y%m%dT%H%M%S}.{started_at.microsecond:06d}Z-{secrets.token_hex(3)}",
        "started_at": started_at,
        "finished_at": finished_at,
        "pages": reading.pages,
        "seen": len(walk.ids),
        "api_count": walk.counts[-1] if walk.counts else None,
        "new": kinds["new"],
        "changed": kinds["changed"],
        "silent": kinds["silent"],
        "unchanged": kinds["unchanged"],
        "older": len(reading.older),
        "deleted": len(reading.deleted),
        "returned": len(reading.returned),
        "held": len(reading.held),
        "rejected": len(reading.rejected),
        "rejected_new": len(reading.rejected.keys() - reading.known.rejected),
        "users_changed": shared.count(USERS),
        "voices_changed": shared.count(VOICES),
        "versions": loader.versions,
        "rows_loaded": loader.loaded,
        "retries": retries,
        "walks": len(reading.walks),
        "is_complete": reading.is_complete,
        "is_exact": reading.is_exact,
        "drift": canonical_json({name: len(ids) for name, ids in reading.drift.items()}) if reading.drift else None,
        "notes": canonical_json(list(reading.notes)) if reading.notes else None,
    }


class Destination:
    """What the pipeline's destination already holds, asked in plain SQL; an empty destination holds nothing."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._columns = self._read_columns()

    def bare_tables(self) -> frozenset[str]:
        """Tables that are not there yet, or lack a column that this version of puretalk has."""
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
        """What a reading compares with."""
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
        if pipeline.default_schema_name is None:
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
