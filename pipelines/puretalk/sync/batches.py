"""A decision as rows: the assistants to write, their lists, states and versions, and the users and voices they share.

It knows the tables, but not dlt. From the destination it reads only the stored rows of assistants.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from puretalk.catalogue import REJECTED_RECORDS
from puretalk.endpoints.assistants.flatten import DEVIATES, flatten_shared
from puretalk.endpoints.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, CHILD_TABLES
from puretalk.json_values import JSONObject, canonical_json
from puretalk.schema import Row, Table, text_of
from puretalk.sync.comparison import Comparison
from puretalk.sync.decision import Decision
from puretalk.sync.spool import encode_row

#: One Arrow batch holds at most this many records and bytes of JSON.
BATCH_RECORDS = 1_000
BATCH_BYTES = 8 * 2**20
#: Position of a row that says "this list is empty". The load deletes the list for it, and does not insert the row.
EMPTIED = -1


class StoredAssistants(Protocol):
    """Reads the rows that the warehouse has already."""

    def read_assistants(self, assistant_ids: list[str]) -> Iterable[Row]:
        """Rows of `assistants` as they are stored, JSON as text."""


@dataclass
class Batch:
    """Rows for dlt, by table, as JSON objects.

    `assistants`: ids of the assistants to whom rows belong. `bare`: tables that the destination lacks, or that lack
    columns there."""

    rows: dict[str, list[bytes]] = field(default_factory=dict)
    cursor: datetime | None = None
    bare: frozenset[str] = frozenset()
    assistants: set[str] = field(default_factory=set)
    size: int = 0

    def add(self, table: Table, *rows: Row) -> None:
        self.add_encoded(table, map(encode_row, rows))

    def add_encoded(self, table: Table, rows: Iterable[bytes]) -> None:
        self.rows.setdefault(table.name, []).extend(rows)


class Loader:
    """Turns a decision into rows, a batch at a time."""

    def __init__(self, decision: Decision, stored: StoredAssistants) -> None:
        self.comparison = decision.comparison
        self.deleted = decision.deleted
        self.stored = stored
        self.versions = 0
        self.loaded = 0

    def batches(self) -> Iterator[Batch]:
        """Batches with the assistants to write, their lists and states, and their new versions."""
        ids = sorted({*self.comparison.ids_to_load(), *self.deleted})
        stored_only = []
        batch = Batch()
        for assistant_id in ids:
            standing = self.comparison.standing.get(assistant_id)
            if standing is None or standing.offset is None:
                stored_only.append(assistant_id)
                continue
            self._add_assistant(batch, assistant_id, standing.offset)
            if len(batch.assistants) >= BATCH_RECORDS or batch.size >= BATCH_BYTES:
                yield batch
                batch = Batch()
        for row in self.stored.read_assistants(stored_only):
            self._add_stored(batch, row)
            if len(batch.assistants) >= BATCH_RECORDS or batch.size >= BATCH_BYTES:
                yield batch
                batch = Batch()
        if batch.assistants:
            yield batch

    def _add_assistant(self, batch: Batch, assistant_id: str, offset: int) -> None:
        comparison = self.comparison
        known = comparison.known.assistants.get(assistant_id)
        news = comparison.news.get(assistant_id, [])
        flat = comparison.spool.read(offset)
        for observation in news:
            config = flat.config if observation.offset == offset else comparison.spool.read(observation.offset).config
            batch.add(
                ASSISTANT_VERSIONS,
                {
                    "assistant_id": assistant_id,
                    "observed_at": observation.received_at,
                    "updated_at": observation.updated_at,
                    "content_hash": observation.content_hash,
                    "is_silent": observation.is_silent,
                    "previous_deleted_at": observation.previous_deleted_at,
                    "config": config,
                },
            )
            batch.size += len(config)
            self.versions += 1
        known_now: Row = {
            "first_seen_at": known.first_seen_at if known else news[0].received_at,
            "deleted_at": self.deleted.get(assistant_id),
            "extra": _extra(json.loads(flat.extra), comparison, assistant_id),
        }
        batch.add_encoded(ASSISTANTS, [flat.assistant[:-1] + b"," + encode_row(known_now)[1:]])
        for table in CHILD_TABLES:
            rows = flat.rows[table.name]
            if rows or known is None:
                batch.add_encoded(table, rows)
            else:
                batch.add(table, {"assistant_id": assistant_id, **dict.fromkeys(table.key[1:], EMPTIED)})
        batch.assistants.add(assistant_id)
        batch.size += len(flat.config)
        self.loaded += 1

    def _add_stored(self, batch: Batch, row: Row) -> None:
        """Add a stored row again, with its new deletion or deviation."""
        assistant_id = text_of(row, "assistant_id") or ""
        row["deleted_at"] = self.deleted.get(assistant_id)
        if assistant_id in self.comparison.standing:
            stored = text_of(row, "extra")
            extra: JSONObject = json.loads(stored) if stored else {}
            extra.pop(DEVIATES, None)
            row["extra"] = _extra(extra, self.comparison, assistant_id)
        batch.add(ASSISTANTS, row)
        batch.assistants.add(assistant_id)
        batch.size += len(text_of(row, "prompt") or "")
        self.loaded += 1

    def add_shared(self, batch: Batch) -> None:
        """Add users and voices that are new or changed, or all where they are written again."""
        for shared in self.comparison.shared_to_load():
            batch.add(shared.table, flatten_shared(shared))
            self.loaded += 1

    def add_rejected(self, batch: Batch) -> None:
        """Add records that could not be used and that the warehouse does not have yet."""
        for digest, rejected in self.comparison.rejected.items():
            if digest not in self.comparison.known.rejected:
                row: Row = {
                    "observed_at": rejected.observed_at,
                    "reason": rejected.reason,
                    "record": canonical_json(rejected.record),
                    "record_hash": digest,
                }
                batch.add(REJECTED_RECORDS, row)
                self.loaded += 1


def _extra(extra: JSONObject, comparison: Comparison, assistant_id: str) -> str | None:
    deviation = comparison.deviation(assistant_id)
    whole: JSONObject = {**extra, DEVIATES: deviation} if deviation else extra
    return canonical_json(whole) if whole else None
