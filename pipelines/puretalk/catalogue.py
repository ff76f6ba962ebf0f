"""Every table of the normalized layer: those of each endpoint, and those of the syncs themselves.

A second endpoint brings its own tables in a room of its own, and is added to TABLES here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from puretalk.assistants.tables import ASSISTANT_TABLES
from puretalk.schema import Column, Table

REJECTED_RECORDS = Table(
    "rejected_records",
    grain="a record that could not be used, when a sync met it first",
    columns=(
        Column("observed_at", "timestamp", "When the sync received it (UTC)."),
        Column("reason", "text", "Why it could not be used."),
        Column("record", "json", "The record as it came."),
        Column("record_hash", "text", "SHA-256 (hex) of the record; the same record is kept once."),
    ),
    key=("record_hash",),
)

SYNC_RUNS = Table(
    "sync_runs",
    grain="a sync that published",
    note="Runs that failed published nothing and stand in the log files only.",
    key=("run_id",),
    columns=(
        Column("run_id", "text", "Id of the run: its start time and a random part; sorts by time."),
        Column("started_at", "timestamp", "When the run started (UTC)."),
        Column("finished_at", "timestamp", "When everything had been read and the load began (UTC)."),
        Column("pages", "bigint", "Pages received, over all walks."),
        Column("seen", "bigint", "Distinct assistants that the last walk saw."),
        Column("api_count", "bigint", "What the API itself said the number of assistants is, at the end."),
        Column("new", "bigint", "Assistants seen for the first time."),
        Column("changed", "bigint", "Assistants whose updated_at had moved."),
        Column("silent", "bigint", "Assistants whose content had changed although updated_at had not."),
        Column("unchanged", "bigint", "Assistants that were as the warehouse had them, and were not loaded."),
        Column("older", "bigint", "Assistants whose answer was older than the warehouse's, and was not believed."),
        Column("deleted", "bigint", "Assistants found deleted."),
        Column("returned", "bigint", "Assistants that had been deleted and came back."),
        Column("held", "bigint", "Assistants that are missing, but whose deletion is held back or unconfirmed."),
        Column("rejected", "bigint", "Records that could not be used."),
        Column("rejected_new", "bigint", "Records that could not be used and were not known yet."),
        Column("users_changed", "bigint", "Users that are new or changed."),
        Column("voices_changed", "bigint", "Voices that are new or changed."),
        Column("versions", "bigint", "Versions added to the history."),
        Column(
            "rows_loaded", "bigint", "Assistants, users, voices and rejected records written; 0 on a quiet account."
        ),
        Column("retries", "bigint", "Requests that had to be repeated."),
        Column("walks", "bigint", "Walks over all pages that were needed."),
        Column("is_complete", "bool", "Whether a walk was complete: every id of the account, each exactly once."),
        Column("is_exact", "bool", "Whether the published state equals the API: complete, and nothing held or older."),
        Column("drift", "json", "What differed from the documented shape: field path → number of records."),
        Column("notes", "json", "What the run could not repair, in words (a list)."),
    ),
)

#: By name, in the order in which people see them.
TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (*ASSISTANT_TABLES, REJECTED_RECORDS, SYNC_RUNS)}
)
