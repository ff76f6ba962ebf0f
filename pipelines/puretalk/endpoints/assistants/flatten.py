"""Flatten one assistant record into the rows of the normalized tables. Pure: no I/O, the input is never changed.

    {"assistant_id": "3c90…", "name": "Front desk", "voice": {"voice_id": "v1", …}, "variables": ["city"], …}
    →
    assistants           ("3c90…", "Front desk", user_id, voice_id "v1", …, content_hash, extra)
    assistant_variables  ("3c90…", 0, "city", NULL, '"city"')
    voice                a `Shared`: the voice belongs to the account, not to the assistant

Nothing is dropped: what has no column, or does not fit its column's type, goes to `extra` and is reported as drift.
Under a policy, the rows are those of the record as the policy lets it be stored, and the hashes are those of the record
as it came, keyed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from puretalk.endpoints.assistants.states import flatten_states
from puretalk.endpoints.assistants.tables import (
    ASSISTANT_CHATBOT_DOMAINS,
    ASSISTANT_LLM_STATE_TOOLS,
    ASSISTANT_LLM_STATES,
    ASSISTANT_VARIABLES,
    ASSISTANT_VOICE_EMOTIONS,
    ASSISTANTS,
    USERS,
    VOICES,
)
from puretalk.endpoints.assistants.versions import CONTENT_HASHES
from puretalk.endpoints.values import Notes, fit, take_list
from puretalk.json_values import JSONObject, JSONValue, canonical_json, clean_record, hash_text, kind_of
from puretalk.privacy.persons import hash_user_id, identify_user, remove_forgotten
from puretalk.privacy.policy import Policy
from puretalk.privacy.treatment import DROPPED, treat_record
from puretalk.schema import Row, Table

#: Key in `assistants.extra` under which an assistant's deviation from the shared voice or user is kept.
DEVIATES = "_deviates"

_USER_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://puretalk.ai/users")
#: For the columns that hold a field of the API: its name, the column's name and the column's type.
_FIELDS = {
    table.name: tuple((each.api_field, each.name, each.type) for each in table.columns if each.api_field is not None)
    for table in (ASSISTANTS, USERS, VOICES)
}


class RejectedRecordError(ValueError):
    """The record cannot be used at all; str() is the reason."""


@dataclass(frozen=True)
class Shared:
    """A voice or a user as one assistant's record shows it. Several assistants may share it.

    `table` is VOICES or USERS, `key` the primary key of its row. `value` is the object as the API sent it, or as the
    policy lets it be stored; `content_hash` is the SHA-256 of what the API sent, keyed under a policy.
    """

    table: Table
    key: str
    value: JSONObject
    content_hash: str


@dataclass(frozen=True)
class Outline:
    """What a record says, without its rows: all that a sync compares. `drift` names what was not as documented."""

    assistant_id: str
    updated_at: datetime | None
    content_hash: str
    user: Shared | None
    voice: Shared | None
    drift: tuple[str, ...]


@dataclass(frozen=True)
class Flattened(Outline):
    """One record as rows.

    `assistant` is the row of `assistants` without `first_seen_at` and `deleted_at`, which only a sync knows, and
    without `extra`, which is here still an object. `rows` maps a child table's name to its rows in order. `config` is
    the canonical JSON whose SHA-256 is `content_hash`; under a policy, it is that JSON as the policy lets it be stored.
    `earlier`: content hashes that the same configuration has under another policy.
    """

    config: str
    assistant: Row
    extra: JSONObject
    rows: Mapping[str, list[Row]]
    earlier: tuple[str, ...] = ()

    def is_earlier(self, content_hash: str) -> bool:
        """Whether an earlier release, or another policy, gave this same configuration that content hash. A puretalk
        warehouse is carried over before it is compared; the destination of a plain dlt pipeline is not."""
        if content_hash == self.content_hash:
            return False
        if content_hash in self.earlier:
            return True
        config: JSONObject = json.loads(self.config)
        configs = [config]
        if self.user is not None:
            if address := _filled(self.user.value.get("email")):  # in releases up to 0.3, `straße@` was `strasse@`
                configs.append({**config, "user_id": _user_id(address.strip().casefold())})
            else:  # releases up to 0.2 kept a user without an e-mail address in the configuration
                configs.append({**config, "user": self.user.value, "user_id": None})
        return any(hash_value(each) == content_hash for each in configs for hash_value in CONTENT_HASHES.values())


def record_id(record: JSONValue) -> str:
    """The assistant_id of a record. Raises RejectedRecordError when there is none that can be used."""
    if not isinstance(record, dict):
        raise RejectedRecordError(f"the record is {kind_of(record)}, not an object")
    if "assistant_id" not in record:
        raise RejectedRecordError("the record has no assistant_id")
    assistant_id = record["assistant_id"]
    if not isinstance(assistant_id, str) or not assistant_id.strip():
        raise RejectedRecordError(f"the record's assistant_id is {kind_of(assistant_id)}")
    return assistant_id


#: Reported as drift where a record shows a person whom `puretalk forget` removed.
SHOWS_FORGOTTEN = "forgotten person"


def flatten_assistant(record: JSONValue, policy: Policy | None = None) -> Flattened:
    """Rows, shared objects, hash and drift of one record. Raises RejectedRecordError when it cannot be used."""
    record_id(record)
    flatten = _flatten if policy is None else lambda value: _flatten_privately(value, policy)
    try:
        return flatten(record)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 and so every column cannot hold
        return flatten(clean_record(record))
    except RecursionError:
        raise RejectedRecordError("the record is nested too deeply to be treated under the privacy policy") from None


def _flatten_privately(record: JSONValue, policy: Policy) -> Flattened:
    """The rows that the policy lets be stored, with the hash of the real content."""
    assert isinstance(record, dict)
    real = _flatten(record)
    remaining = remove_forgotten(record, policy) if policy.forgotten else None
    kept, counted = (record, real) if remaining is None else (remaining, _flatten(remaining))
    content_hash = policy.hash_content(counted.config)
    hashes = {text for each in (real, counted) for text in (each.content_hash, policy.mac("content", each.config))}
    flat, drift = counted, list[JSONValue](counted.drift)
    if policy.is_on:
        treated = treat_record(kept, policy)
        assert isinstance(treated, dict)
        own = {
            "user": _treat_shared(counted.user, treated.get("user"), policy),
            "voice": _treat_shared(counted.voice, treated.get("voice"), policy),
        }
        flat = _flatten(treated, own)
        # A difference is named by a field, and so by a text of the record.
        drift = _treat_drift(kept, drift, policy)
    return replace(
        flat,
        assistant={**flat.assistant, "content_hash": content_hash},
        content_hash=content_hash,
        drift=(*map(str, drift), *(() if remaining is None else (SHOWS_FORGOTTEN,))),
        earlier=tuple(sorted(hashes - {content_hash})),
    )


def keep_rejected(record: JSONValue, policy: Policy) -> tuple[JSONValue, str]:
    """A record that cannot be used, as the policy lets it be stored, and its hash."""
    try:
        if policy.forgotten and isinstance(record, dict):
            record = remove_forgotten(record, policy) or record
        record_hash = policy.hash_content(canonical_json(record))
        return treat_record(record, policy) if policy.is_on else record, record_hash
    except RecursionError:
        return DROPPED, policy.hash_content(canonical_json(record))


def _treat_shared(real: Shared | None, treated: JSONValue, policy: Policy) -> Shared | None:
    """A user or voice of which `treated` is what the policy lets be stored."""
    if real is None or not isinstance(treated, dict):
        return None
    key, identity = real.key, identify_user(real.value) if real.table is USERS else None
    if identity is not None and policy.hides_users:
        key = hash_user_id(identity, policy)
    return Shared(real.table, key, treated, policy.hash_content(canonical_json(real.value)))


def _treat_drift(record: JSONObject, drift: list[JSONValue], policy: Policy) -> list[JSONValue]:
    own = {name: record.get(name) for name in ("user", "phone_number")}
    treated = treat_record({**own, "drift": drift}, policy)
    found = treated.get("drift") if isinstance(treated, dict) else None
    return found if isinstance(found, list) else []


def _flatten(record: JSONValue, own: Mapping[str, Shared | None] = MappingProxyType({})) -> Flattened:
    """`own`: the user and the voice of the record, where they are known."""
    assert isinstance(record, dict)
    assistant_id = record_id(record)
    notes = Notes()
    row: Row = {}
    rest = dict(record)
    for name, column, type_ in _FIELDS[ASSISTANTS.name]:
        if name in rest:
            row[column] = fit(rest.pop(name), type_, name, notes)

    config: JSONObject = {name: value for name, value in record.items() if name not in ("user", "voice")}
    for name in ("user_id", "voice_id"):  # an API field of that name must not be taken for our key
        if name in config:
            config[f"api.{name}"] = config.pop(name)
    shown = {"user": rest.pop("user", None), "voice": rest.pop("voice", None)}
    user = own.get("user") or _share(shown["user"], USERS, config, notes)
    voice = own.get("voice") or _share(shown["voice"], VOICES, config, notes)
    row["user_id"] = config["user_id"] = user.key if user else None
    row["voice_id"] = config["voice_id"] = voice.key if voice else None

    rows: dict[str, list[Row]] = {
        ASSISTANT_VARIABLES.name: _variables(assistant_id, take_list(rest, "variables", notes)),
        ASSISTANT_VOICE_EMOTIONS.name: _strings(
            assistant_id, "emotion", take_list(rest, "voice_emotion", notes), notes, "voice_emotion"
        ),
        ASSISTANT_CHATBOT_DOMAINS.name: _strings(
            assistant_id,
            "domain",
            take_list(rest, "chatbot_whitelisted_domains", notes),
            notes,
            "chatbot_whitelisted_domains",
        ),
    }
    states, tools = flatten_states(assistant_id, take_list(rest, "llm_states", notes), notes)
    rows[ASSISTANT_LLM_STATES.name] = states
    rows[ASSISTANT_LLM_STATE_TOOLS.name] = tools

    for name, value in rest.items():
        notes.keep("unknown field", f"api.{name}" if name == DEVIATES else name, value)
    updated_at = row.get("updated_at")
    if isinstance(updated_at, datetime):  # a claim about the configuration, not a part of it
        del config["updated_at"]
    text = canonical_json(config)
    content_hash = hash_text(text)
    row["content_hash"] = content_hash
    return Flattened(
        assistant_id=assistant_id,
        updated_at=updated_at if isinstance(updated_at, datetime) else None,
        content_hash=content_hash,
        config=text,
        assistant=row,
        extra=notes.extra,
        rows=rows,
        user=user,
        voice=voice,
        drift=tuple(dict.fromkeys(notes.drift)),
    )


def flatten_shared(shared: Shared) -> Row:
    """The row of `voices` or `users` for a voice or user object."""
    notes = Notes()
    row: Row = {}
    rest = dict(shared.value)
    for name, column, type_ in _FIELDS[shared.table.name]:
        if name in rest:
            row[column] = fit(rest.pop(name), type_, name, notes)
    row[shared.table.key[0]] = shared.key
    for name, value in rest.items():
        notes.keep("unknown field", name, value)
    row["content_hash"] = shared.content_hash
    row["extra"] = canonical_json(notes.extra) if notes.extra else None
    return row


def find_deviation(own: Shared, shared: Shared) -> JSONObject:
    """The fields in which a voice or user in one assistant's record differs from the shared one."""
    mine, theirs = _texts(own.value), _texts(shared.value)
    return {
        name: own.value.get(name) for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)
    }


def _texts(value: JSONObject) -> dict[str, str]:
    """The canonical JSON of each field: for Python, false equals 0, 0.0 and -0.0."""
    return {name: canonical_json(each) for name, each in value.items()}


def _share(value: JSONValue, table: Table, config: JSONObject, notes: Notes) -> Shared | None:
    """The shared object in `user` or `voice`. One without a key stays in the assistant's configuration."""
    if value is None:
        return None
    if isinstance(value, dict):
        found = read_shared_object(table.name, canonical_json(value))
        if found is not None:
            shared, drift = found
            notes.drift += drift
            return shared
    name = "user" if table is USERS else "voice"
    config[name] = value
    notes.keep("no key in", name, value)
    return None


def share_user(value: JSONObject) -> Shared | None:
    """The user of an object, with its key; None when it has none."""
    found = read_shared_object(USERS.name, canonical_json(value))
    return found[0] if found else None


@lru_cache(maxsize=10_000)  # an account has few, and each stands in many records
def read_shared_object(table_name: str, text: str) -> tuple[Shared, tuple[str, ...]] | None:
    """The user or voice of a canonical JSON text, with its drift; None when it has no key."""
    table, name = (USERS, "user") if table_name == USERS.name else (VOICES, "voice")
    value: JSONObject = json.loads(text)
    key = _user_key(value) if table is USERS else _filled(value.get("voice_id"))
    if key is None:
        return None
    notes = Notes(where=f"{name}.")
    known = set()
    for field_name, _, type_ in _FIELDS[table_name]:
        known.add(field_name)
        if field_name in value:
            fit(value[field_name], type_, field_name, notes)
    notes.drift += [f"unknown field {name}.{field_name}" for field_name in value if field_name not in known]
    return Shared(table, key, value, hash_text(text)), tuple(notes.drift)


def _user_key(user: JSONObject) -> str | None:
    """The key of a user, made from what names the user. None when that is blank."""
    identity = identify_user(user)
    return None if identity is None else _user_id(identity)


def _user_id(identity: str) -> str:
    return str(uuid.uuid5(_USER_NAMESPACE, identity))


def _filled(value: JSONValue) -> str | None:
    """The value, where it is a text that is not blank."""
    return value if isinstance(value, str) and value.strip() else None


def _variables(assistant_id: str, items: list[JSONValue]) -> list[Row]:
    rows: list[Row] = []
    for position, item in enumerate(items):
        name: JSONValue = item
        value: JSONValue = None
        if isinstance(item, dict):
            name, value = item.get("name"), item.get("value")
        rows.append(
            {
                "assistant_id": assistant_id,
                "position": position,
                "name": name if isinstance(name, str) else None,
                "value": value if value is None or isinstance(value, str) else canonical_json(value),
                "item": canonical_json(item),
            }
        )
    return rows


def _strings(assistant_id: str, column: str, items: list[JSONValue], notes: Notes, path: str) -> list[Row]:
    rows: list[Row] = []
    for position, item in enumerate(items):
        if not isinstance(item, str):
            notes.drift.append(f"no text {path}[]")
        rows.append(
            {
                "assistant_id": assistant_id,
                "position": position,
                column: item if isinstance(item, str) else None,
                "item": canonical_json(item),
            }
        )
    return rows
