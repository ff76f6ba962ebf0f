"""Assistants that a walk did not show: are they deleted, hidden by shifting pages, or is it unclear?

Absence from a walk is not proof. The assistant's own address is asked: 404 proves a deletion, 200 proves life, whatever
the walk was like. Where that address gives no clear answer, an assistant counts as deleted once two complete walks did
not show it.
The rules in plain prose: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Set
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest

from puretalk.api.client import ApiClient
from puretalk.api.records import Answer, fetch_record
from puretalk.api.splitting import Record
from puretalk.api.walk import Walk
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.settings import DecisionSettings

#: Complete walks that must miss an assistant whose own address gives no clear answer.
_WALKS_WITHOUT_IT = 2
#: Requests that are prepared at once; the client sends no more than its window.
_ASKED_AT_ONCE = 256
#: Assistants that are tried as a control; the first may have been deleted since the walk showed it.
_CONTROLS = 3
#: Seconds for which an assistant that was found proves that these addresses answer.
_PROOF_LASTS = 60.0


def is_mass_deletion(missing: int, live: int, bounds: DecisionSettings) -> bool:
    """Whether so many of the live assistants vanished at once that a person has to look first."""
    if missing == 0:
        return False
    is_everything = missing == live
    is_many = missing >= bounds.deletion_cap_minimum and missing > live * bounds.deletion_cap_share
    return is_everything or is_many


@dataclass(frozen=True)
class Explained:
    """What became of missing assistants: `found` are records that their own address showed, with the time; `deleted`
    says when each deletion was proved (UTC); `unclear` are ids that nothing could explain yet."""

    found: list[tuple[Record, datetime]] = field(default_factory=list)
    deleted: dict[str, datetime] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)


class OwnAddresses:
    """The assistants' own addresses, which say of each whether it exists.

    A 404 is believed only when such an address has found an assistant a moment ago: where these addresses do not answer
    at all, every 404 would look like a deletion.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._proved_at: float | None = None  # when one was found last, by the monotonic clock

    async def ask(self, assistant_ids: Iterable[str], *, controls: Collection[str]) -> dict[str, Answer]:
        """What the own address of each assistant says. `controls` exist, or existed a moment ago."""
        wanted = sorted(assistant_ids)
        if not wanted:
            return {}
        if not await self._is_proved(controls):
            return dict.fromkeys(wanted, Answer("unclear", reason="the assistants' own address does not answer"))
        first = await self._fetch(wanted[0])
        if first.status == "unclear":  # the others would be unclear too, after a minute of retries each
            return dict.fromkeys(wanted, first)
        answers = {wanted.pop(0): first}
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            some = wanted[start : start + _ASKED_AT_ONCE]
            answers.update(zip(some, await asyncio.gather(*map(self._fetch, some)), strict=True))
        return answers

    async def _is_proved(self, controls: Collection[str]) -> bool:
        """Whether an assistant was found just now; if not, looks for a control until an answer is not a 404."""
        if self._proved_at is not None and time.monotonic() - self._proved_at < _PROOF_LASTS:
            return True
        for control in nsmallest(_CONTROLS, controls):
            answer = await self._fetch(control)
            if answer.status != "missing":
                return answer.status == "found"
        return False

    async def _fetch(self, assistant_id: str) -> Answer:
        answer = await fetch_record(self._client, ENDPOINT, assistant_id)
        if answer.status == "found":
            self._proved_at = time.monotonic()
        return answer


class MissingAssistants:
    """Explains missing assistants, and remembers over several walks what their own addresses could not say."""

    def __init__(self, addresses: OwnAddresses, now: Callable[[], datetime]) -> None:
        self._addresses = addresses
        self._now = now
        self._missed: Counter[str] = Counter()  # id → complete walks that did not show it
        self._doubtful: set[str] = set()  # ids whose own address gave no clear answer

    async def explain(self, missing: Set[str], walk: Walk) -> Explained:
        """What became of the assistants that this walk did not show."""
        if walk.is_complete:
            self._missed.update(missing)
        answers = await self._addresses.ask(missing - self._doubtful, controls=walk.ids)
        answers |= dict.fromkeys(missing & self._doubtful, Answer("unclear"))
        explained = Explained()
        for assistant_id, answer in answers.items():
            if answer.status == "found" and answer.record is not None:
                explained.found.append((Record.of(answer.record, held_key=answer.held_key), self._now()))
            elif answer.status == "unclear" and self._missed[assistant_id] < _WALKS_WITHOUT_IT:
                explained.unclear.add(assistant_id)
            else:
                explained.deleted[assistant_id] = self._now()
            if answer.status == "unclear":
                self._doubtful.add(assistant_id)
        return explained
