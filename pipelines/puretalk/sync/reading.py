"""Read the whole account against what the warehouse knows, and decide what is true.

A reading is one or more walks (until one is complete, within a bound), each record compared with what is known, and
every assistant that is missing asked for by its own address. It only decides; `source` turns the decisions into rows.
The rules in plain prose, with what can still go wrong: docs/how-a-sync-decides.md.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Literal

from puretalk.api.client import ApiClient
from puretalk.api.records import Answer, fetch_record
from puretalk.api.walk import PageListener, Walk, walk_pages
from puretalk.assistants.endpoint import ENDPOINT
from puretalk.assistants.flatten import Flattened, RejectedRecordError, Shared, find_deviation, flatten_assistant
from puretalk.assistants.tables import USERS, VOICES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, clean_record, hash_json


@dataclass(frozen=True)
class KnownAssistant:
    """What the warehouse has of an assistant. `deviation` is what it keeps of a deviating voice or user."""

    updated_at: datetime | None
    content_hash: str
    first_seen_at: datetime | None = None
    deleted_at: datetime | None = None
    deviation: JSONObject = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What the warehouse knows: assistants by id, content hashes of users and voices by key, hashes of the rejected."""

    assistants: Mapping[str, KnownAssistant] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    voices: Mapping[str, str] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()

    @property
    def live(self) -> set[str]:
        """Ids of the assistants that are not deleted."""
        return {assistant_id for assistant_id, known in self.assistants.items() if known.deleted_at is None}


@dataclass(frozen=True)
class ReadingRules:
    """The bounds of a reading; see .dlt/config.toml."""

    max_walks: int = 4
    deletion_cap_share: float = 0.5
    deletion_cap_minimum: int = 10
    accept_deletions: bool = False
    full_refresh: bool = False


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
    """The answer about an assistant that stands so far, from the warehouse or from this reading.

    `received_at` is None when it is the warehouse's; `offset` is None when the record is not in the spool, because the
    warehouse has it already."""

    updated_at: datetime | None
    content_hash: str
    received_at: datetime | None
    offset: int | None = None
    voice: Shared | None = None
    user: Shared | None = None


@dataclass(frozen=True)
class Rejected:
    """A record that could not be used."""

    observed_at: datetime
    reason: str
    record: JSONValue
    record_hash: str


class Spool:
    """Records on their way from the walk to the load, in a temporary file: memory stays small however large the
    account is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, record: JSONValue) -> int:
        """Append a record; its place is what `read` takes."""
        offset = self._file.seek(0, 2)
        self._file.write(json.dumps(record).encode("ascii") + b"\n")
        return offset

    def read(self, offset: int) -> JSONValue:
        """The record at a place."""
        self._file.seek(offset)
        record: JSONValue = json.loads(self._file.readline())
        return record


@dataclass
class Reading:
    """What a reading found out. `news` maps ids to observations, oldest first; `deleted` ids to when it was found."""

    known: Known
    spool: Spool
    walks: list[Walk] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)
    news: dict[str, list[Observation]] = field(default_factory=dict)
    older: set[str] = field(default_factory=set)
    deleted: dict[str, datetime] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    rejected: dict[str, Rejected] = field(default_factory=dict)
    drift: dict[str, set[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    is_complete: bool = False
    is_foreign: bool = False
    shared: dict[tuple[str, str], Shared] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether the warehouse equals the API once this reading is loaded."""
        return self.is_complete and not (self.held or self.older or self.is_foreign)

    @property
    def pages(self) -> int:
        """Pages received over all walks."""
        return sum(walk.pages for walk in self.walks)

    def kind(self, assistant_id: str) -> Literal["new", "changed", "silent", "unchanged"]:
        """What happened to an assistant since the warehouse saw it last."""
        known = self.known.assistants.get(assistant_id)
        if known is None:
            return "new"
        standing = self.standing[assistant_id]
        if standing.updated_at != known.updated_at:
            return "changed"
        return "unchanged" if standing.content_hash == known.content_hash else "silent"

    def kinds(self) -> Counter[str]:
        """How many assistants there are of each kind."""
        return Counter(self.kind(assistant_id) for assistant_id in self.standing)

    @property
    def returned(self) -> set[str]:
        """Ids of assistants that the warehouse had as deleted."""
        known = self.known.assistants
        return {
            assistant_id
            for assistant_id in self.standing
            if assistant_id in known and known[assistant_id].deleted_at is not None and assistant_id not in self.deleted
        }

    def deviation(self, assistant_id: str) -> JSONObject:
        """Where the assistant's own answer about its voice or user differs from the one that stands."""
        standing = self.standing[assistant_id]
        result: JSONObject = {}
        for name, own in (("user", standing.user), ("voice", standing.voice)):
            if own is not None:
                difference = find_deviation(own, self.shared[own.table.name, own.key])
                if difference:
                    result[name] = difference
        return result

    def settle_shared(self) -> None:
        """Of assistants that disagree about the same voice or user, the one changed last is believed."""
        best: dict[tuple[str, str], tuple[tuple[bool, float, str], Shared]] = {}
        for assistant_id, standing in self.standing.items():
            if assistant_id in self.deleted:
                continue
            moment = standing.updated_at
            rank = (moment is not None, moment.timestamp() if moment else 0.0, assistant_id)
            for own in (standing.user, standing.voice):
                if own is not None:
                    place = (own.table.name, own.key)
                    if place not in best or best[place][0] < rank:
                        best[place] = (rank, own)
        self.shared = {place: shared for place, (_, shared) in best.items()}
        for standing in self.standing.values():  # a deleted one may be the only one that shows a voice
            for own in (standing.user, standing.voice):
                if own is not None:
                    self.shared.setdefault((own.table.name, own.key), own)

    def changed_shared(self) -> list[Shared]:
        """Voices and users that the warehouse does not have like this."""
        known = {USERS.name: self.known.users, VOICES.name: self.known.voices}
        return [
            shared
            for (table, key), shared in sorted(self.shared.items(), key=lambda entry: entry[0])
            if known[table].get(key) != shared.content_hash
        ]


async def read_account(
    client: ApiClient,
    known: Known,
    spool: Spool,
    rules: ReadingRules,
    *,
    now: Callable[[], datetime],
    on_page: PageListener | None = None,
) -> Reading:
    """Walk the account until one walk is complete and every missing assistant is explained, within `rules.max_walks`.

    Errors of the client pass through: a reading that could not be finished decides nothing.
    """
    reading = Reading(known, spool)
    reader = _Reader(reading, rules, now)
    absent: Counter[str] = Counter()  # id → complete walks that did not show it
    doubtful: set[str] = set()  # ids whose own address was no help
    for _ in range(rules.max_walks):
        walk = await walk_pages(client, ENDPOINT, reader.observe, on_page=on_page)
        reading.walks.append(walk)
        if reader.looks_foreign():
            break
        if not walk.is_complete:
            continue
        missing = (known.live | reading.standing.keys()) - walk.ids
        absent.update(missing)
        if not missing:
            reading.is_complete = True
            break
        if reader.is_mass_deletion(missing & known.live):
            reading.held = missing & known.live
            reading.is_complete = True
            break
        answers = await _ask_for(client, missing - doubtful, control=min(walk.ids, default=None))
        answers |= dict.fromkeys(missing & doubtful, Answer("unclear"))
        doubtful.update(assistant_id for assistant_id, answer in answers.items() if answer.verdict == "unclear")
        hidden = [assistant_id for assistant_id, answer in answers.items() if answer.verdict == "found"]
        unclear = {
            assistant_id
            for assistant_id, answer in answers.items()
            if answer.verdict == "unclear" and absent[assistant_id] < 2
        }
        for assistant_id, answer in answers.items():
            if answer.verdict == "found":
                reader.observe(answer.record, now())
            elif assistant_id not in unclear:
                reading.deleted[assistant_id] = now()
        reading.held = unclear
        # A row that only its own address showed was hidden by drift: the walk was not what it seemed.
        if not hidden and not unclear:
            reading.is_complete = True
            break
    await reader.ask_about_older(client)
    reader.conclude()
    return reading


async def _ask_for(client: ApiClient, assistant_ids: Iterable[str], control: str | None) -> dict[str, Answer]:
    """Ask for each assistant by its own address. That address is believed only if it knows one that surely exists:
    where it does not answer at all, every 404 would look like a deletion."""
    unclear = Answer("unclear", reason="the assistants' own address does not answer")
    wanted = sorted(assistant_ids)
    if not wanted or control is None or (await fetch_record(client, ENDPOINT, control)).verdict != "found":
        return dict.fromkeys(wanted, unclear)
    first = await fetch_record(client, ENDPOINT, wanted[0])
    if first.verdict == "unclear":  # it would be for the others too, after a minute of retries each
        return dict.fromkeys(wanted, first)
    answers = {wanted.pop(0): first}
    for start in range(0, len(wanted), 256):
        some = wanted[start : start + 256]
        asked = (fetch_record(client, ENDPOINT, assistant_id) for assistant_id in some)
        answers.update(zip(some, await asyncio.gather(*asked), strict=True))
    return answers


class _Reader:
    """Compares each answer with what stands, and writes what is news into the reading."""

    def __init__(self, reading: Reading, rules: ReadingRules, now: Callable[[], datetime]) -> None:
        self.reading = reading
        self.rules = rules
        self.now = now

    def observe(self, record: JSONValue, received_at: datetime, *, is_confirmed: bool = False) -> str | None:
        """Take one answer. `is_confirmed`: it may take an assistant back to an earlier state."""
        reading = self.reading
        try:
            flat = flatten_assistant(record)
        except RejectedRecordError as error:
            kept = clean_record(record)
            digest = hash_json(kept)
            reading.rejected.setdefault(digest, Rejected(received_at, str(error), kept, digest))
            return None
        for difference in flat.drift:
            reading.drift.setdefault(difference, set()).add(flat.assistant_id)
        reading.held.discard(flat.assistant_id)  # whatever else it is, it is there
        standing = reading.standing.get(flat.assistant_id) or self._known(flat.assistant_id)
        if standing is not None and self._is_older(flat, received_at, standing) and not is_confirmed:
            if standing.received_at is None and not self.rules.full_refresh:
                reading.older.add(flat.assistant_id)
                return flat.assistant_id
            if standing.received_at is not None:
                return flat.assistant_id
        reading.older.discard(flat.assistant_id)
        reading.deleted.pop(flat.assistant_id, None)
        self._accept(flat, received_at, standing, record)
        return flat.assistant_id

    def _known(self, assistant_id: str) -> Standing | None:
        known = self.reading.known.assistants.get(assistant_id)
        return Standing(known.updated_at, known.content_hash, None) if known else None

    @staticmethod
    def _is_older(flat: Flattened, received_at: datetime, standing: Standing) -> bool:
        if flat.updated_at is not None and standing.updated_at is not None and flat.updated_at != standing.updated_at:
            return flat.updated_at < standing.updated_at
        # The same moment is the same page: of two answers in it, the first stands, or they would take turns for ever.
        return standing.received_at is not None and received_at <= standing.received_at

    def _accept(self, flat: Flattened, received_at: datetime, standing: Standing | None, record: JSONValue) -> None:
        reading = self.reading
        assistant_id = flat.assistant_id
        known = reading.known.assistants.get(assistant_id)
        previous_deleted_at = known.deleted_at if known and assistant_id not in reading.news else None
        is_same = standing is not None and (standing.updated_at, standing.content_hash) == (
            flat.updated_at,
            flat.content_hash,
        )
        offset = standing.offset if standing is not None and is_same else None
        is_news = not is_same or previous_deleted_at is not None
        if offset is None and (is_news or self.rules.full_refresh):
            offset = reading.spool.add(record)
        if is_news and offset is not None:
            earlier = reading.news.get(assistant_id)
            if earlier:  # a moment names a version: a second one needs a later moment, even in one page
                received_at = max(received_at, earlier[-1].received_at + timedelta(microseconds=1))
            observation = Observation(
                updated_at=flat.updated_at,
                content_hash=flat.content_hash,
                received_at=received_at,
                offset=offset,
                is_silent=standing is not None and not is_same and standing.updated_at == flat.updated_at,
                previous_deleted_at=previous_deleted_at,
            )
            reading.news.setdefault(assistant_id, []).append(observation)
        reading.standing[assistant_id] = Standing(
            flat.updated_at, flat.content_hash, received_at, offset, flat.voice, flat.user
        )

    def looks_foreign(self) -> bool:
        """Whether not one of the living assistants is in the account: the key may belong to another one."""
        reading = self.reading
        live = reading.known.live
        seen = reading.standing.keys() | reading.older
        reading.is_foreign = bool(seen and live) and not (seen & live) and not self.rules.accept_deletions
        if reading.is_foreign:
            reading.held = live
            reading.is_complete = reading.walks[-1].is_complete
            reading.standing.clear()
            reading.news.clear()
            reading.rejected.clear()
            reading.drift.clear()
        return reading.is_foreign

    def is_mass_deletion(self, missing: set[str]) -> bool:
        """Whether so much vanished at once that a person has to look first."""
        if self.rules.accept_deletions or not missing:
            return False
        live = len(self.reading.known.live)
        is_everything = len(missing) == live
        is_many = len(missing) >= self.rules.deletion_cap_minimum
        return is_everything or (is_many and len(missing) > live * self.rules.deletion_cap_share)

    async def ask_about_older(self, client: ApiClient) -> None:
        """An answer that is older than the warehouse's comes from a stale copy, or the account was really set back:
        only the assistant's own address can say."""
        reading = self.reading
        wanted = reading.older - reading.standing.keys()
        reading.older = set()
        for assistant_id, answer in (await _ask_for(client, wanted, control=min(wanted, default=None))).items():
            if answer.verdict == "found" and answer.record is not None:
                self.observe(answer.record, self.now(), is_confirmed=True)
            else:
                reading.older.add(assistant_id)

    def conclude(self) -> None:
        """Say in words what the reading could not repair, and settle who is right about voices and users."""
        reading = self.reading
        if not reading.is_complete:
            reading.deleted.clear()
        if reading.is_foreign:
            reading.notes.append(
                f"none of the {len(reading.held)} known assistants is in the account: is the key of another account? "
                "Nothing was loaded"
            )
            reading.actions.append(
                "Check whose key it is. Only if the whole account was really replaced: puretalk sync --accept-deletions"
            )
        elif reading.is_complete and reading.held:
            reading.notes.append(
                f"{len(reading.held)} of {len(reading.known.live)} assistants vanished at once: held back until "
                "--accept-deletions"
            )
            reading.actions.append(
                "Look into the account. If they were really deleted: puretalk sync --accept-deletions"
            )
        elif not reading.is_complete:
            reading.notes.extend(reading.walks[-1].doubts or ["a walk missed assistants that exist"])
            if reading.held:
                reading.notes.append(f"{len(reading.held)} deletions could not be confirmed")
            reading.actions.append(
                "Nothing: the next run walks again. If it says the same each time, the API contradicts itself"
            )
        if reading.older:
            reading.notes.append(f"{len(reading.older)} answers were older than the warehouse and were not believed")
            reading.actions.append(
                "If the account was really set back to an earlier state: puretalk sync --full-refresh"
            )
        reading.settle_shared()


def iterate_ids_to_load(reading: Reading, *, full_refresh: bool) -> Iterator[str]:
    """Ids whose row must be written: news, a changed deviation, or everything on a full refresh; in a stable order."""
    for assistant_id in sorted(reading.standing):
        known = reading.known.assistants.get(assistant_id)
        if (
            full_refresh
            or assistant_id in reading.news
            or known is None
            or canonical_json(known.deviation) != canonical_json(reading.deviation(assistant_id))
        ):
            yield assistant_id
