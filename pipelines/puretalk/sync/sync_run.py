"""The record of one sync: what it met, what it loaded, what it proved. A row of `sync_runs`."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from puretalk.endpoints.assistants.tables import USERS, VOICES
from puretalk.errors import CheckFailedError
from puretalk.json_values import canonical_json
from puretalk.schema import Row
from puretalk.scrubbing import HIDDEN
from puretalk.sync.decision import Decision
from puretalk.sync.drift import count_drift


@dataclass(frozen=True, kw_only=True)
class SyncRun:
    """A field for each column of `sync_runs`, which says what it means. Times are UTC. `drift`: what differed from the
    documented shape → number of records; `notes`: what the sync could not repair, in words. Durations are None until
    they are known."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    pages: int
    received: int
    seen: int
    api_count: int | None
    new: int
    changed: int
    silent: int
    unchanged: int
    older: int
    deleted: int
    returned: int
    held: int
    rejected: int
    rejected_new: int
    set_aside: int
    users_changed: int
    voices_changed: int
    versions: int
    rows_loaded: int
    retries: int
    walks: int
    walk_seconds: float | None = None
    load_seconds: float | None = None
    models_seconds: float | None = None
    checks_seconds: float | None = None
    total_seconds: float | None = None
    is_complete: bool
    is_settled: bool
    settled_from: datetime | None = None
    settled_until: datetime | None = None
    is_exact: bool
    drift: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_row(self) -> Row:
        """The row of `sync_runs`: drift and notes as JSON text, NULL where there are none."""
        row: Row = {each.name: getattr(self, each.name) for each in fields(self)}
        row["drift"] = canonical_json(dict(self.drift)) if self.drift else None
        row["notes"] = canonical_json(list(self.notes)) if self.notes else None
        return row

    def counts(self) -> dict[str, int]:
        """The fields that are numbers."""
        return {name: value for name, value in vars(self).items() if type(value) is int}


def parse_drift(text: str | None) -> dict[str, int]:
    """`drift` of a stored row of `sync_runs`."""
    drift: dict[str, int] = json.loads(text) if text else {}
    return drift


def describe_run(
    decision: Decision,
    *,
    started_at: datetime,
    finished_at: datetime,
    walk_seconds: float,
    versions: int,
    rows_loaded: int,
    retries: int,
) -> SyncRun:
    """The record of the sync that made this decision; `versions` and `rows_loaded` are what it wrote. Raises
    CheckFailedError where a record that came is not accounted for, or is twice."""
    comparison, verdict, same_as = decision.comparison, decision.verdict, decision.same_as
    walk = decision.walks[-1]
    drift: Mapping[str, int]
    if same_as is None:
        kinds, drift = comparison.kinds(), count_drift(comparison.drift)
        shared = [shared.table for shared in comparison.changed_shared()]
        rejected_new = len(comparison.rejected.keys() - comparison.known.rejected)
    else:
        kinds, drift, shared, rejected_new = Counter({"unchanged": walk.records}), same_as.drift, [], 0
    run = SyncRun(
        run_id=f"{started_at:%Y%m%dT%H%M%S}.{started_at.microsecond:06d}Z-{secrets.token_hex(3)}",
        started_at=started_at,
        finished_at=finished_at,
        pages=decision.pages,
        received=decision.received,
        seen=len(walk.ids) if same_as is None else walk.records,
        api_count=walk.counts[-1] if walk.counts else None,
        new=kinds["new"],
        changed=kinds["changed"],
        silent=kinds["silent"],
        unchanged=kinds["unchanged"],
        older=len(comparison.older),
        deleted=len(decision.deleted),
        returned=len(decision.returned),
        held=len(verdict.held),
        rejected=comparison.unusable,
        rejected_new=rejected_new,
        set_aside=comparison.set_aside,
        users_changed=shared.count(USERS),
        voices_changed=shared.count(VOICES),
        versions=versions,
        rows_loaded=rows_loaded,
        retries=retries,
        walks=len(decision.walks),
        is_complete=decision.is_complete,
        is_settled=decision.settlement is not None,
        settled_from=decision.settlement.began_at if decision.settlement else None,
        settled_until=decision.settlement.ended_at if decision.settlement else None,
        is_exact=decision.is_exact,
        walk_seconds=round(walk_seconds, 3),
        drift=drift,
        notes=(*verdict.notes, *_note_of_key(comparison.held_key)),
    )
    accounted = run.new + run.changed + run.silent + run.unchanged + run.older + run.rejected + run.set_aside
    if accounted != run.received:
        raise CheckFailedError(
            f"{run.received} records came, and the run accounts for {accounted}; nothing was loaded",
            action="Run again with -v, and report what it prints: this is an error in puretalk.",
        )
    return run


def _note_of_key(ids: set[str]) -> tuple[str, ...]:
    """What a person must know where records hold the API key: their texts are as public as PureTalk's."""
    if not ids:
        return ()
    named = ", ".join(sorted(ids - {""})[:3]) or "without a usable id"
    return (
        f"{len(ids)} records hold the API key ({named}): it is stored as {HIDDEN}. Whoever reads them at PureTalk has "
        "it: make a new key there, and take this one out of the texts",
    )
