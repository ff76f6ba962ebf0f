"""Read the whole account and decide what is true: walks, the comparison, deletions, the verdict.

    walk, and ask for each known assistant that the walk did not show by its own address: all are settled now
    walk again while the API's `count` says that an unknown one may have slipped through, at most `max_walks` times
    ask the own address of assistants whose answer was older than the warehouse's
    say what is proved

It only decides; `batches` turns the decision into rows. The rules in plain prose: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.splitting import Record
from puretalk.api.walk import Allowance, Walk, walk_pages
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.listener import SILENT, Listener
from puretalk.privacy.policy import Policy
from puretalk.settings import DecisionSettings
from puretalk.sync.comparison import Comparison
from puretalk.sync.deletions import Explained, MissingAssistants, OwnAddresses, is_mass_deletion
from puretalk.sync.known import Known, KnownAccount
from puretalk.sync.options import SyncOptions
from puretalk.sync.spool import Spool
from puretalk.sync.verdict import Exact, ForeignAccount, HeldBack, Incomplete, Verdict

_log = logging.getLogger("puretalk.sync")


@dataclass(frozen=True)
class Settlement:
    """Every known assistant was settled, each at its own moment between `began_at` and `ended_at` (UTC), and `count`
    gives no reason to suspect an unknown one."""

    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class Decision:
    """What a sync decided. `deleted`: id → when the deletion was proved (UTC). `is_complete`: the last walk showed
    every assistant exactly once. `settlement`: None where the account could not be settled. `received`: records that
    came, on pages and from own addresses. `same_as`: the account as the last sync read it, where it is still that; then
    nothing was compared."""

    comparison: Comparison
    walks: tuple[Walk, ...]
    deleted: Mapping[str, datetime]
    verdict: Verdict
    is_complete: bool
    settlement: Settlement | None
    received: int
    same_as: KnownAccount | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the warehouse equals the API once this decision is loaded."""
        return isinstance(self.verdict, Exact)

    @property
    def pages(self) -> int:
        """Pages received over all walks."""
        return sum(walk.pages for walk in self.walks)

    @property
    def returned(self) -> set[str]:
        """Ids of assistants that the warehouse had as deleted."""
        if self.same_as is not None:
            return set()
        known = self.comparison.known.assistants
        return {
            assistant_id
            for assistant_id in self.comparison.standing
            if assistant_id in known and known[assistant_id].deleted_at is not None and assistant_id not in self.deleted
        }


async def decide(
    client: ApiClient,
    known: Known,
    spool: Spool,
    bounds: DecisionSettings,
    options: SyncOptions = SyncOptions(),
    *,
    known_account: KnownAccount | None = None,
    now: Callable[[], datetime],
    listener: Listener = SILENT,
    policy: Policy | None = None,
    rewrite: bool = False,
) -> Decision:
    """Walk the account and decide. `known_account`: what the last sync read, if `known` is what it left. `rewrite`: the
    warehouse was written under another policy than `policy`. Errors of the client pass through: a walk that failed
    decides nothing."""
    if options.full_refresh:  # every record is read again
        known, known_account = Known(known.assistants, known.users, known.voices, known.rejected), None
    comparison = Comparison(known, spool, full_refresh=options.full_refresh, policy=policy, rewrite=rewrite)
    addresses = OwnAddresses(client)
    missing_assistants = MissingAssistants(addresses, now)
    began_at = now()
    allowance = Allowance(bounds.max_pages, bounds.max_records)
    walks: list[Walk] = []
    deleted: dict[str, datetime] = {}
    doubt: str | None = None
    explained = Explained()
    is_complete = False
    found = 0
    settlement: Settlement | None = None
    verdict: Verdict | None = None
    while verdict is None and len(walks) < bounds.max_walks:
        size_before = walks[-1].page_size if walks else None
        comparison.begin_walk()
        walk = await walk_pages(
            client,
            ENDPOINT,
            comparison.observe,
            known=known,
            known_pages=known_account.pages if known_account and not walks else {},
            other_than=size_before,
            allowance=allowance,
            listener=listener,
        )
        walks.append(walk)
        if walk.is_known:
            _log.info("verdict: exact, nothing changed")
            settlement = Settlement(began_at, now())
            return Decision(comparison, (walk,), {}, Exact(), True, settlement, walk.records, known_account)
        is_complete = walk.is_complete
        if not options.accept_deletions and _is_foreign(comparison):
            verdict = ForeignAccount(known.live)
            break
        deleted = {assistant_id: at for assistant_id, at in deleted.items() if assistant_id not in walk.ids}
        seen_before = comparison.standing.keys() - walk.ids
        missing = (known.live | seen_before) - walk.ids - deleted.keys()
        if walk.is_complete and not options.accept_deletions and _is_mass(missing, known, bounds):
            verdict = HeldBack(known.live & missing, len(known.live))
            break
        explained = await missing_assistants.explain(missing, walk)
        for record, received_at in explained.found:
            comparison.observe(record, received_at)
        found += len(explained.found)
        deleted |= explained.deleted
        if missing:
            _log.info(
                "walk %d: %d assistants missing: %d deleted, %d found by their own address, %d unclear",
                *(len(walks), len(missing), len(explained.deleted), len(explained.found), len(explained.unclear)),
            )
        is_complete = walk.is_complete and not explained.found and not explained.unclear
        # One that this sync saw, and that was deleted since, may have been among those that the API counted.
        doubt = walk.find_miscount(found=len(explained.found), gone=len(explained.deleted.keys() & seen_before))
        if doubt is None and not explained.unclear:
            settlement = Settlement(began_at, now())
            verdict = Exact()
    if isinstance(verdict, ForeignAccount):
        comparison.forget()
        deleted = {}
    comparison.settle_older(deleted)
    confirmed, gone = await _ask_about_older(comparison, addresses, walks[-1], now)
    comparison.settle_older(gone)
    deleted |= gone
    older, unreadable = frozenset(comparison.older), frozenset(comparison.unreadable - deleted.keys())
    if not isinstance(verdict, HeldBack) and not options.accept_deletions and _is_mass(deleted, known, bounds):
        verdict = HeldBack(known.live & deleted.keys(), len(known.live))
    if isinstance(verdict, HeldBack):
        verdict, settlement = replace(verdict, older=older), None
        deleted.clear()
    elif verdict is None:
        verdict = Incomplete((doubt,) if doubt else (), frozenset(explained.unclear), older, unreadable)
    elif isinstance(verdict, Exact) and (older or unreadable):
        verdict, settlement = Incomplete(older=older, unreadable=unreadable), None if unreadable else settlement
    comparison.settle_shared(deleted)
    _log.info("verdict: %s", "; ".join(verdict.notes) or "exact")
    received = sum(walk.records for walk in walks) + found + confirmed
    return Decision(comparison, tuple(walks), deleted, verdict, is_complete, settlement, received)


def _is_mass(ids: Iterable[str], known: Known, bounds: DecisionSettings) -> bool:
    """Whether the known assistants among `ids` are so many that their deletion needs a person."""
    return is_mass_deletion(len(known.live.intersection(ids)), len(known.live), bounds)


def _is_foreign(comparison: Comparison) -> bool:
    """Whether not one of the live assistants is in the account: the key may belong to another one."""
    live = comparison.known.live
    seen = comparison.standing.keys() | comparison.older | comparison.unreadable
    return bool(seen and live) and not (seen & live)


async def _ask_about_older(
    comparison: Comparison, addresses: OwnAddresses, walk: Walk, now: Callable[[], datetime]
) -> tuple[int, dict[str, datetime]]:
    """Ask the own address of assistants whose answer was older than the warehouse's: only that address can say whether
    the answer came from a stale copy, or the account was really set back. Gives how many it showed, and which are
    deleted."""
    confirmed = 0
    deleted: dict[str, datetime] = {}
    for assistant_id, answer in (await addresses.ask(comparison.older, controls=walk.ids)).items():
        if answer.status == "found" and answer.record is not None:
            comparison.observe(Record.of(answer.record, held_key=answer.held_key), now(), is_confirmed=True)
            confirmed += 1
        elif answer.status == "missing":
            deleted[assistant_id] = now()
    return confirmed, deleted
