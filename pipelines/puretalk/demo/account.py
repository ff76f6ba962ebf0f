"""A PureTalk account in memory that changes the way real accounts do.

    account = Account(seed=1, assistants=120)
    account.edit(account.live_ids()[0], prompt="…")     # moves updated_at
    account.rename_voice("vc_anna", "Anna (calm)")      # changes many assistants, moves no updated_at

The account has its own clock: it starts at `today`, and each change advances it by seconds and microseconds. So a seed
gives the same bytes on every machine. Stored values are replaced, never changed in place, so a page needs no copy.
"""

from __future__ import annotations

import copy
import random
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Self, get_args

from puretalk.demo import texts

Record = dict[str, Any]
Order = Literal["created", "-created", "updated", "-updated", "name", "unordered", "random"]

ORDERS: Final[tuple[str, ...]] = get_args(Order)
TODAY: Final = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

#: As a field's value in `edit` and `create`: the record has no such field.
MISSING: Final = object()


def api_time(moment: datetime) -> str:
    """`2026-11-01T09:00:00Z`, with six digits of a second only where there are any (as DRF writes it)."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


class _Shared:
    """A voice or user that many assistants embed: one value, changed in one place."""

    __slots__ = ("value",)

    def __init__(self, value: Record) -> None:
        self.value = value


class _Entry:
    """One row of the account; `body` is what is served, with `_Shared` in place of shared voices and users."""

    __slots__ = ("body", "is_deleted", "is_raw", "number")

    def __init__(self, number: int, body: Any, *, is_raw: bool = False) -> None:
        self.number = number
        self.body = body
        self.is_raw = is_raw
        self.is_deleted = False

    def served(self) -> Any:
        if self.is_raw:
            return self.body
        return {name: value.value if isinstance(value, _Shared) else value for name, value in self.body.items()}


@dataclass(frozen=True)
class Change:
    """One thing that `Account.evolve` did."""

    kind: Literal["edited", "voice renamed", "created", "deleted", "silently edited", "list emptied"]
    subject: str
    """The assistant_id or voice_id."""
    words: str

    def __str__(self) -> str:
        return self.words


class Account:
    """A seeded, plausible account. Every method is thread-safe; every change increases `revision`."""

    def __init__(
        self, seed: int = 1, assistants: int = 120, *, today: datetime | None = None, empty: bool = False
    ) -> None:
        self.seed = seed
        self.revision = 0
        self.lock = threading.RLock()
        self._now = today or TODAY
        self._random = random.Random(f"{seed}:changes")
        self._entries: dict[str, _Entry] = {}
        self._keys: dict[str, tuple[int, list[str]]] = {}
        self._shuffles = 0
        self._voices = {voice["voice_id"]: _Shared(voice) for voice in texts.voices()}
        self._users = {user["email"]: _Shared(user) for user in texts.users()}
        for record in self._drafts(0 if empty else assistants):
            self._add(record["assistant_id"], record)

    @classmethod
    def of(cls, records: Iterable[Any], *, seed: int = 1) -> Self:
        """An account that serves exactly these records, in this order; its clock starts at the newest `updated_at`."""
        account = cls(seed, 0)
        account._voices.clear()
        account._users.clear()
        for record in copy.deepcopy(list(records)):
            identity = record.get("assistant_id") if isinstance(record, dict) else None
            if isinstance(identity, str) and identity not in account._entries:
                account._add(identity, record)
                account._now = max(account._now, _moment(record.get("updated_at")) or account._now)
            else:
                account._add(account._free_key(), record, is_raw=True)
        return account

    # Reading the account

    def live_ids(self) -> list[str]:
        """The ids that the list endpoint serves, in order of creation, without records that have no id."""
        with self.lock:
            served = (entry.body for entry in self._entries.values() if not entry.is_deleted)
            ids = [body.get("assistant_id") for body in served if isinstance(body, dict)]
            return [identity for identity in ids if isinstance(identity, str)]

    def deleted_ids(self) -> list[str]:
        with self.lock:
            return [key for key, entry in self._entries.items() if entry.is_deleted]

    def record(self, assistant_id: str) -> Record:
        """A copy of the assistant as the API serves it; KeyError when it does not exist or is deleted."""
        with self.lock:
            for entry in (self._entries.get(assistant_id), *self._raw_entries()):
                if entry and not entry.is_deleted and isinstance(entry.body, dict):
                    served: Record = entry.served()
                    if served.get("assistant_id") == assistant_id:
                        return copy.deepcopy(served)
        raise KeyError(assistant_id)

    def records(self, order: Order = "created") -> list[Any]:
        """Copies of everything the list endpoint serves."""
        with self.lock:
            return copy.deepcopy(self.page(order)[1])

    def page(self, order: Order = "created", start: int = 0, stop: int | None = None) -> tuple[int, list[Any]]:
        """The size of the account and a slice of it, at one moment. Read only: values are shared, not copied."""
        with self.lock:
            keys = self._ordered(order)
            return len(keys), [self._entries[key].served() for key in keys[start:stop]]

    @property
    def voices(self) -> list[Record]:
        with self.lock:
            return [copy.deepcopy(voice.value) for voice in self._voices.values()]

    @property
    def users(self) -> list[Record]:
        with self.lock:
            return [copy.deepcopy(user.value) for user in self._users.values()]

    @property
    def now(self) -> datetime:
        """The account's own time; no `updated_at` is later."""
        return self._now

    # Changing the account

    def create(self, **fields: Any) -> str:
        """Add a plausible assistant, with `fields` instead of the invented ones. Returns its id."""
        with self.lock:
            moment = api_time(self._tick())
            number = len(self._entries)
            record = texts.assistant(self._random, number, self._voice_values(), self._user_values(), moment, moment)
            record["assistant_id"] = self._new_id()
            self._replace(record, fields)
            identity = record.get("assistant_id")
            key = identity if isinstance(identity, str) else self._free_key()
            if key in self._entries:
                raise ValueError(f"{key} is or was an assistant of this account already")
            self._add(key, record)
            self._changed()
            return key

    def edit(self, assistant_id: str, *, touch: bool = True, **fields: Any) -> None:
        """Replace fields. `touch` moves `updated_at` strictly forward; without it the edit is silent."""
        with self.lock:
            entry = self._live(assistant_id)
            record = dict(entry.body)
            if touch:
                record["updated_at"] = self._later_than(record.get("updated_at"))
            self._replace(record, fields)
            entry.body, entry.is_raw = self._adopted(record), False
            self._changed()

    def delete(self, assistant_id: str) -> None:
        with self.lock:
            self._live(assistant_id).is_deleted = True
            self._tick()
            self._changed()

    def restore(self, assistant_id: str, *, touch: bool = False) -> None:
        """Bring a deleted assistant back as it was, at its old place in the order of creation."""
        with self.lock:
            entry = self._entries[assistant_id]
            if not entry.is_deleted:
                raise ValueError(f"{assistant_id} is not deleted")
            entry.is_deleted = False
            self._tick()
            if touch:
                self.edit(assistant_id)
            self._changed()

    def rename_voice(self, voice_id: str, name: str) -> None:
        """Every assistant that shares the voice shows the new name; no `updated_at` changes."""
        self.edit_voice(voice_id, name=name)

    def edit_voice(self, voice_id: str, /, **fields: Any) -> None:
        self._edit_shared(self._voices, "voice_id", voice_id, fields)

    def edit_user(self, email: str, /, **fields: Any) -> None:
        self._edit_shared(self._users, "email", email, fields)

    def put_raw(self, index_or_id: int | str, record: Any) -> str:
        """Serve `record` verbatim, even if it is not an assistant, in place of one (by id, or by position of creation
        among the live ones). A position or id that does not exist is appended. Returns the key for `delete`: the id of
        the assistant that was replaced."""
        with self.lock:
            key = self._key_at(index_or_id) if isinstance(index_or_id, int) else index_or_id
            if key in self._entries:
                entry = self._entries[key]
                entry.body, entry.is_raw = copy.deepcopy(record), True
            else:
                self._add(key, copy.deepcopy(record), is_raw=True)
            self._tick()
            self._changed()
            return key

    def evolve(self) -> list[Change]:
        """Make the changes of a typical week: prompts edited, a voice renamed, an assistant created, one deleted, one
        edited silently, a list of variables emptied. A small account gets fewer of them."""
        with self.lock:
            ids = [key for key, entry in self._entries.items() if not (entry.is_deleted or entry.is_raw)]
            emptied = [key for key in ids if self._entries[key].body.get("variables")][:1]
            rest = [key for key in ids if key not in emptied]
            chosen = self._random.sample(rest, min(len(rest), 7))
            changes = [self._edit_prompt(key) for key in chosen[2:]]
            changes += [self._empty_variables(key) for key in emptied]
            changes += [self._edit_silently(key) for key in chosen[1:2]]
            changes += [self._rename_a_voice(voice_id) for voice_id in self._most_used_voice()]
            changes += [self._drop(key) for key in chosen[:1]]
            key = self.create()
            changes.append(Change("created", key, f"created {self._label(key)}"))
            return changes

    def _edit_prompt(self, key: str) -> Change:
        prompt = self._entries[key].body.get("prompt")
        prompt, what = texts.edited_prompt(self._random, prompt if isinstance(prompt, str) else "")
        self.edit(key, prompt=prompt)
        return Change("edited", key, f"edited the prompt of {self._label(key)}: {what}")

    def _empty_variables(self, key: str) -> Change:
        self.edit(key, variables=[])
        return Change("list emptied", key, f"emptied the variables of {self._label(key)}")

    def _edit_silently(self, key: str) -> Change:
        self.edit(key, touch=False, begin_message=texts.NEW_GREETING)
        return Change("silently edited", key, f"changed the greeting of {self._label(key)} without moving updated_at")

    def _rename_a_voice(self, voice_id: str) -> Change:
        old = self._voices[voice_id].value.get("name")
        self.rename_voice(voice_id, f"{old} (studio)")
        return Change("voice renamed", voice_id, f"renamed the voice {old} to {old} (studio)")

    def _drop(self, key: str) -> Change:
        label = self._label(key)
        self.delete(key)
        return Change("deleted", key, f"deleted {label}")

    def _most_used_voice(self) -> list[str]:
        used = [entry.body.get("voice") for entry in self._entries.values() if isinstance(entry.body, dict)]
        by_use = sorted(self._voices, key=lambda voice_id: -sum(voice is self._voices[voice_id] for voice in used))
        return by_use[:1]

    def _label(self, key: str) -> str:
        return str(self._entries[key].body.get("name") or "an assistant without a name")

    # Storage

    def _drafts(self, how_many: int) -> Iterable[Record]:
        """Assistants of the two years before `today`, oldest first; the last one was updated at `today`."""
        voices, users = self._voice_values(), self._user_values()
        step = timedelta(days=700) / max(how_many, 1)
        previous: Record | None = None
        for number in range(how_many):
            rng = random.Random(f"{self.seed}:{number}")
            created = self._now - timedelta(days=701) + step * (number + rng.random())
            updated = created + (self._now - created) * rng.random() ** 2
            if number % 5 == 0:
                created, updated = created.replace(microsecond=0), updated.replace(microsecond=0)
            if number == how_many - 1:
                updated = self._now
            record = texts.assistant(rng, number, voices, users, api_time(created), api_time(max(created, updated)))
            record["assistant_id"] = _uuid(rng)
            texts.add_fault(rng, number, record, previous)
            previous = record
            yield record

    def _add(self, key: str, body: Any, *, is_raw: bool = False) -> None:
        adopted = body if is_raw else self._adopted(body)
        self._entries[key] = _Entry(len(self._entries), adopted, is_raw=is_raw)

    def _adopted(self, record: Record) -> Record:
        """The record with its voice and user shared. One that differs from the shared one is served as it is."""
        for field, shared, name in (("voice", self._voices, "voice_id"), ("user", self._users, "email")):
            value = record.get(field)
            identity = value.get(name) if isinstance(value, dict) else value
            if not isinstance(identity, str):
                continue
            if isinstance(value, dict):
                known = shared.setdefault(identity, _Shared(value))
                record[field] = known if known.value == value else value
            elif identity in shared:
                record[field] = shared[identity]
        return record

    def _edit_shared(self, shared: dict[str, _Shared], name: str, identity: str, fields: Record) -> None:
        with self.lock:
            one = shared.pop(identity)
            value = dict(one.value)
            self._replace(value, fields)
            one.value = value
            key = value.get(name)
            shared[key if isinstance(key, str) else identity] = one
            self._tick()
            self._changed()

    @staticmethod
    def _replace(record: Record, fields: Record) -> None:
        for name, value in fields.items():
            if value is MISSING:
                record.pop(name, None)
            else:
                record[name] = copy.deepcopy(value)

    def _live(self, assistant_id: str) -> _Entry:
        entry = self._entries[assistant_id]
        if entry.is_deleted:
            raise KeyError(assistant_id)
        return entry

    def _raw_entries(self) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.is_raw]

    def _ordered(self, order: Order) -> list[str]:
        if order not in ORDERS:
            raise ValueError(f"order {order!r} is none of {', '.join(ORDERS)}")
        revision, keys = self._keys.get(order, (-1, []))
        if revision != self.revision or order == "random":
            keys = self._sorted(order)
            self._keys[order] = (self.revision, keys)
        return keys

    def _sorted(self, order: Order) -> list[str]:
        keys = [key for key, entry in self._entries.items() if not entry.is_deleted]
        if order in ("unordered", "random"):
            self._shuffles += 1
            mark = self.revision if order == "unordered" else self._shuffles
            random.Random(f"{self.seed}:{order}:{mark}").shuffle(keys)
        elif order == "name":
            keys.sort(key=lambda key: (str(self._field(key, "name") or ""), self._entries[key].number))
        elif order in ("updated", "-updated"):
            oldest = datetime.min.replace(tzinfo=UTC)
            keys.sort(key=lambda key: (_moment(self._field(key, "updated_at")) or oldest, self._entries[key].number))
        if order.startswith("-"):
            keys.reverse()
        return keys

    def _field(self, key: str, name: str) -> Any:
        body = self._entries[key].body
        return body.get(name) if isinstance(body, dict) else None

    def _key_at(self, index: int) -> str:
        living = [key for key, entry in self._entries.items() if not entry.is_deleted]
        return living[index] if index < len(living) else self._free_key()

    def _free_key(self) -> str:
        return f"raw-{len(self._entries)}"

    def _new_id(self) -> str:
        return _uuid(self._random)

    def _voice_values(self) -> list[Record]:
        return [voice.value for voice in self._voices.values()]

    def _user_values(self) -> list[Record]:
        return [user.value for user in self._users.values()]

    def _tick(self) -> datetime:
        self._now += timedelta(seconds=self._random.randint(1, 90), microseconds=self._random.randint(1, 999_999))
        if self._random.random() < 0.1:
            self._now = self._now.replace(microsecond=0) + timedelta(seconds=1)
        return self._now

    def _later_than(self, updated_at: object) -> str:
        self._tick()
        before = _moment(updated_at)
        if before and before >= self._now:
            self._now = before
            self._tick()
        return api_time(self._now)

    def _changed(self) -> None:
        self.revision += 1


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
