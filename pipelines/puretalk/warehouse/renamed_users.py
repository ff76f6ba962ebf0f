"""Give users the keys of this release, in a warehouse whose release made keys in another way.

Releases up to 0.3 compared e-mail addresses in a form in which `straße@` equals `strasse@`: two users, one row. Which
of the two an assistant shows, its `extra` tells: there is how its own user differs from the row. Nothing tells which of
the two an earlier version showed, or an assistant that was deleted before the row changed: a version gets the key that
its assistant has now, and such an assistant keeps the user of the row.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from puretalk.endpoints.assistants.flatten import DEVIATES, Shared, find_deviation, flatten_shared, share_user
from puretalk.endpoints.assistants.stored import read_shared
from puretalk.endpoints.assistants.tables import ASSISTANTS, USERS
from puretalk.json_values import JSONObject, canonical_json, hash_json
from puretalk.warehouse.stored_rows import insert_rows, read_rows
from puretalk.warehouse.stored_tables import relation_of

#: assistant_id → its user's key before → the key now.
Renamed = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Owned:
    """An assistant and the user that it shows. The greatest `rank` of a user is believed: the order of
    `Comparison.settle_shared`."""

    assistant_id: str
    rank: tuple[bool, bool, float, str]
    extra: JSONObject
    own: Shared


def rename_users(connection: duckdb.DuckDBPyConnection) -> Renamed:
    """Write users whose key is not that of this release again, and how their assistants deviate from them. Stored
    configurations keep the old keys. `write_shared_again` comes before, so the users have the hash of this release."""
    renamed: dict[str, dict[str, str]] = {}
    for row in read_rows(connection, USERS):
        shared = read_shared(USERS, row, hash_json)
        owned = _read_owned(connection, shared)
        keys = {each.own.key for each in owned} or {_rename(shared, {}).key}
        if keys == {shared.key}:
            continue
        connection.execute(f"DELETE FROM {relation_of(USERS)} WHERE user_id = ?", [shared.key])
        owners: dict[str, list[_Owned]] = defaultdict(list)
        for each in owned:
            owners[each.own.key].append(each)
            renamed[each.assistant_id] = {shared.key: each.own.key}
        believed = {key: max(some, key=lambda each: each.rank).own for key, some in owners.items()}
        insert_rows(connection, USERS, [flatten_shared(each) for each in believed.values() or [_rename(shared, {})]])
        for each in owned:
            _write_extra(connection, each, believed[each.own.key])
    return renamed


def _read_owned(connection: duckdb.DuckDBPyConnection, shared: Shared) -> list[_Owned]:
    """The assistants whose row has this user."""
    rows = connection.execute(
        f"""SELECT assistant_id, deleted_at IS NULL, updated_at IS NOT NULL, coalesce(epoch(updated_at), 0), extra
            FROM {relation_of(ASSISTANTS)} WHERE user_id = ?""",
        [shared.key],
    ).fetchall()
    owned = []
    for assistant_id, is_live, has_moment, moment, text in rows:
        extra: JSONObject = json.loads(text) if text else {}
        deviates = extra.get(DEVIATES)
        deviation = deviates.get("user") if isinstance(deviates, dict) else None
        own = _rename(shared, deviation if isinstance(deviation, dict) else {})
        owned.append(_Owned(assistant_id, (is_live, has_moment, moment, assistant_id), extra, own))
    return owned


def _rename(shared: Shared, deviation: JSONObject) -> Shared:
    """The user with what differs, and its key."""
    return share_user({**shared.value, **deviation}) or shared


def _write_extra(connection: duckdb.DuckDBPyConnection, owned: _Owned, believed: Shared) -> None:
    kept = owned.extra.pop(DEVIATES, None)
    deviates = {name: each for name, each in kept.items() if name != "user"} if isinstance(kept, dict) else {}
    if owned.own.content_hash != believed.content_hash:
        deviates["user"] = find_deviation(owned.own, believed)
    extra = {**owned.extra, DEVIATES: deviates} if deviates else owned.extra
    connection.execute(
        f"UPDATE {relation_of(ASSISTANTS)} SET extra = ? WHERE assistant_id = ?",
        [canonical_json(extra) if extra else None, owned.assistant_id],
    )
