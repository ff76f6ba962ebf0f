"""Flatten one assistant record into the rows of the normalized tables. Pure: no I/O, the input is never changed.

    {"assistant_id": "3c90…", "name": "Front desk", "voice": {"voice_id": "v1", …}, "variables": ["city"], …}
    →
    assistants           ("3c90…", "Front desk", user_id, voice_id "v1", …, content_hash, extra)
    assistant_variables  ("3c90…", 0, "city", NULL, '"city"')
    voice                a `Shared`: the voice belongs to the account, not to the assistant

Nothing is dropped: what has no column, or does not fit its column's type, goes to `extra` and is reported as drift.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, combinations
from typing import Any

from puretalk.assistants.tables import (
    ASSISTANT_CHATBOT_DOMAINS,
    ASSISTANT_LLM_STATE_TOOLS,
    ASSISTANT_LLM_STATES,
    ASSISTANT_VARIABLES,
    ASSISTANT_VOICE_EMOTIONS,
    ASSISTANTS,
    USERS,
    VOICES,
)
from puretalk.json_values import JSONObject, JSONValue, canonical_json, clean_record, hash_json, hash_text
from puretalk.schema import ColumnType, Table

#: A row: column name → value (str, float, int, bool, aware datetime, or JSON text). Absent columns are NULL.
Row = dict[str, Any]

#: Key in `assistants.extra` under which an assistant's deviation from the shared voice or user is kept.
DEVIATES = "_deviates"

_USER_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://puretalk.ai/users")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\Z")
_MISFIT = object()


class RejectedRecordError(ValueError):
    """The record cannot be used at all; str() is the reason."""


@dataclass(frozen=True)
class Shared:
    """A voice or a user as one assistant's record shows it. Several assistants may share it.

    `table` is VOICES or USERS, `key` the primary key of its row. `value` is the object as the API sent it,
    `content_hash` its SHA-256.
    """

    table: Table
    key: str
    value: JSONObject
    content_hash: str


@dataclass(frozen=True)
class Flattened:
    """One record as rows.

    `assistant` is the row of `assistants` without `first_seen_at` and `deleted_at`, which only a sync knows, and
    without `extra`, which is here still an object. `rows` maps a child table's name to its rows in order. `config` is
    the canonical JSON whose SHA-256 is `content_hash`. `drift` names what was not as documented.
    """

    assistant_id: str
    updated_at: datetime | None
    content_hash: str
    config: str
    assistant: Row
    extra: JSONObject
    rows: Mapping[str, list[Row]]
    user: Shared | None
    voice: Shared | None
    drift: tuple[str, ...]


@dataclass
class _Notes:
    """Collects `extra` and drift for one object while its columns are read."""

    where: str = ""
    extra: JSONObject = field(default_factory=dict)
    drift: list[str] = field(default_factory=list)

    def keep(self, kind: str, name: str, value: JSONValue) -> None:
        self.extra[name] = value
        self.drift.append(f"{kind} {self.where}{name}")


def record_id(record: JSONValue) -> str:
    """The assistant_id of a record. Raises RejectedRecordError when there is none that can be used."""
    if not isinstance(record, dict):
        raise RejectedRecordError(f"the record is {_kind(record)}, not an object")
    if "assistant_id" not in record:
        raise RejectedRecordError("the record has no assistant_id")
    assistant_id = record["assistant_id"]
    if not isinstance(assistant_id, str) or not assistant_id.strip():
        raise RejectedRecordError(f"the record's assistant_id is {_kind(assistant_id)}")
    return assistant_id


def flatten_assistant(record: JSONValue) -> Flattened:
    """Rows, shared objects, hash and drift of one record. Raises RejectedRecordError when it cannot be used."""
    record_id(record)
    clean = clean_record(record)
    assert isinstance(clean, dict)
    assistant_id = record_id(clean)
    notes = _Notes()
    row: Row = {}
    rest = dict(clean)
    for column in ASSISTANTS.columns:
        if column.api_field is not None and column.api_field in rest:
            row[column.name] = _fit(rest.pop(column.api_field), column.type, column.api_field, notes)

    config: JSONObject = {name: value for name, value in clean.items() if name not in ("user", "voice")}
    for name in ("user_id", "voice_id"):  # an API field of that name must not be taken for our key
        if name in config:
            config[f"api.{name}"] = config.pop(name)
    user = _share(rest.pop("user", None), USERS, config, notes)
    voice = _share(rest.pop("voice", None), VOICES, config, notes)
    row["user_id"] = config["user_id"] = user.key if user else None
    row["voice_id"] = config["voice_id"] = voice.key if voice else None

    rows: dict[str, list[Row]] = {
        ASSISTANT_VARIABLES.name: _variables(assistant_id, _take_list(rest, "variables", notes)),
        ASSISTANT_VOICE_EMOTIONS.name: _strings(
            assistant_id, "emotion", _take_list(rest, "voice_emotion", notes), notes, "voice_emotion"
        ),
        ASSISTANT_CHATBOT_DOMAINS.name: _strings(
            assistant_id,
            "domain",
            _take_list(rest, "chatbot_whitelisted_domains", notes),
            notes,
            "chatbot_whitelisted_domains",
        ),
    }
    states, tools = _states(assistant_id, _take_list(rest, "llm_states", notes), notes)
    rows[ASSISTANT_LLM_STATES.name] = states
    rows[ASSISTANT_LLM_STATE_TOOLS.name] = tools

    for name, value in rest.items():
        notes.keep("unknown field", f"api.{name}" if name == DEVIATES else name, value)
    if row.get("updated_at") is not None:  # a claim about the configuration, not a part of it
        del config["updated_at"]
    text = canonical_json(config)
    content_hash = hash_text(text)
    row["content_hash"] = content_hash
    return Flattened(
        assistant_id=assistant_id,
        updated_at=row.get("updated_at"),
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
    notes = _Notes()
    row: Row = {}
    rest = dict(shared.value)
    for column in shared.table.columns:
        if column.api_field is not None and column.api_field in rest:
            row[column.name] = _fit(rest.pop(column.api_field), column.type, column.api_field, notes)
    row[shared.table.key[0]] = shared.key
    for name, value in rest.items():
        notes.keep("unknown field", name, value)
    row["content_hash"] = shared.content_hash
    row["extra"] = canonical_json(notes.extra) if notes.extra else None
    return row


def flatten_config(config: JSONObject, updated_at: datetime | None) -> Flattened:
    """Flatten a stored configuration (`assistant_versions.config`) as if the API sent its record again.

    It holds only the ids of the user and the voice: `user` and `voice` are None."""
    record = dict(config)
    keys = {name: record.pop(name, None) for name in ("user_id", "voice_id")}
    for name in keys:
        if f"api.{name}" in record:
            record[name] = record.pop(f"api.{name}")
    if updated_at is not None:
        record["updated_at"] = updated_at.isoformat()
    flat = flatten_assistant(record)
    text = canonical_json(config)
    row = {**flat.assistant, **keys, "content_hash": hash_text(text)}
    return replace(flat, assistant=row, content_hash=row["content_hash"], config=text)


def read_shared(table: Table, row: Row, hash_value: Callable[[JSONValue], str]) -> Shared:
    """The voice or user that a stored row was made from.

    A NULL in the row was null in the API's answer, or the field was missing: `hash_value`, the content hash with which
    the row was written, tells which. Where it tells nothing, the fields count as null."""
    whole: JSONObject = {column.api_field: row[column.name] for column in table.columns if column.api_field is not None}
    whole |= json.loads(row["extra"]) if row["extra"] else {}
    nulls = [name for name, value in whole.items() if value is None]
    for missing in chain.from_iterable(combinations(nulls, size) for size in range(len(nulls) + 1)):
        value = {name: each for name, each in whole.items() if name not in missing}
        if hash_value(value) == row["content_hash"]:
            return Shared(table, row[table.key[0]], value, hash_json(value))
    return Shared(table, row[table.key[0]], whole, hash_json(whole))


def find_deviation(own: Shared, shared: Shared) -> JSONObject:
    """The fields in which a voice or user in one assistant's record differs from the shared one."""
    names = own.value.keys() | shared.value.keys()
    missing = object()
    return {
        name: own.value.get(name)
        for name in sorted(names)
        if own.value.get(name, missing) != shared.value.get(name, missing)
    }


def _kind(value: JSONValue) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    if value == "" or (isinstance(value, str) and not value.strip()):
        return "an empty string"
    return names.get(type(value), "a number")


def _fit(value: JSONValue, type_: ColumnType, name: str, notes: _Notes) -> Any:
    """The value in the column's type. When it does not fit: NULL, and `extra` keeps the value."""
    if value is None:
        return None
    fitted = _FITS[type_](value)
    if fitted is _MISFIT:
        notes.keep(f"no {type_}", name, value)
        return None
    return fitted


def _fit_text(value: JSONValue) -> Any:
    return value if isinstance(value, str) else _MISFIT


def _fit_bool(value: JSONValue) -> Any:
    return value if isinstance(value, bool) else _MISFIT


def _fit_double(value: JSONValue) -> Any:
    if isinstance(value, str) and _NUMBER.match(value):  # the API sends decimals as strings: "0.50"
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    try:
        number = float(value)
    except OverflowError:
        return _MISFIT
    return number if math.isfinite(number) and number == value else _MISFIT


def _fit_bigint(value: JSONValue) -> Any:
    if isinstance(value, str) and _NUMBER.match(value):
        is_whole = value.lstrip("+-").isdecimal() and len(value) <= 20  # Python refuses to read thousands of digits
        value = int(value) if is_whole else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    if isinstance(value, float) and not value.is_integer():
        return _MISFIT
    return int(value) if -(2**63) <= value < 2**63 else _MISFIT


def _fit_timestamp(value: JSONValue) -> Any:
    if not isinstance(value, str) or "T" not in value.upper():
        return _MISFIT
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _MISFIT


def _fit_json(value: JSONValue) -> Any:
    return canonical_json(value)


_FITS: Mapping[ColumnType, Any] = {
    "text": _fit_text,
    "bool": _fit_bool,
    "double": _fit_double,
    "bigint": _fit_bigint,
    "timestamp": _fit_timestamp,
    "json": _fit_json,
}


def _share(value: JSONValue, table: Table, config: JSONObject, notes: _Notes) -> Shared | None:
    """The shared object in `user` or `voice`. One without a key stays in the assistant's configuration."""
    name = "user" if table is USERS else "voice"
    if value is None:
        return None
    if isinstance(value, dict):
        identity = value.get("email" if table is USERS else "voice_id")
        if isinstance(identity, str) and identity.strip():
            key = str(uuid.uuid5(_USER_NAMESPACE, identity.strip().casefold())) if table is USERS else identity
            shared = Shared(table, key, value, hash_json(value))
            inner = _Notes(where=f"{name}.")
            for column in table.columns:
                if column.api_field is not None and column.api_field in value:
                    _fit(value[column.api_field], column.type, column.api_field, inner)
            known = {column.api_field for column in table.columns}
            inner.drift += [f"unknown field {name}.{field_name}" for field_name in value if field_name not in known]
            notes.drift += inner.drift
            return shared
    config[name] = value
    notes.keep("no key in", name, value)
    return None


def _take_list(rest: JSONObject, name: str, notes: _Notes) -> list[JSONValue]:
    value = rest.pop(name, None)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    notes.keep("no list", name, value)
    return []


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


def _strings(assistant_id: str, column: str, items: list[JSONValue], notes: _Notes, path: str) -> list[Row]:
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


def _states(assistant_id: str, items: list[JSONValue], notes: _Notes) -> tuple[list[Row], list[Row]]:
    """Rows of states and of their tools, in reading order (a state, then its children), for any depth: no recursion."""
    states: list[Row] = []
    tools: list[Row] = []
    stack: list[tuple[JSONValue, Row | None, int]] = [(item, None, at) for at, item in _backwards(items)]
    while stack:
        item, parent, sibling_position = stack.pop()
        place = str(sibling_position)
        state: Row = {
            "assistant_id": assistant_id,
            "node": len(states),
            "parent_node": parent["node"] if parent else None,
            "parent_state_id": parent["state_id"] if parent else None,
            "depth": parent["depth"] + 1 if parent else 0,
            "path": f"{parent['path']}/{place}" if parent else place,
            "sibling_position": sibling_position,
            "state_id": None,
        }
        states.append(state)
        if not isinstance(item, dict):
            notes.drift.append("no object llm_states[]")
            state["extra"] = canonical_json(item)
            continue
        inner = _Notes(where="llm_states[].")
        rest = dict(item)
        for name in ("state_id", "name", "description", "prompt"):
            state[name] = _fit(rest.pop(name, None), "text", name, inner)
        state["parameters"] = _fit(rest.pop("parameters", None), "json", "parameters", inner)
        _place_state(rest.pop("position", None), state, inner)
        tools += _tools(assistant_id, state["node"], _take_list(rest, "tools", inner), inner)
        stack.extend((child, state, at) for at, child in _backwards(_take_list(rest, "children", inner)))
        for name, value in rest.items():
            inner.keep("unknown field", name, value)
        state["extra"] = canonical_json(inner.extra) if inner.extra else None
        notes.drift += inner.drift
    return states, tools


def _backwards(items: list[JSONValue]) -> list[tuple[int, JSONValue]]:
    return list(enumerate(items))[::-1]


def _place_state(position: JSONValue, state: Row, notes: _Notes) -> None:
    """Write x and y of a state's position into its row; everything else in it goes to `extra`."""
    if position is None:
        return
    if not isinstance(position, dict):
        notes.keep("no object", "position", position)
        return
    inner = _Notes(where=f"{notes.where}position.")
    rest = dict(position)
    for name in ("x", "y"):
        state[name] = _fit(rest.pop(name, None), "double", name, inner)
    for name, value in rest.items():
        inner.keep("unknown field", name, value)
    if inner.extra:
        notes.extra["position"] = inner.extra
    notes.drift += inner.drift


def _tools(assistant_id: str, node: int, items: list[JSONValue], notes: _Notes) -> list[Row]:
    rows: list[Row] = []
    for position, item in enumerate(items):
        row: Row = {"assistant_id": assistant_id, "node": node, "position": position, "item": canonical_json(item)}
        tool = item if isinstance(item, dict) else {}
        value = tool.get("function")
        function = value if isinstance(value, dict) else {}
        if not isinstance(item, dict):
            notes.drift.append(f"no object {notes.where}tools[]")
        for column, found in (
            ("type", tool.get("type")),
            ("function_id", tool.get("functionId")),
            ("function_name", function.get("name")),
            ("function_description", function.get("description")),
        ):
            row[column] = found if isinstance(found, str) else None
        parameters = function.get("parameters")
        row["parameters"] = None if parameters is None else canonical_json(parameters)
        rows.append(row)
    return rows
