"""Compare what the API answers with what the warehouse knows: what is new, changed, older, unusable.

A `Comparison` takes one answer at a time. It believes the newest one about each assistant, keeps every one that was
news (a version each), and never lets an older answer overwrite a newer one. It asks nothing and deletes nothing.
The rules in plain prose: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from puretalk.api.splitting import Record
from puretalk.endpoints.assistants.flatten import (
    Flattened,
    Outline,
    RejectedRecordError,
    Shared,
    find_deviation,
    flatten_assistant,
    keep_rejected,
    record_id,
)
from puretalk.endpoints.assistants.tables import USERS, VOICES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, clean_record, hash_json, parse_json
from puretalk.privacy.policy import Policy
from puretalk.sync.known import Known
from puretalk.sync.spool import Spool

Kind = Literal["new", "changed", "silent", "unchanged"]


@dataclass(frozen=True)
class Observation:
    """An answer about an assistant that is news: `offset` is its place in the spool. `is_silent`: the content differs
    from the version before, and updated_at does not."""

    updated_at: datetime | None
    content_hash: str
    received_at: datetime
    offset: int
    is_silent: bool
    previous_deleted_at: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """The answer about an assistant that is believed so far, from the warehouse or from this sync.

    `received_at` is None when it is the warehouse's; `offset` is None when the record is not in the spool, because the
    warehouse has it already. `digest` is that of the record's bytes where the warehouse does not know them yet."""

    updated_at: datetime | None
    content_hash: str
    received_at: datetime | None
    offset: int | None = None
    voice: Shared | None = None
    user: Shared | None = None
    digest: bytes | None = None
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """A record that could not be used."""

    observed_at: datetime
    reason: str
    record: JSONValue
    record_hash: str


@dataclass
class Comparison:
    """What the answers of a sync say against `known`.

    `standing`: id → the answer that is believed; `news`: id → its observations, oldest first; `older`: ids whose answer
    was older than the warehouse's; `drift`: difference from the documentation → ids; `restated`: id → the content
    hash of what the warehouse has with the hash of an earlier release; `unusable`: records of the current walk that
    could not be used, equal ones each; `unreadable`: ids of those that cannot even be read; `set_aside`: answers that a
    later one of this sync replaced or repeated, or that are about another account. So each answer counts once: in
    `standing`, `older`, `unusable` or `set_aside`. `held_key`: ids (empty for a record without one) whose record held
    the API key. A full refresh believes every answer of the list, older or not, and spools every record. `rewrite`:
    spool every record, because what the warehouse has was written under another `policy`.
    """

    known: Known
    spool: Spool
    full_refresh: bool = False
    policy: Policy | None = None
    rewrite: bool = False
    standing: dict[str, Standing] = field(default_factory=dict)
    news: dict[str, list[Observation]] = field(default_factory=dict)
    older: set[str] = field(default_factory=set)
    rejected: dict[str, Rejected] = field(default_factory=dict)
    drift: dict[str, set[str]] = field(default_factory=dict)
    shared: dict[tuple[str, str], Shared] = field(default_factory=dict)
    restated: dict[str, str] = field(default_factory=dict)
    unusable: int = 0
    unreadable: set[str] = field(default_factory=set)
    set_aside: int = 0
    held_key: set[str] = field(default_factory=set)

    def begin_walk(self) -> None:
        """A walk begins: it shows what could not be used again."""
        self.set_aside += self.unusable
        self.unusable = 0
        self.unreadable.clear()

    def observe(self, record: Record, received_at: datetime, *, is_confirmed: bool = False) -> str | None:
        """Take one answer; gives its assistant_id, or None where it has none. `is_confirmed`: it may take an assistant
        back to an earlier state."""
        outline = self.known.digests.get(record.digest)
        digest = None
        if record.held_key:
            self.held_key.add(_id_of(record.value))
        if outline is None:
            if record.flaw:
                self._reject(received_at, record.flaw, record.text)
                return self._note_unreadable(record)
            try:
                outline = flatten_assistant(record.value, self.policy)
            except RejectedRecordError as error:
                self._reject(received_at, str(error), clean_record(record.value))
                return None
            digest = record.digest or None
        if outline.assistant_id in self.standing or outline.assistant_id in self.older:
            self.set_aside += 1
        for difference in outline.drift:
            self.drift.setdefault(difference, set()).add(outline.assistant_id)
        standing = self.standing.get(outline.assistant_id) or self._standing_in_warehouse(outline)
        if standing is not None and self._is_older(outline, received_at, standing) and not is_confirmed:
            if standing.received_at is not None:
                return outline.assistant_id
            if not self.full_refresh:
                self.older.add(outline.assistant_id)
                return outline.assistant_id
        self.older.discard(outline.assistant_id)
        self.unreadable.discard(outline.assistant_id)
        self._believe(outline, received_at, standing, record, digest)
        return outline.assistant_id

    def settle_older(self, deleted: Collection[str]) -> None:
        """Older answers about assistants that are deleted by now matter no more."""
        settled = self.older.intersection(deleted)
        self.older -= settled
        self.set_aside += len(settled)

    def forget(self) -> None:
        """Drop every answer: they are about another account."""
        self.set_aside += len(self.standing) + len(self.older) + self.unusable
        self.unusable = 0
        for found in (self.standing, self.news, self.older, self.rejected, self.drift, self.shared, self.restated):
            found.clear()
        self.unreadable.clear()
        self.held_key.clear()

    def kind(self, assistant_id: str) -> Kind:
        """What happened to an assistant since the warehouse saw it last."""
        known = self.known.assistants.get(assistant_id)
        if known is None:
            return "new"
        standing = self.standing[assistant_id]
        if standing.updated_at != known.updated_at:
            return "changed"
        stored = self.restated.get(assistant_id, known.content_hash)
        return "unchanged" if standing.content_hash == stored else "silent"

    def kinds(self) -> Counter[Kind]:
        """How many assistants there are of each kind."""
        return Counter(self.kind(assistant_id) for assistant_id in self.standing)

    def deviation(self, assistant_id: str) -> JSONObject:
        """Where the assistant's own answer about its voice or user differs from the one that is believed."""
        standing = self.standing[assistant_id]
        result: JSONObject = {}
        for name, own in (("user", standing.user), ("voice", standing.voice)):
            if own is None:
                continue
            shared = self.shared[own.table.name, own.key]
            if own.content_hash != shared.content_hash and (found := find_deviation(own, shared)):
                result[name] = found
        return result

    def settle_shared(self, deleted: Collection[str]) -> None:
        """Of assistants that disagree about the same voice or user, believe the one that changed last; a deleted one
        only where no other shows it."""
        best: dict[tuple[str, str], tuple[tuple[bool, bool, float, str], Shared]] = {}
        for assistant_id, standing in self.standing.items():
            moment = standing.updated_at
            is_live = assistant_id not in deleted
            rank = (is_live, moment is not None, moment.timestamp() if moment else 0.0, assistant_id)
            for own in (standing.user, standing.voice):
                if own is not None:
                    place = (own.table.name, own.key)
                    if place not in best or best[place][0] < rank:
                        best[place] = (rank, own)
        self.shared = {place: shared for place, (_, shared) in best.items()}

    def changed_shared(self) -> list[Shared]:
        """Voices and users that the warehouse does not have like this."""
        known = {USERS.name: self.known.users, VOICES.name: self.known.voices}
        return [each for each in self._sorted_shared() if known[each.table.name].get(each.key) != each.content_hash]

    def shared_to_load(self) -> list[Shared]:
        """Voices and users whose row must be written."""
        return self._sorted_shared() if self.rewrite else self.changed_shared()

    def _sorted_shared(self) -> list[Shared]:
        return [shared for _, shared in sorted(self.shared.items(), key=lambda entry: entry[0])]

    def ids_to_load(self) -> Iterator[str]:
        """Ids whose row must be written: news, a changed deviation, or everything on a full refresh; sorted."""
        for assistant_id in sorted(self.standing):
            known = self.known.assistants.get(assistant_id)
            if (
                self.full_refresh
                or self._is_of_another_policy(assistant_id)
                or assistant_id in self.news
                or known is None
                or self._is_other_deviation(known.deviation, self.deviation(assistant_id))
            ):
                yield assistant_id

    def read_again(self) -> Iterator[tuple[str, str, str]]:
        """Assistants that did not change and were spooled: assistant_id, content hash, configuration."""
        for assistant_id, standing in self.standing.items():
            if standing.offset is not None and assistant_id not in self.news:
                yield assistant_id, standing.content_hash, self.spool.read(standing.offset).config

    def _is_of_another_policy(self, assistant_id: str) -> bool:
        """Whether the rows of the warehouse follow from another policy; the destination of a plain dlt pipeline does
        not say from which."""
        return self.rewrite or (self.policy is not None and assistant_id in self.restated)

    @staticmethod
    def _is_other_deviation(one: JSONObject, other: JSONObject) -> bool:
        return bool(one or other) and canonical_json(one) != canonical_json(other)

    def _reject(self, received_at: datetime, reason: str, kept: JSONValue) -> None:
        kept, record_hash = keep_rejected(kept, self.policy) if self.policy else (kept, hash_json(kept))
        self.rejected.setdefault(record_hash, Rejected(received_at, reason, kept, record_hash))
        self.unusable += 1

    def _note_unreadable(self, record: Record) -> str | None:
        """The id of a record that cannot be read: the account has that assistant, whatever the record says."""
        try:
            assistant_id = record_id(record.value)
        except RejectedRecordError:
            return None
        self.unreadable.add(assistant_id)
        return assistant_id

    def _standing_in_warehouse(self, outline: Outline) -> Standing | None:
        known = self.known.assistants.get(outline.assistant_id)
        if known is None:
            return None
        is_at_same_time = outline.updated_at == known.updated_at
        if is_at_same_time and isinstance(outline, Flattened) and outline.is_earlier(known.content_hash):
            self.restated[outline.assistant_id] = outline.content_hash
        return Standing(known.updated_at, self.restated.get(outline.assistant_id, known.content_hash), None)

    @staticmethod
    def _is_older(outline: Outline, received_at: datetime, standing: Standing) -> bool:
        if (
            outline.updated_at is not None
            and standing.updated_at is not None
            and outline.updated_at != standing.updated_at
        ):
            return outline.updated_at < standing.updated_at
        # Two answers of the same moment are of the same page. The first is believed: if the second were, the two would
        # replace each other on every walk.
        return standing.received_at is not None and received_at <= standing.received_at

    def _believe(
        self, outline: Outline, received_at: datetime, standing: Standing | None, record: Record, digest: bytes | None
    ) -> None:
        assistant_id = outline.assistant_id
        known = self.known.assistants.get(assistant_id)
        previous_deleted_at = known.deleted_at if known and assistant_id not in self.news else None
        is_same = standing is not None and (standing.updated_at, standing.content_hash) == (
            outline.updated_at,
            outline.content_hash,
        )
        offset = standing.offset if standing is not None and is_same else None
        is_news = not is_same or previous_deleted_at is not None
        if offset is None and (is_news or self.full_refresh or self._is_of_another_policy(assistant_id)):
            if not isinstance(outline, Flattened):  # its bytes were known
                outline = flatten_assistant(parse_json(bytes(record.body)), self.policy)
            offset = self.spool.add(outline)
        if is_news and offset is not None:
            earlier = self.news.get(assistant_id)
            if earlier:  # a moment names a version: a second one needs a later moment, even in one page
                received_at = max(received_at, earlier[-1].received_at + timedelta(microseconds=1))
            observation = Observation(
                updated_at=outline.updated_at,
                content_hash=outline.content_hash,
                received_at=received_at,
                offset=offset,
                is_silent=standing is not None and not is_same and standing.updated_at == outline.updated_at,
                previous_deleted_at=previous_deleted_at,
            )
            self.news.setdefault(assistant_id, []).append(observation)
        self.standing[assistant_id] = Standing(
            outline.updated_at,
            outline.content_hash,
            received_at,
            offset,
            outline.voice,
            outline.user,
            digest,
            outline.drift,
        )


def _id_of(record: JSONValue) -> str:
    """The id of a record for a message; empty where there is none that can be used."""
    try:
        return record_id(record)
    except RejectedRecordError:
        return ""
