"""The dlt source: what a reading decided, as rows of the normalized tables.

    pipeline = dlt.pipeline("puretalk", destination="duckdb", dataset_name="puretalk")
    pipeline.run(puretalk_source())  # the key comes from .dlt/secrets.toml, as with any dlt source

Works with any SQL destination: what is already there is asked of the destination, never of dlt's working folder.
Rows travel as Arrow tables. Assistants, users and voices are merged by key; an assistant's lists and states are
replaced together with it; versions, rejected records and runs are only ever added.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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

from puretalk.api.client import ApiClient, ClientSettings
from puretalk.api.walk import PageListener
from puretalk.assistants.flatten import Row
from puretalk.assistants.tables import (
    ASSISTANTS,
    CHILD_TABLES,
    STORAGE_SCHEMA,
    SYNC_RUNS,
    TABLES,
    USERS,
    VOICES,
    ColumnType,
    Table,
)
from puretalk.sync.batches import Batch, Loader, describe_run
from puretalk.sync.destination import Destination
from puretalk.sync.reading import Reading, ReadingRules, Spool, read_account

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


def run_pipeline(
    database: Path, folder: Path, settings: ClientSettings, rules: ReadingRules, hooks: Hooks
) -> tuple[Row, list[str]]:
    """Load the account into a DuckDB file; gives the run's row of sync_runs, and what a person should do.

    `folder` is dlt's, new and for this run only: one that outlives its run brings back packages that were never
    published."""
    runs: list[tuple[Row, list[str]]] = []
    told = replace(hooks, on_reading=lambda reading, run: runs.append((run, reading.actions)))
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
        loader = Loader(reading, destination, full_refresh=rules.full_refresh)
        last = Batch(bare=destination.bare_tables())
        yield from loader.batches()
        loader.add_shared(last)
        loader.add_rejected(last)
        run = describe_run(reading, loader, started_at, now(), retries)
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
