"""The dlt source: what a sync decided, as rows of the normalized tables.

    pipeline = dlt.pipeline("fleet", destination="duckdb", dataset_name="puretalk")
    pipeline.run(puretalk_source())  # the key comes from .dlt/secrets.toml, as with any dlt source

(dlt makes the file fleet.duckdb. To DuckDB, a dataset is ambiguous that has the name of its file.)
It works with any SQL destination: it asks the destination, never dlt's working folder, what is already there. It passes
rows to dlt as Arrow tables. Assistants, users and voices are merged by key; an assistant's lists and states are
replaced together with it; versions, rejected records and runs are only ever added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.schema.typing import TColumnSchema
from dlt.common.typing import TSecretStrValue
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.extract import DltResource, DltSource

from puretalk.catalogue import TABLES
from puretalk.endpoints.assistants.tables import ASSISTANTS, CHILD_TABLES, USERS, VOICES
from puretalk.privacy.installation import given_policy
from puretalk.schema import STORAGE_SCHEMA, Table
from puretalk.settings import ApiSettings, DecisionSettings, PrivacySettings
from puretalk.sync.account import AccountRead, AccountReader
from puretalk.sync.batches import EMPTIED, Batch
from puretalk.sync.destination import PipelineDestination, WorkFileDestination
from puretalk.sync.dlt_settings import only_sync_settings
from puretalk.sync.options import SyncOptions
from puretalk.sync.sync_run import SyncRun
from puretalk.warehouse.arrow import read_rows

#: What is committed goes into the work file when it is more than this. dlt would set 1 GB for the connection: then all
#: that is loaded and built stays in memory, and is written to a log besides. With DuckDB's own 16 MB, a usual sync of
#: 10,000 assistants writes a checkpoint more.
CHECKPOINT_THRESHOLD = "64MB"


@configspec
class PuretalkSourceConfiguration(BaseConfiguration):
    """Settings in dlt's own places: [sources.puretalk] in .dlt/, SOURCES__PURETALK__… in the environment."""

    api_key: TSecretStrValue = None  # type: ignore[assignment]  # dlt asks for it when it is missing
    base_url: str = ApiSettings.base_url
    page_size: int = ApiSettings.page_size
    window: int = ApiSettings.window
    timeout: float = ApiSettings.timeout
    retry_budget: float = ApiSettings.retry_budget
    max_attempts: int = ApiSettings.max_attempts
    max_body: int = ApiSettings.max_body
    ca_bundle: str = ApiSettings.ca_bundle
    max_walks: int = DecisionSettings.max_walks
    max_pages: int = DecisionSettings.max_pages
    max_records: int = DecisionSettings.max_records
    deletion_cap_share: float = DecisionSettings.deletion_cap_share
    deletion_cap_minimum: int = DecisionSettings.deletion_cap_minimum
    privacy_emails: str = PrivacySettings.privacy_emails
    privacy_names: str = PrivacySettings.privacy_names
    privacy_phone_numbers: str = PrivacySettings.privacy_phone_numbers
    privacy_prompts: str = PrivacySettings.privacy_prompts
    privacy_begin_messages: str = PrivacySettings.privacy_begin_messages
    privacy_user: str = PrivacySettings.privacy_user
    privacy_secret: TSecretStrValue = PrivacySettings.privacy_secret


@dlt.source(name="puretalk", max_table_nesting=0, spec=PuretalkSourceConfiguration)
def puretalk_source(
    api_key: TSecretStrValue = dlt.secrets.value,
    base_url: str = ApiSettings.base_url,
    page_size: int = ApiSettings.page_size,
    window: int = ApiSettings.window,
    timeout: float = ApiSettings.timeout,
    retry_budget: float = ApiSettings.retry_budget,
    max_attempts: int = ApiSettings.max_attempts,
    max_body: int = ApiSettings.max_body,
    ca_bundle: str = ApiSettings.ca_bundle,
    max_walks: int = DecisionSettings.max_walks,
    max_pages: int = DecisionSettings.max_pages,
    max_records: int = DecisionSettings.max_records,
    deletion_cap_share: float = DecisionSettings.deletion_cap_share,
    deletion_cap_minimum: int = DecisionSettings.deletion_cap_minimum,
    privacy_emails: str = PrivacySettings.privacy_emails,
    privacy_names: str = PrivacySettings.privacy_names,
    privacy_phone_numbers: str = PrivacySettings.privacy_phone_numbers,
    privacy_prompts: str = PrivacySettings.privacy_prompts,
    privacy_begin_messages: str = PrivacySettings.privacy_begin_messages,
    privacy_user: str = PrivacySettings.privacy_user,
    privacy_secret: TSecretStrValue = PrivacySettings.privacy_secret,
    *,
    accept_deletions: bool = False,
    full_refresh: bool = False,
) -> Iterable[DltResource]:
    """One resource for each table of the normalized layer.

    A second run over a quiet account loads only its own row of `sync_runs`. A request times out after `timeout` seconds
    and is retried for `retry_budget` seconds. dlt wraps the errors of `puretalk.errors` (reach them through
    `__cause__`). .dlt/config.toml says what the arguments mean.
    """
    api = ApiSettings(
        api_key=str(api_key),
        base_url=base_url,
        page_size=page_size,
        window=window,
        timeout=timeout,
        retry_budget=retry_budget,
        max_attempts=max_attempts,
        max_body=max_body,
        ca_bundle=ca_bundle,
    )
    bounds = DecisionSettings(
        max_walks=max_walks,
        max_pages=max_pages,
        max_records=max_records,
        deletion_cap_share=deletion_cap_share,
        deletion_cap_minimum=deletion_cap_minimum,
    )
    options = SyncOptions(full_refresh=full_refresh, accept_deletions=accept_deletions)
    privacy = PrivacySettings(
        privacy_emails=privacy_emails,
        privacy_names=privacy_names,
        privacy_phone_numbers=privacy_phone_numbers,
        privacy_prompts=privacy_prompts,
        privacy_begin_messages=privacy_begin_messages,
        privacy_user=privacy_user,
        privacy_secret=str(privacy_secret or ""),
    )
    reader = AccountReader(api, bounds, options, policy=given_policy(privacy))

    def batches() -> Iterator[Batch]:
        destination = PipelineDestination(dlt.current.pipeline())
        with reader.read(destination) as account:
            yield from account.batches(destination)

    return build_resources(batches)


def load_account(account: AccountRead, destination: WorkFileDestination, folder: Path) -> SyncRun:
    """Load an account into the work file against which it was read; returns the run's record.

    `folder` is dlt's working folder. It must be new for each run: dlt would load packages of an earlier run from it,
    which was never published."""

    def batches() -> Iterator[Batch]:
        yield from account.batches(destination)

    with only_sync_settings():
        pipeline = dlt.pipeline(
            "puretalk",
            pipelines_dir=str(folder),
            destination=dlt.destinations.duckdb(
                DuckDbCredentials(destination.connection, pragmas=[f"checkpoint_threshold='{CHECKPOINT_THRESHOLD}'"])
            ),
            dataset_name=STORAGE_SCHEMA,
        )
        source: DltSource = dlt.source(build_resources, name="puretalk", max_table_nesting=0)(
            batches, is_first=account.decision.comparison.known.is_empty, is_described=False
        )
        pipeline.run(source, loader_file_format="parquet")
    if account.run is None:
        raise RuntimeError("dlt ended the load without asking for the rows")
    return account.run


def build_resources(
    batches: Callable[[], Iterator[Batch]], *, is_first: bool = False, is_described: bool = True
) -> list[DltResource]:
    """The batches of rows as one hidden resource, and a transformer on it for each table.

    `is_first`: the destination holds no row that one of these could replace, so they need not be merged.
    `is_described`: dlt's schema says what tables and columns mean, for those who will see it: a tenth of a load."""
    account = dlt.resource(batches, name="account", selected=False)
    return [account, *(_table_resource(table, account, is_first, is_described) for table in TABLES.values())]


def _table_resource(table: Table, batches: DltResource, is_first: bool, is_described: bool) -> DltResource:
    def rows_of(batch: Batch) -> Iterator[pa.Table]:
        rows = batch.rows.get(table.name)
        if rows:
            yield read_rows(table, rows)
        elif table.name in batch.bare:
            yield read_rows(table, [])

    def assistants(
        batch: Batch,
        updated_at: dlt.sources.incremental[datetime] = dlt.sources.incremental(  # noqa: B008  (dlt's own idiom)
            "updated_at", on_cursor_value_missing="include"
        ),
    ) -> Iterator[pa.Table]:
        # The cursor is for people to see. It must not filter: a row that changed on a page already read can be older.
        # A cursor that is advanced before the rows come neither filters nor reads them (which would import pandas).
        moments = [moment for moment in (updated_at.last_value, batch.cursor) if moment is not None]
        if moments:
            updated_at.advance(max(moments))
        yield from rows_of(batch)

    resource: DltResource = dlt.transformer(
        assistants if table is ASSISTANTS else rows_of,
        data_from=batches,
        name=table.name,
        columns=[
            _column_hints(table, column.name)
            for column in table.columns
            if is_described or column.type == "json"  # the one type that Arrow has not
        ],
        primary_key=list(table.key),
        write_disposition="append" if is_first else _write_disposition(table),
    )
    if is_described:
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
        # An emptied list has no rows, so the batch has one row with the position EMPTIED; it is not inserted.
        return {
            "disposition": "merge",
            "strategy": "delete-insert",
            "deduplicated": True,
            "source_filter": f"{table.key[1]} > {EMPTIED}",
            "destination_scope": f"{table.owner} IN (SELECT {table.owner} FROM {{staging_table}})",
        }
    if table in (ASSISTANTS, USERS, VOICES):
        return {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}
    return "append"
