"""What the warehouse must hold, worked out from the API's records alone: the judge over the connector.

    assert compare(account.records(), path) == []

Written from the description of the tables, not from the code that fills them, and it shares nothing with that code but
the names of tables and columns: who changes how a record is flattened has to convince a second, independent reading.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

Json = Any
Rows = dict[tuple[Any, ...], dict[str, Any]]

#: Differences that are listed one by one; the rest is counted.
LISTED = 50

_SCALAR_NAMES = {
    "text": """name assistant_type model prompt who_speaks_first begin_message phone_number timezone knowledge_base
        custom_knowledge_base avatar post_analysis tools chatbot_logo chatbot_accent_color chatbot_faq
        chatbot_begin_message""",
    "double": "voice_stability voice_clarity_similarity voice_speed reminder_message_frequency max_reminder_messages",
    "bigint": "voice_stream_latency_optimization behavior",
    "bool": "voice_boost call_recording_enabled",
    "instant": "created_at updated_at",
}
_SCALARS = {name: kind for kind, names in _SCALAR_NAMES.items() for name in names.split()}
_USER = dict.fromkeys(("name", "dp", "email"), "text")
_VOICE = {
    **dict.fromkeys(("voice_id", "name", "avatar", "gender", "demo_audio_url", "language", "description"), "text"),
    "is_cloned": "bool",
}
_SHARED_KEYS = {"users": "user_id", "voices": "voice_id"}
_LISTS = ("variables", "voice_emotion", "chatbot_whitelisted_domains", "llm_states")

#: Table → key columns, then the others; `:json` and `:instant` say how a column is read.
_LAYOUT = {
    "assistants": (
        ("assistant_id",),
        (
            *(f"{name}:instant" if kind == "instant" else name for name, kind in _SCALARS.items()),
            *("user_id", "voice_id", "content_hash", "first_seen_at:instant", "deleted_at:instant", "extra:json"),
        ),
    ),
    "users": (("user_id",), (*_USER, "content_hash", "extra:json")),
    "voices": (("voice_id",), (*(name for name in _VOICE if name != "voice_id"), "content_hash", "extra:json")),
    "assistant_variables": (("assistant_id", "position"), ("name", "value", "item:json")),
    "assistant_voice_emotions": (("assistant_id", "position"), ("emotion", "item:json")),
    "assistant_chatbot_domains": (("assistant_id", "position"), ("domain", "item:json")),
    "assistant_llm_states": (
        ("assistant_id", "node"),
        (
            *("parent_node", "state_id", "parent_state_id", "depth", "path", "sibling_position"),
            *("name", "description", "prompt", "x", "y", "parameters:json", "extra:json"),
        ),
    ),
    "assistant_llm_state_tools": (
        ("assistant_id", "node", "position"),
        ("type", "function_id", "function_name", "function_description", "parameters:json", "item:json"),
    ),
    "assistant_versions": (
        ("assistant_id", "observed_at:instant"),
        ("updated_at:instant", "content_hash", "is_silent", "previous_deleted_at:instant", "config:json"),
    ),
    "rejected_records": (("record_hash",), ("observed_at:instant", "reason", "record:json")),
}
_CHILDREN = (
    "assistant_variables",
    "assistant_voice_emotions",
    "assistant_chatbot_domains",
    "assistant_llm_states",
    "assistant_llm_state_tools",
)


def compare(
    records: Iterable[Json],
    where: duckdb.DuckDBPyConnection | str | Path,
    *,
    deleted_ids: Iterable[str] = (),
    schema: str = "puretalk",
) -> list[str]:
    """Every difference between what the API serves at rest and what the warehouse holds, in words; empty when none.

    `records` is the whole list. `deleted_ids` are ids that a sync once saw alive: they must be there, with deleted_at.
    Not looked at: child rows of deleted assistants, users and voices that no live assistant uses.
    """
    account = _Account(records)
    with _opened(where) as connection:
        tables = {name: _read(connection, schema, name) for name in _LAYOUT if name != "assistant_versions"}
        first_and_last = _read_ends_of_history(connection, schema)
        once_used = {name: _read_once_used(connection, schema, key) for name, key in _SHARED_KEYS.items()}
    stored = {key[0]: row for key, row in tables["assistants"].items()}
    judge = _Judge(words for table in tables.values() for words in table.doubles)
    views = {"users": _views(account, "user"), "voices": _views(account, "voice")}
    standing = {name: _judge_shared(judge, name, views[name], once_used[name], tables[name]) for name in views}

    live = {assistant_id for assistant_id, row in stored.items() if row["deleted_at"] is None}
    for assistant_id in sorted(account.records.keys() - stored.keys()):
        judge.say(f"assistants: {assistant_id} is missing")
    for assistant_id in sorted((account.records.keys() & stored.keys()) - live):
        judge.say(f"assistants: {assistant_id} has deleted_at, and the API serves it")
    for assistant_id in sorted(live - account.records.keys()):
        judge.say(f"assistants: {assistant_id} lives, and the API does not serve it")
    for assistant_id in sorted(set(deleted_ids) - stored.keys()):
        judge.say(f"assistants: {assistant_id} was deleted, and its row is gone")

    for assistant_id, record in account.records.items():
        row = stored.get(assistant_id)
        if row is not None:
            _judge_assistant(judge, record, row, standing, first_and_last.get(assistant_id))
    _judge_children(judge, account, stored.keys(), tables)
    _judge_rejected(judge, account, tables["rejected_records"])
    return judge.verdict()


def compare_history(
    records: Iterable[Json], where: duckdb.DuckDBPyConnection | str | Path, *, schema: str = "puretalk"
) -> list[str]:
    """What is wrong with `assistant_versions`, in words; empty when nothing is.

    Each assistant that was ever seen has versions; the newest is the record that the API serves; each config has its
    hash; none repeats the one before it, unless the assistant had been deleted in between; silent ones are marked.
    """
    account = _Account(records)
    with _opened(where) as connection:
        versions = _read(connection, schema, "assistant_versions")
        assistants = _read(connection, schema, "assistants")
    judge = _Judge(versions.doubles)
    lives: dict[str, list[dict[str, Any]]] = {}
    for (assistant_id, observed_at), row in sorted(versions.items(), key=lambda entry: entry[0][1] or 0):
        if assistant_id is None or observed_at is None or row["config"] is None:
            judge.say(f"assistant_versions: ({assistant_id}, {observed_at}) lacks a key or its config")
            continue
        lives.setdefault(assistant_id, []).append({**row, "observed_at": observed_at})
    for (assistant_id,), row in assistants.items():
        life = lives.pop(assistant_id, [])
        label = f"assistant_versions: {assistant_id}"
        if not life:
            judge.say(f"{label} has no version")
            continue
        if life[0]["observed_at"] != row["first_seen_at"]:
            judge.say(f"{label} begins at another time than assistants.first_seen_at")
        for number, version in enumerate(life):
            _judge_version(judge, f"{label} #{number}", version, life[number - 1] if number else None)
        newest = life[-1]
        for name in ("content_hash", "updated_at"):
            if newest[name] != row[name]:
                judge.say(f"{label}: {name} of the newest version is {newest[name]!r}, assistants has {row[name]!r}")
        record = account.records.get(assistant_id)
        if record is not None and newest["config"] != _Parsed(record.config(row["extra"])):
            judge.say(f"{label}: config of the newest version is not what the API serves")
    for assistant_id in sorted(lives):
        judge.say(f"assistant_versions: {assistant_id} is not in assistants")
    return judge.verdict()


def _judge_version(judge: _Judge, label: str, version: dict[str, Any], before: dict[str, Any] | None) -> None:
    if _sha256(version["config"]) != version["content_hash"]:
        judge.say(f"{label}: content_hash is not the SHA-256 of config")
    came_back = version["previous_deleted_at"]
    if came_back is not None and not (before and before["observed_at"] < came_back < version["observed_at"]):
        judge.say(f"{label}: previous_deleted_at is not between this version and the one before")
    is_same = before is not None and before["content_hash"] == version["content_hash"]
    is_same_moment = before is not None and before["updated_at"] == version["updated_at"]
    if is_same and is_same_moment and came_back is None:
        judge.say(f"{label} repeats the one before")
    if version["is_silent"] is not (is_same_moment and not is_same):
        judge.say(f"{label}: is_silent is {version['is_silent']}")


class _Judge:
    def __init__(self, found: Iterable[str] = ()) -> None:
        self.found = list(found)

    def say(self, words: str) -> None:
        self.found.append(words)

    def cell(self, table: str, key: object, column: str, stored: object, expected: object) -> None:
        if not _same(stored, expected):
            self.say(f"{table}.{column} of {key}: {_short(stored)} instead of {_short(expected)}")

    def verdict(self) -> list[str]:
        more = len(self.found) - LISTED
        return self.found if more <= 0 else [*self.found[:LISTED], f"… and {more} differences more"]


# What the API says


class _Record:
    """One usable record, storable: `surrogates` are the texts in it that no UTF-8 can hold, as they came."""

    def __init__(self, record: Json) -> None:
        self.surrogates: list[str] = []
        self.value = _storable(record, self.surrogates)
        self.assistant_id: str = self.value["assistant_id"]
        self.user_id = user_key(self.value.get("user"))
        self.user = self.value["user"] if self.user_id is not None else None
        voice = self.value.get("voice")
        self.voice = voice if isinstance(voice, dict) and _has_text(voice, "voice_id") else None
        self.voice_id = self.voice["voice_id"] if self.voice is not None else None

    def scalars(self) -> tuple[dict[str, Any], dict[str, Json]]:
        """The values of the columns, and what `extra` must hold."""
        columns, extra = _columns(self.value, _SCALARS)
        del extra["assistant_id"]
        for name, found in (("user", self.user), ("voice", self.voice)):
            if found is not None or extra.get(name) is None:
                extra.pop(name, None)
        for name in _LISTS:
            if isinstance(extra.get(name), list | None):
                extra.pop(name, None)
        return columns, extra

    def items(self, name: str) -> list[Json]:
        value = self.value.get(name)
        return value if isinstance(value, list) else []

    def config(self, stored_extra: str | None) -> Json:
        """The configuration: the record with keys for the shared objects. How unstorable texts are filed is taken from
        the stored `extra`, where it is looked at by itself."""
        config = {name: value for name, value in self.value.items() if name not in ("user", "voice")}
        for name in ("user_id", "voice_id"):
            if name in config:
                config[f"api.{name}"] = config.pop(name)
        config |= {"user_id": self.user_id, "voice_id": self.voice_id}
        for name, found in (("user", self.user), ("voice", self.voice)):
            if found is None and self.value.get(name) is not None:
                config[name] = self.value[name]
        if _instant(config.get("updated_at")) is not _NO:
            config.pop("updated_at", None)
        if self.surrogates and stored_extra:
            config["_unencodable"] = json.loads(stored_extra).get("_unencodable")
        return config


def user_key(user: Json) -> str | None:
    """Whose row in `users` it is: by e-mail, else by name and picture. None for a user who has none of the three."""
    if not isinstance(user, dict) or not any(_has_text(user, name) for name in ("email", "name", "dp")):
        return None
    if _has_text(user, "email"):
        return str(uuid.uuid5(_USERS, user["email"].strip().lower()))
    return str(uuid.uuid5(_USERS, f" {_canonical([user.get('name'), user.get('dp')])}"))


def _has_text(value: dict[str, Json], name: str) -> bool:
    return isinstance(value.get(name), str) and value[name].strip() != ""


class _Account:
    """The whole list, by id; what has no usable id apart."""

    def __init__(self, records: Iterable[Json]) -> None:
        self.records: dict[str, _Record] = {}
        self.rejected: list[Json] = []
        for record in records:
            identity = record.get("assistant_id") if isinstance(record, dict) else None
            if isinstance(identity, str) and identity.strip():
                usable = _Record(record)
                self.records[usable.assistant_id] = usable
            else:
                self.rejected.append(_storable(record, []))


_USERS = uuid.uuid5(uuid.NAMESPACE_URL, "https://puretalk.ai/users")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _storable(value: Json, unstorable: list[str]) -> Json:
    """The value with U+FFFD for each half of a character, and text for numbers that JSON does not know."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return _replaced(value, unstorable)
    return value


def _replaced(value: Json, unstorable: list[str]) -> Json:
    if isinstance(value, dict):
        result: dict[str, Json] = {}
        for name, item in value.items():
            storable = _replaced(name, unstorable)
            while storable != name and (storable in value or storable in result):
                storable += "\ufffd"  # names that differ only in what cannot be stored stay apart
            result[storable] = _replaced(item, unstorable)
        return result
    if isinstance(value, list):
        return [_replaced(item, unstorable) for item in value]
    if isinstance(value, str):
        if _SURROGATE.search(value):
            unstorable.append(value)
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]
    return value


# How a value becomes a column

_NO = object()
_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\Z")
_ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[Tt](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)?\s*\Z"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _columns(value: dict[str, Json], kinds: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Json]]:
    columns: dict[str, Any] = {}
    rest = dict(value)
    for name, kind in kinds.items():
        item = rest.pop(name, None)
        columns[name] = None if item is None else _FIT[kind](item)
        if columns[name] is _NO:
            columns[name] = None
            rest[name] = item
    return columns, rest


def _text(value: Json) -> Any:
    return value if isinstance(value, str) else _NO


def _bool(value: Json) -> Any:
    return value if isinstance(value, bool) else _NO


def _number(value: Json) -> int | float | None:
    if isinstance(value, str) and _DECIMAL.match(value):
        return int(value) if value.lstrip("+-").isdigit() and len(value) < 40 else float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _double(value: Json) -> Any:
    number = _number(value)
    if number is None or not abs(number) < 2**1024:
        return _NO
    # A number has to be one that a double can hold; of a text, which is decimal, the nearest one is meant.
    return float(number) if isinstance(value, str) or float(number) == number else _NO


def _bigint(value: Json) -> Any:
    number = _number(value)
    if number is None or not -(2**63) <= number < 2**63 or number != int(number):
        return _NO
    return int(number)


def _instant(value: Json) -> Any:
    """Microseconds since 1970; without an offset it is UTC."""
    found = _ISO.match(value) if isinstance(value, str) else None
    if not found:
        return _NO
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction = int(((found[7] or "") + "000000")[:6])
    ahead = timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0))
    try:
        zone = timezone(-ahead if found[9] == "-" else ahead)
        moment = datetime(year, month, day, hour, minute, second, fraction, zone)
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return _NO


_FIT = {"text": _text, "bool": _bool, "double": _double, "bigint": _bigint, "instant": _instant}


def _string(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _named(item: Json) -> tuple[str | None, Json]:
    """Name and value of a variable."""
    return (_string(item.get("name")), item.get("value")) if isinstance(item, dict) else (_string(item), None)


# The rows of one assistant


def _list_rows(record: _Record, table: str) -> Iterator[dict[str, Any]]:
    if table == "assistant_variables":
        for item in record.items("variables"):
            name, value = _named(item)
            yield {"name": name, "value": _value_text(value), "item": _Parsed(item)}
    elif table == "assistant_voice_emotions":
        yield from ({"emotion": _string(item), "item": _Parsed(item)} for item in record.items("voice_emotion"))
    else:
        items = record.items("chatbot_whitelisted_domains")
        yield from ({"domain": _string(item), "item": _Parsed(item)} for item in items)


def _value_text(value: Json) -> Any:
    return value if value is None or isinstance(value, str) else _Parsed(value)


def _tree_rows(record: _Record) -> tuple[Rows, Rows]:
    """Expected states and tools, by their keys. Recursive, as the tree is."""
    states: Rows = {}
    tools: Rows = {}

    def visit(items: list[Json], above: tuple[str, ...], parent: int | None, parent_state_id: str | None) -> None:
        for place, item in enumerate(items):
            node = len(states)
            path = (*above, str(place))
            row: dict[str, Any] = dict.fromkeys(("state_id", "name", "description", "prompt", "x", "y", "parameters"))
            row |= {
                "parent_node": parent,
                "parent_state_id": parent_state_id,
                "depth": len(above),
                "path": "/".join(path),
                "sibling_position": place,
                "extra": None,
            }
            states[record.assistant_id, node] = row
            if not isinstance(item, dict):
                row["extra"] = _Parsed(item)
                continue
            texts, rest = _columns(item, dict.fromkeys(("state_id", "name", "description", "prompt"), "text"))
            row |= texts
            parameters = rest.pop("parameters", None)
            row["parameters"] = None if parameters is None else _Parsed(parameters)
            if isinstance(rest.get("position"), dict):
                numbers, left = _columns(rest.pop("position"), {"x": "double", "y": "double"})
                row |= numbers
                if left:
                    rest["position"] = left
            children: list[Json] = []
            for name in ("tools", "children", "position"):
                if rest.get(name, _NO) is None:
                    del rest[name]
            if isinstance(rest.get("children"), list):
                children = rest.pop("children")
            if isinstance(rest.get("tools"), list):
                for position, tool in enumerate(rest.pop("tools")):
                    tools[record.assistant_id, node, position] = _tool_row(tool)
            row["extra"] = _Parsed(rest) if rest else None
            visit(children, path, node, texts["state_id"])

    visit(record.items("llm_states"), (), None, None)
    return states, tools


def _tool_row(tool: Json) -> dict[str, Any]:
    outer = tool if isinstance(tool, dict) else {}
    function = outer.get("function")
    inner = function if isinstance(function, dict) else {}
    parameters = inner.get("parameters")
    return {
        "type": _string(outer.get("type")),
        "function_id": _string(outer.get("functionId")),
        "function_name": _string(inner.get("name")),
        "function_description": _string(inner.get("description")),
        "parameters": None if parameters is None else _Parsed(parameters),
        "item": _Parsed(tool),
    }


# Judging


def _judge_assistant(
    judge: _Judge,
    record: _Record,
    row: dict[str, Any],
    standing: Mapping[str, Mapping[str, Json]],
    history: tuple[Any, ...] | None,
) -> None:
    assistant_id = record.assistant_id
    columns, extra = record.scalars()
    columns |= {"user_id": record.user_id, "voice_id": record.voice_id}
    for name, expected in columns.items():
        judge.cell("assistants", assistant_id, name, row[name], expected)
    _judge_extra(judge, record, row["extra"], extra, standing)
    digest = _sha256(_canonical(record.config(row["extra"])))
    judge.cell("assistants", assistant_id, "content_hash", row["content_hash"], digest)
    if history is None:
        judge.say(f"assistant_versions: {assistant_id} has no version")
        return
    first_seen_at, updated_at, content_hash = history
    judge.cell("assistants", assistant_id, "first_seen_at", row["first_seen_at"], first_seen_at)
    judge.cell("assistant_versions", assistant_id, "updated_at (newest)", updated_at, row["updated_at"])
    judge.cell("assistant_versions", assistant_id, "content_hash (newest)", content_hash, row["content_hash"])


def _judge_extra(
    judge: _Judge,
    record: _Record,
    text: str | None,
    expected: dict[str, Json],
    standing: Mapping[str, Mapping[str, Json]],
) -> None:
    """`extra`: unknown fields, values that do not fit, deviations from the shared voice and user, unstorable texts."""
    stored = json.loads(text) if text is not None else {}
    if not isinstance(stored, dict) or (text is not None and not stored):
        judge.say(f"assistants.extra of {record.assistant_id}: {_short(text)} is not an object with fields")
        return
    kept = stored.pop("_unencodable", {}) if record.surrogates else {}
    if Counter(json.loads(f'"{escaped}"') for escaped in kept.values()) != Counter(record.surrogates):
        judge.say(f"assistants.extra of {record.assistant_id}: _unencodable is {_short(kept)}")
    deviates = {}
    for name, table, own, key in (
        ("user", "users", record.user, record.user_id),
        ("voice", "voices", record.voice, record.voice_id),
    ):
        shared = standing[table].get(key) if key is not None else None
        if own is not None and shared is not None:
            names = own.keys() | shared.keys()
            differs = {name: own.get(name) for name in names if not _same(own.get(name, _NO), shared.get(name, _NO))}
            if differs:
                deviates[name] = differs
    wanted = {**expected, "_deviates": deviates} if deviates else expected
    judge.cell("assistants", record.assistant_id, "extra", _Parsed(stored), _Parsed(wanted))


def _judge_children(judge: _Judge, account: _Account, seen: Iterable[str], tables: Mapping[str, _Table]) -> None:
    expected: dict[str, Rows] = {table: {} for table in _CHILDREN}
    for assistant_id, record in account.records.items():
        for table in _CHILDREN[:3]:
            for position, row in enumerate(_list_rows(record, table)):
                expected[table][assistant_id, position] = row
        states, tools = _tree_rows(record)
        expected["assistant_llm_states"].update(states)
        expected["assistant_llm_state_tools"].update(tools)
    gone = set(seen) - account.records.keys()
    for table in _CHILDREN:
        stored = tables[table]
        for key in sorted(expected[table].keys() - stored.keys()):
            judge.say(f"{table}: {key} is missing")
        for key in stored.keys() - expected[table].keys():
            if key[0] not in gone:
                judge.say(f"{table}: {key} is one too many")
        for key, wanted in expected[table].items():
            held = stored.get(key)
            if held is not None:
                for name, value in wanted.items():
                    if held[name] != value:
                        judge.cell(table, key, name, held[name], value)


def _views(account: _Account, name: str) -> dict[str, list[tuple[int, Json]]]:
    """How the assistants show a user or voice: its key → (when the assistant was changed, the object)."""
    views: dict[str, list[tuple[int, Json]]] = {}
    for record in account.records.values():
        value, key = (record.user, record.user_id) if name == "user" else (record.voice, record.voice_id)
        if value is not None and key is not None:
            moment = _instant(record.value.get("updated_at"))
            views.setdefault(key, []).append((-(2**62) if moment is _NO else moment, value))
    return views


def _judge_shared(
    judge: _Judge,
    name: str,
    views: Mapping[str, list[tuple[int, Json]]],
    once_used: set[str],
    stored: _Table,
) -> dict[str, Json]:
    """A user or voice must be as the assistant shows it that was changed last. Returns those that are, by key."""
    kinds = _USER if name == "users" else _VOICE
    standing: dict[str, Json] = {}
    for identity, shown in views.items():
        row = stored.get((identity,))
        if row is None:
            judge.say(f"{name}: {identity} is missing")
            continue
        last = max(moment for moment, _ in shown)
        newest = [value for moment, value in shown if moment == last]
        right = next((value for value in newest if _sha256(_canonical(value)) == row["content_hash"]), newest[0])
        judge.cell(name, identity, "content_hash", row["content_hash"], _sha256(_canonical(right)))
        columns, extra = _columns(right, kinds)
        columns.pop(_SHARED_KEYS[name], None)
        for column, expected in columns.items():
            judge.cell(name, identity, column, row[column], expected)
        judge.cell(name, identity, "extra", row["extra"], _Parsed(extra) if extra else None)
        standing[identity] = right
    for (identity,) in stored:
        if identity not in views and identity not in once_used:
            judge.say(f"{name}: {identity} is used by no assistant that was ever there")
    return standing


def _judge_rejected(judge: _Judge, account: _Account, stored: _Table) -> None:
    """Those that the API serves now must be there, as they came; older ones may."""
    for (digest,), row in stored.items():
        if row["observed_at"] is None or not row["reason"]:
            judge.say(f"rejected_records.observed_at or reason of {digest} is empty")
        if row["record"] is None or digest != _sha256(_canonical(json.loads(row["record"]))):
            judge.say(f"rejected_records.record_hash is not the SHA-256 of record: {digest}")
    for record in account.rejected:
        if (_sha256(_canonical(record)),) not in stored:
            judge.say(f"rejected_records: {_short(record)} is missing")


# Reading the warehouse


class _Table(Rows):
    """Rows by key; `doubles` says which keys came twice."""

    def __init__(self) -> None:
        super().__init__()
        self.doubles: list[str] = []


class _Parsed:
    """JSON by its value: equal to any text with the same value."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Json) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Parsed):
            return _same(self.value, other.value)
        if not isinstance(other, str):
            return False
        if other == _canonical(self.value):
            return True
        try:
            return _same(json.loads(other), self.value)
        except ValueError:
            return False

    def __repr__(self) -> str:
        return _canonical(self.value)


@contextlib.contextmanager
def _opened(where: duckdb.DuckDBPyConnection | str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if isinstance(where, duckdb.DuckDBPyConnection):
        yield where
    else:
        with contextlib.closing(duckdb.connect(str(where), read_only=True)) as connection:
            yield connection


def _read(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> _Table:
    key, others = _LAYOUT[name]
    names, expressions = [], []
    for column, _, kind in (text.partition(":") for text in (*key, *others)):
        names.append(column)
        expressions.append(
            {"json": f'CAST("{column}" AS VARCHAR)', "instant": f'epoch_us("{column}")'}.get(kind, f'"{column}"')
        )
    table = _Table()
    for values in connection.execute(f'SELECT {", ".join(expressions)} FROM {schema}."{name}"').fetchall():
        place = values[: len(key)]
        if place in table:
            table.doubles.append(f"{name}: {place} is there twice")
        table[place] = dict(zip(names, values, strict=True))
    return table


def _read_ends_of_history(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, tuple[Any, ...]]:
    """By assistant: when the first version was observed, updated_at and content_hash of the newest."""
    rows = connection.execute(
        f"SELECT assistant_id, epoch_us(observed_at), epoch_us(updated_at), content_hash "
        f"FROM {schema}.assistant_versions ORDER BY observed_at"
    ).fetchall()
    ends: dict[str, tuple[Any, ...]] = {}
    for assistant_id, observed_at, updated_at, content_hash in rows:
        first = ends[assistant_id][0] if assistant_id in ends else observed_at
        ends[assistant_id] = (first, updated_at, content_hash)
    return ends


def _read_once_used(connection: duckdb.DuckDBPyConnection, schema: str, key: str) -> set[str]:
    """Keys of the users or voices that any version of any assistant had."""
    sql = f"SELECT DISTINCT json_extract_string(config, '$.{key}') FROM {schema}.assistant_versions"
    return {found for (found,) in connection.execute(sql).fetchall() if found is not None}


def _same(one: object, other: object) -> bool:
    """Equal in value and kind: 1 equals 1.0, but not true."""
    if one is other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[\d.]+(?:e[+-]?\d+)?')


def _canonical(value: Json) -> str:
    """Python's JSON with its floats in the form that the warehouse promises."""

    def restate(token: re.Match[str]) -> str:
        text = token[0]
        if text.startswith('"') or not set(text) & {".", "e"}:
            return text
        if 1e-5 <= abs(float(text)) < 1e-4:
            return format(Decimal(text), "f")
        return re.sub(r"e\+?(-?)0*", r"e\1", text)

    return _TOKEN.sub(restate, json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
