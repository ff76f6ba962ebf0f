"""Every table of the normalized layer: the tables of each endpoint, and those of the syncs themselves.

A second endpoint has its tables in its own room; they are added to TABLES here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from puretalk.endpoints.assistants.tables import ASSISTANT_TABLES
from puretalk.schema import Column, Table

REJECTED_RECORDS = Table(
    "rejected_records",
    grain="a record that could not be used, as a sync first received it",
    columns=(
        Column("observed_at", "timestamp", "When a sync first received the record (UTC)."),
        Column("reason", "text", "Why the record could not be used."),
        Column("record", "json", "The record as the API sent it."),
        Column("record_hash", "text", "SHA-256 (hex) of the record. The same record is stored only once."),
    ),
    key=("record_hash",),
)

SYNC_RUNS = Table(
    "sync_runs",
    grain="a sync that published",
    note="A run that failed published nothing; only the log files list it.",
    key=("run_id",),
    columns=(
        Column("run_id", "text", "Id of the run: its start time and a random part. Ids sort by time."),
        Column("started_at", "timestamp", "When the run started (UTC)."),
        Column("finished_at", "timestamp", "When the run had read everything and began to load (UTC)."),
        Column("pages", "bigint", "Pages received, in all walks together."),
        Column(
            "received",
            "bigint",
            "Records that came, on pages and from own addresses. They are the sum of new, changed, silent, unchanged, "
            "older, rejected and set_aside. NULL in runs of releases before 0.4.",
        ),
        Column("seen", "bigint", "Distinct assistants that the last walk over all pages saw."),
        Column("api_count", "bigint", "Number of assistants according to the API, at the end of the last walk."),
        Column("new", "bigint", "Assistants seen for the first time."),
        Column("changed", "bigint", "Assistants whose updated_at had changed."),
        Column("silent", "bigint", "Assistants whose content had changed although their updated_at had not."),
        Column("unchanged", "bigint", "Assistants that were equal to the warehouse, and were not loaded."),
        Column(
            "older", "bigint", "Assistants whose API answer was older than the warehouse's; the answer was ignored."
        ),
        Column("deleted", "bigint", "Assistants that the run found deleted."),
        Column("returned", "bigint", "Assistants that had been deleted and came back."),
        Column("held", "bigint", "Missing assistants whose deletion is held back or unconfirmed."),
        Column("rejected", "bigint", "Records of the last walk that could not be used, equal ones each."),
        Column("rejected_new", "bigint", "Records that could not be used and that were not in rejected_records yet."),
        Column(
            "set_aside",
            "bigint",
            "Records that a later one of the same run replaced or repeated, or that are of another account. NULL in "
            "runs of releases before 0.4.",
        ),
        Column("users_changed", "bigint", "Users that are new or changed."),
        Column("voices_changed", "bigint", "Voices that are new or changed."),
        Column("versions", "bigint", "Rows added to assistant_versions."),
        Column(
            "rows_loaded",
            "bigint",
            "Assistants, users, voices and rejected records that the run wrote; 0 when nothing had changed.",
        ),
        Column("retries", "bigint", "Requests that had to be repeated."),
        Column("walks", "bigint", "Walks over all pages that the run needed."),
        Column(
            "walk_seconds",
            "double",
            "Wall seconds from reading the known state to the verdict: walks, deletions, comparison.",
        ),
        Column("load_seconds", "double", "Wall seconds of loading what changed. NULL outside of `puretalk sync`."),
        Column("models_seconds", "double", "Wall seconds of building the models. NULL outside of `puretalk sync`."),
        Column("checks_seconds", "double", "Wall seconds of running the checks. NULL outside of `puretalk sync`."),
        Column(
            "total_seconds",
            "double",
            "Wall seconds from taking the lock to sealing the snapshot: the four above, and the copy of the snapshot "
            "before. The time of publishing is not in it, because a published snapshot never changes; the run log has "
            "it. NULL outside of `puretalk sync`.",
        ),
        Column(
            "is_complete",
            "bool",
            "Whether the last walk was complete: it saw every id of the account exactly once, while `count` did not "
            "move.",
        ),
        Column(
            "is_settled",
            "bool",
            "Whether every known assistant was seen, or asked for by its own address, and `count` agrees. Each row is "
            "as of its own moment between settled_from and settled_until. NULL in runs of releases before 0.4.",
        ),
        Column("settled_from", "timestamp", "When the sync sent its first request. NULL unless is_settled."),
        Column("settled_until", "timestamp", "When the last answer had come. NULL unless is_settled."),
        Column(
            "is_exact",
            "bool",
            "Whether the published state equals the API, each row as of the moment of its answer: the account was "
            "settled, and no answer was older.",
        ),
        Column(
            "drift",
            "json",
            "What differed from the documented shape (kind and field path) → number of records. NULL when nothing did.",
        ),
        Column("notes", "json", "What the run could not repair: a list of sentences. NULL when there are none."),
    ),
)

#: By name, in the order in which people see them.
TABLES: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in (*ASSISTANT_TABLES, REJECTED_RECORDS, SYNC_RUNS)}
)
