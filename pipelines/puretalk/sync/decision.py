"""Read the whole account and decide what is true: walks, the comparison, deletions, the verdict.

    walk until one walk is complete and every missing assistant is explained, at most `max_walks` times
    ask the own address of assistants whose answer was older than the warehouse's
    say what is proved

It only decides; `batches` turns the decision into rows. The rules in plain prose: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.pages import Record
from puretalk.api.walk import Walk, walk_pages
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.listener import SILENT, Listener
from puretalk.settings import DecisionSettings
from puretalk.sync.comparison import Comparison
from puretalk.sync.deletions import MissingAssistants, ask_for, is_mass_deletion
from puretalk.sync.known import Known
from puretalk.sync.options import SyncOptions
from puretalk.sync.spool import Spool
from puretalk.sync.verdict import Exact, ForeignAccount, HeldBack, Incomplete, Verdict

_log = logging.getLogger("puretalk.sync")


@dataclass(frozen=True)
class Decision:
    """What a sync decided. `deleted`: id → when the deletion was proved (UTC)."""

    comparison: Comparison
    walks: tuple[Walk, ...]
    deleted: Mapping[str, datetime]
    verdict: Verdict

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
    now: Callable[[], datetime],
    listener: Listener = SILENT,
) -> Decision:
    """Walk the account and decide. Errors of the client pass through: a walk that failed decides nothing."""
    if options.full_refresh:
        known = replace(known, digests={})  # every record is read again
    comparison = Comparison(known, spool, full_refresh=options.full_refresh)
    missing_assistants = MissingAssistants(client, now)
    walks: list[Walk] = []
    deleted: dict[str, datetime] = {}
    unconfirmed: set[str] = set()
    verdict: Verdict | None = None
    while verdict is None and len(walks) < bounds.max_walks:
        walk = await walk_pages(client, ENDPOINT, comparison.observe, known=known.digests, listener=listener)
        walks.append(walk)
        if not options.accept_deletions and _is_foreign(comparison):
            verdict = ForeignAccount(frozenset(known.live), walk.is_complete)
            break
        unconfirmed -= walk.ids
        if not walk.is_complete:
            continue
        missing = (known.live | comparison.standing.keys()) - walk.ids
        vanished = frozenset(missing & known.live)
        if not options.accept_deletions and is_mass_deletion(len(vanished), len(known.live), bounds):
            verdict = HeldBack(vanished, len(known.live))
            break
        explained = await missing_assistants.explain(missing, control=min(walk.ids, default=None))
        for record, received_at in explained.found:
            comparison.observe(Record.of(record), received_at)
        deleted = explained.deleted  # each complete walk explains every missing assistant again
        unconfirmed = explained.unclear
        if missing:
            _log.info(
                "walk %d: %d assistants missing: %d deleted, %d found by their own address, %d unclear",
                *(len(walks), len(missing), len(explained.deleted), len(explained.found), len(explained.unclear)),
            )
        # A row that only its own address showed was hidden by shifting pages: walk again.
        if not explained.found and not explained.unclear:
            verdict = Exact()
    if isinstance(verdict, ForeignAccount):
        comparison.forget()
        deleted = {}
    comparison.older -= deleted.keys()
    await _ask_about_older(comparison, client, now)
    older = frozenset(comparison.older)
    if isinstance(verdict, HeldBack):
        verdict = replace(verdict, older=older)
        deleted.clear()
    elif verdict is None:
        doubts = tuple(walks[-1].doubts) or ("a walk missed assistants that exist",)
        verdict = Incomplete(doubts, frozenset(unconfirmed), older)
        deleted.clear()
    elif isinstance(verdict, Exact) and older:
        verdict = Incomplete(older=older)
    comparison.settle_shared(deleted)
    _log.info("verdict: %s", "; ".join(verdict.notes) or "exact")
    return Decision(comparison, tuple(walks), deleted, verdict)


def _is_foreign(comparison: Comparison) -> bool:
    """Whether not one of the live assistants is in the account: the key may belong to another one."""
    live = comparison.known.live
    seen = comparison.standing.keys() | comparison.older
    return bool(seen and live) and not (seen & live)


async def _ask_about_older(comparison: Comparison, client: ApiClient, now: Callable[[], datetime]) -> None:
    """Ask the own address of assistants whose answer was older than the warehouse's: only that address can say whether
    the answer came from a stale copy, or the account was really set back."""
    wanted = comparison.older - comparison.standing.keys()
    comparison.older.clear()
    for assistant_id, answer in (await ask_for(client, wanted, control=min(wanted, default=None))).items():
        if answer.status == "found" and answer.record is not None:
            comparison.observe(Record.of(answer.record), now(), is_confirmed=True)
        else:
            comparison.older.add(assistant_id)
