"""From the warehouse back to the API: what a stored configuration, or a stored voice or user, was made from.

A release that reads records in another way applies its rules to these (see `warehouse/carry_over.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain, combinations

from puretalk.endpoints.assistants.flatten import Flattened, Shared, flatten_assistant, share_user
from puretalk.json_values import JSONObject, JSONValue, canonical_json, hash_json, hash_text
from puretalk.schema import Row, Table, text_of


def restate_config(config: JSONObject, renamed: Mapping[str, str]) -> tuple[JSONObject, Shared | None]:
    """A configuration of any release as this release keeps it, and the user that this takes out of it. `renamed`: the
    keys that users had → those that they have.

    Releases up to 0.2 kept a user without an e-mail address in the configuration, in place of a `user_id`."""
    user_id = config.get("user_id")
    if isinstance(user_id, str) and user_id in renamed:
        config = {**config, "user_id": renamed[user_id]}
    user = config.get("user")
    shared = share_user(user) if isinstance(user, dict) else None
    if shared is None:
        return config, None
    return {**{name: value for name, value in config.items() if name != "user"}, "user_id": shared.key}, shared


def flatten_config(config: JSONObject, updated_at: datetime | None) -> Flattened:
    """Flatten a stored configuration (`assistant_versions.config`) as if the API sent its record again.

    It holds only the ids of the user and the voice: `user` and `voice` are None."""
    record = dict(config)
    keys: Row = {}
    for name in ("user_id", "voice_id"):
        key = record.pop(name, None)
        keys[name] = key if isinstance(key, str) else None
        if f"api.{name}" in record:
            record[name] = record.pop(f"api.{name}")
    if updated_at is not None:
        record["updated_at"] = updated_at.isoformat()
    flat = flatten_assistant(record)
    text = canonical_json(config)
    content_hash = hash_text(text)
    row: Row = {**flat.assistant, **keys, "content_hash": content_hash}
    return replace(flat, assistant=row, content_hash=content_hash, config=text)


def read_shared(table: Table, row: Row, hash_value: Callable[[JSONValue], str]) -> Shared:
    """The voice or user that a stored row was made from.

    A NULL in the row was null in the API's answer, or the field was missing: `hash_value`, the content hash with which
    the row was written, tells which. Where it tells nothing, the fields count as null."""
    key, extra = text_of(row, table.key[0]) or "", text_of(row, "extra")
    whole: JSONObject = {}
    for column in table.columns:
        stored = row[column.name]
        if column.api_field is not None and not isinstance(stored, datetime):  # a user or voice has no times
            whole[column.api_field] = stored
    whole |= json.loads(extra) if extra else {}
    nulls = [name for name, value in whole.items() if value is None]
    for missing in chain.from_iterable(combinations(nulls, size) for size in range(len(nulls) + 1)):
        value = {name: each for name, each in whole.items() if name not in missing}
        if hash_value(value) == row["content_hash"]:
            return Shared(table, key, value, hash_json(value))
    return Shared(table, key, whole, hash_json(whole))
