"""Bring the rows of a work file under another policy, from what it holds itself.

Like carrying over, it works on the private work file, and is all or nothing like the run itself. Every version is
treated, so that history shows no change that the policy alone made; deleted assistants are treated too. What an earlier
policy removed does not come back from here: the sync that follows reads every record again.

The caller writes the file again before it is published: its free blocks still hold what was there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import duckdb
import pyarrow as pa

from puretalk.catalogue import REJECTED_RECORDS, SYNC_RUNS
from puretalk.database import quote_name
from puretalk.endpoints.assistants.flatten import DEVIATES, Shared, flatten_shared
from puretalk.endpoints.assistants.stored import read_shared
from puretalk.endpoints.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, USERS, VOICES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, hash_json
from puretalk.privacy.persons import hash_user_id, identify_user
from puretalk.privacy.policy import Policy, StoredPolicy
from puretalk.privacy.treatment import treat_config, treat_record, treat_user
from puretalk.schema import INTERNAL_SCHEMA, Row
from puretalk.warehouse.rewriting import flatten_again, write_versions
from puretalk.warehouse.stored_rows import insert_rows, read_rows, registered
from puretalk.warehouse.stored_tables import read_columns, relation_of

_Any = TypeVar("_Any")
_AT_ONCE = 1_000
#: Tables that tell what was read from records; the sync that follows reads them all again.
_REMEMBERED = ("page_digests", "record_digests", "shared_objects")


@dataclass(frozen=True)
class _Change:
    """`stored` treats what is stored; `is_first`: no policy was on before, so hashes become keyed now."""

    policy: Policy
    stored: Policy
    hid_users: bool
    is_first: bool

    @property
    def renames_users(self) -> bool:
        return self.policy.hides_users and not self.hid_users

    def hash_content(self, text: str, before: str) -> str:
        return self.policy.hash_content(text) if self.is_first else before


def change_policy(connection: duckdb.DuckDBPyConnection, before: StoredPolicy | None, policy: Policy) -> None:
    """Treat every row of the open work file, which was written under `before`."""
    for name in _REMEMBERED:
        connection.execute(f"DROP TABLE IF EXISTS {quote_name(INTERNAL_SCHEMA, name)}")
    if not policy.is_on or ASSISTANTS.name not in read_columns(connection):
        return
    earlier = before.treatments if before else {}
    hid_users = before is not None and Policy(earlier, b"").hides_users
    change = _Change(policy, policy.since(earlier), hid_users, is_first=before is None)
    connection.begin()
    users = _treat_users(connection, change)
    _treat_voices(connection, change)
    _treat_configurations(connection, change, users)
    _treat_deviations(connection, change)
    flatten_again(connection)
    _treat_rejected(connection, change)
    _treat_runs(connection, change)
    connection.commit()


def restate_newest(connection: duckdb.DuckDBPyConnection, read: Iterable[tuple[str, str, str]]) -> None:
    """Write what was read again into the newest version of assistants that did not change. `read`: assistant_id,
    content hash, configuration."""
    for some in _groups(read):
        rows = [
            {"id": assistant_id, "hash": content_hash, "config": config} for assistant_id, content_hash, config in some
        ]
        with registered(connection, pa.Table.from_pylist(rows)) as restated:
            connection.execute(
                f"""UPDATE {relation_of(ASSISTANT_VERSIONS)} AS version
                    SET content_hash = restated.hash, config = restated.config
                    FROM {restated} AS restated, (
                        SELECT assistant_id, max(observed_at) AS observed_at
                        FROM {relation_of(ASSISTANT_VERSIONS)} GROUP BY assistant_id
                    ) AS newest
                    WHERE version.assistant_id = restated.id AND newest.assistant_id = restated.id
                      AND version.observed_at = newest.observed_at
                      AND (version.content_hash <> restated.hash OR version.config <> restated.config)"""
            )


@dataclass(frozen=True)
class _StoredUser:
    """A user as stored before: the value, and the key from now on, None where nothing of the user stays."""

    value: JSONObject
    key: str | None


def _treat_users(connection: duckdb.DuckDBPyConnection, change: _Change) -> dict[str, _StoredUser]:
    found: dict[str, _StoredUser] = {}
    rows: list[Row] = []
    for row in read_rows(connection, USERS):
        shared = read_shared(USERS, row, hash_json)
        key = shared.key
        if change.renames_users:
            identity = identify_user(shared.value)
            key = hash_user_id(identity, change.policy) if identity is not None else key
        value = treat_user(shared.value, change.stored)
        if isinstance(value, dict):
            content_hash = change.hash_content(canonical_json(shared.value), str(row["content_hash"]))
            rows.append(flatten_shared(Shared(USERS, key, value, content_hash)))
        found[shared.key] = _StoredUser(shared.value, key if isinstance(value, dict) else None)
    connection.execute(f"DELETE FROM {relation_of(USERS)}")
    insert_rows(connection, USERS, rows)
    return found


def _treat_voices(connection: duckdb.DuckDBPyConnection, change: _Change) -> None:
    rows: list[Row] = []
    for row in read_rows(connection, VOICES):
        shared = read_shared(VOICES, row, hash_json)
        treated = treat_record({"voice": shared.value}, change.stored)
        value = treated.get("voice") if isinstance(treated, dict) else None
        content_hash = change.hash_content(canonical_json(shared.value), str(row["content_hash"]))
        rows.append(flatten_shared(Shared(VOICES, shared.key, value if isinstance(value, dict) else {}, content_hash)))
    connection.execute(f"DELETE FROM {relation_of(VOICES)}")
    insert_rows(connection, VOICES, rows)


def _treat_configurations(
    connection: duckdb.DuckDBPyConnection, change: _Change, users: dict[str, _StoredUser]
) -> None:
    ids = [
        assistant_id
        for (assistant_id,) in connection.execute(
            f"SELECT DISTINCT assistant_id FROM {relation_of(ASSISTANT_VERSIONS)} ORDER BY 1"
        ).fetchall()
    ]
    for some in _groups(ids):
        stored = connection.execute(
            f"""SELECT assistant_id, observed_at, content_hash, config FROM {relation_of(ASSISTANT_VERSIONS)}
                WHERE assistant_id IN (SELECT unnest(?::VARCHAR[]))""",
            [list(some)],
        ).fetchall()
        rows = []
        for assistant_id, observed_at, before, text in stored:
            config: JSONObject = json.loads(text)
            user_id = config.get("user_id")
            owner = users.get(user_id) if isinstance(user_id, str) else None
            treated = treat_config(config, change.stored, owner.value if owner else None)
            if owner is not None:
                treated["user_id"] = owner.key
            after = change.hash_content(text, before)
            new_text = canonical_json(treated)
            rows.append({"id": assistant_id, "at": observed_at, "before": before, "after": after, "config": new_text})
        write_versions(connection, rows)
    renamed = [{"before": before, "after": user.key} for before, user in users.items() if user.key != before]
    if renamed:
        schema = pa.schema([("before", pa.string()), ("after", pa.string())])
        with registered(connection, pa.Table.from_pylist(renamed, schema=schema)) as restated:
            connection.execute(
                f"UPDATE {relation_of(ASSISTANTS)} AS row SET user_id = restated.after FROM {restated} AS restated "
                "WHERE row.user_id = restated.before"
            )


def _treat_deviations(connection: duckdb.DuckDBPyConnection, change: _Change) -> None:
    """How an assistant's own user differs is in no configuration."""
    found = connection.execute(
        f"SELECT assistant_id, extra FROM {relation_of(ASSISTANTS)} WHERE contains(CAST(extra AS VARCHAR), ?)",
        [DEVIATES],
    ).fetchall()
    for assistant_id, text in found:
        extra: JSONObject = json.loads(text)
        deviates = treat_record(extra.get(DEVIATES), change.stored)
        if isinstance(deviates, dict):
            extra[DEVIATES] = {name: each for name, each in deviates.items() if each is not None}
        connection.execute(
            f"UPDATE {relation_of(ASSISTANTS)} SET extra = ? WHERE assistant_id = ?",
            [canonical_json(extra), assistant_id],
        )


def _treat_rejected(connection: duckdb.DuckDBPyConnection, change: _Change) -> None:
    stored = connection.execute(f"SELECT record_hash, record FROM {relation_of(REJECTED_RECORDS)}").fetchall()
    for before, text in stored:
        record: JSONValue = json.loads(text)
        connection.execute(
            f"UPDATE {relation_of(REJECTED_RECORDS)} SET record_hash = ?, record = ? WHERE record_hash = ?",
            [change.hash_content(text, before), canonical_json(treat_record(record, change.stored)), before],
        )


def _treat_runs(connection: duckdb.DuckDBPyConnection, change: _Change) -> None:
    """Drift is named by fields, which may be named like anything."""
    stored = connection.execute(
        f"SELECT run_id, drift FROM {relation_of(SYNC_RUNS)} WHERE drift IS NOT NULL"
    ).fetchall()
    for run_id, text in stored:
        treated = canonical_json(treat_record(json.loads(text), change.stored))
        if treated != text:
            connection.execute(f"UPDATE {relation_of(SYNC_RUNS)} SET drift = ? WHERE run_id = ?", [treated, run_id])


def _groups(rows: Iterable[_Any]) -> Iterator[list[_Any]]:
    some: list[_Any] = []
    for row in rows:
        some.append(row)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some
