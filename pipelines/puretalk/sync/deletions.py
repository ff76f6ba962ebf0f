"""Assistants that a complete walk did not show: are they deleted, hidden by shifting pages, or is it unclear?

Absence from a walk is not proof. The assistant's own address is asked: 404 proves a deletion, 200 proves life. Where
that address gives no clear answer, an assistant counts as deleted once a second complete walk did not show it either.
The rules in plain prose: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.records import Answer, fetch_record
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.json_values import JSONObject
from puretalk.settings import DecisionSettings

#: Complete walks that must miss an assistant whose own address gives no clear answer.
_WALKS_WITHOUT_IT = 2
#: Requests that are prepared at once; the client sends no more than its window.
_ASKED_AT_ONCE = 256


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

    found: list[tuple[JSONObject, datetime]] = field(default_factory=list)
    deleted: dict[str, datetime] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)


class MissingAssistants:
    """Explains missing assistants, and remembers over several walks what their own addresses could not say."""

    def __init__(self, client: ApiClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._missed: Counter[str] = Counter()  # id → complete walks that did not show it
        self._doubtful: set[str] = set()  # ids whose own address gave no clear answer

    async def explain(self, missing: set[str], *, control: str | None) -> Explained:
        """What became of the assistants that a complete walk did not show; `control` is one that it did show."""
        self._missed.update(missing)
        answers = await ask_for(self._client, missing - self._doubtful, control=control)
        answers |= dict.fromkeys(missing & self._doubtful, Answer("unclear"))
        explained = Explained()
        for assistant_id, answer in answers.items():
            if answer.status == "found" and answer.record is not None:
                explained.found.append((answer.record, self._now()))
            elif answer.status == "unclear" and self._missed[assistant_id] < _WALKS_WITHOUT_IT:
                explained.unclear.add(assistant_id)
            else:
                explained.deleted[assistant_id] = self._now()
            if answer.status == "unclear":
                self._doubtful.add(assistant_id)
        return explained


async def ask_for(client: ApiClient, assistant_ids: Iterable[str], *, control: str | None) -> dict[str, Answer]:
    """Ask for each assistant by its own address. That address is believed only if it knows `control`, an assistant that
    surely exists: where it does not answer at all, every 404 would look like a deletion."""
    unclear = Answer("unclear", reason="the assistants' own address does not answer")
    wanted = sorted(assistant_ids)
    if not wanted or control is None or (await fetch_record(client, ENDPOINT, control)).status != "found":
        return dict.fromkeys(wanted, unclear)
    first = await fetch_record(client, ENDPOINT, wanted[0])
    if first.status == "unclear":  # the others would be unclear too, after a minute of retries each
        return dict.fromkeys(wanted, first)
    answers = {wanted.pop(0): first}
    for start in range(0, len(wanted), _ASKED_AT_ONCE):
        some = wanted[start : start + _ASKED_AT_ONCE]
        asked = (fetch_record(client, ENDPOINT, assistant_id) for assistant_id in some)
        answers.update(zip(some, await asyncio.gather(*asked), strict=True))
    return answers
