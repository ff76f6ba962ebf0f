"""What was read from records before: the digest of a record's bytes → its outline.

A record with the bytes of an earlier sync says what it said then, so it need not be parsed. The tables are in the
warehouse file. Only the release that wrote a row uses it, because another one may read the same bytes otherwise. A row
that is missing costs time, and nothing else. Digests are keyed with the API key, so after a new key every record is
read once, and searched for that key. Under a policy they are keyed with its secret too: without that, nobody can find
out by trying what a record said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import duckdb

from puretalk.endpoints.assistants.flatten import Outline, Shared, read_shared_object
from puretalk.endpoints.assistants.tables import USERS, VOICES
from puretalk.endpoints.assistants.versions import CURRENT
from puretalk.json_values import canonical_json
from puretalk.privacy.policy import Policy
from puretalk.release import VERSION
from puretalk.schema import INTERNAL_SCHEMA
from puretalk.sync.comparison import Standing

#: A row: an assistant, with the digest of its record.
DIGESTS_TABLE = f"{INTERNAL_SCHEMA}.record_digests"
_SHARED = f"{INTERNAL_SCHEMA}.shared_objects"
#: Who may use what is written now: the same release, with the same rules.
READ_BY = f"{VERSION} {CURRENT.tables}.{CURRENT.flattening}.{CURRENT.content_hash}"

_CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {INTERNAL_SCHEMA};
CREATE TABLE IF NOT EXISTS {DIGESTS_TABLE} (
    assistant_id VARCHAR, digest BLOB, read_by VARCHAR, updated_at TIMESTAMP, content_hash VARCHAR,
    user_hash VARCHAR, voice_hash VARCHAR, drift VARCHAR
);
COMMENT ON TABLE {DIGESTS_TABLE} IS 'One row: an assistant, with a keyed hash of its record and what was read from it.';
CREATE TABLE IF NOT EXISTS {_SHARED} (content_hash VARCHAR, table_name VARCHAR, value VARCHAR, key VARCHAR);
ALTER TABLE {_SHARED} ADD COLUMN IF NOT EXISTS key VARCHAR;
COMMENT ON TABLE {_SHARED} IS 'One row: a user or voice as records show it.';
"""


class KeyedDigests(Mapping[bytes, Outline]):
    """Outlines by the digest of a record's bytes, where only hashes of these under the policy are stored."""

    def __init__(self, policy: Policy, outlines: Mapping[bytes, Outline]) -> None:
        self._policy = policy
        self._outlines = outlines

    def __getitem__(self, digest: bytes) -> Outline:
        return self._outlines[_key(digest, self._policy)]

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, bytes) and _key(digest, self._policy) in self._outlines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._outlines)

    def __len__(self) -> int:
        return len(self._outlines)


def _key(digest: bytes, policy: Policy | None) -> bytes:
    return digest if policy is None else policy.mac_bytes("digest", digest)


def _read_by(policy: Policy | None) -> str:
    """Who can use what was read: this release, under this policy."""
    return READ_BY if policy is None else f"{READ_BY} {policy.fingerprint}"


def read_digests(connection: duckdb.DuckDBPyConnection, policy: Policy | None = None) -> Mapping[bytes, Outline]:
    """What this release read from records under this policy, by the digest of their bytes."""
    there = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    if not {(DIGESTS_TABLE,), (_SHARED,)} <= {*there}:
        return {}
    users: dict[str | None, Shared | None] = {None: None}
    voices = dict(users)
    for content_hash, table_name, value, *key in connection.execute(f"FROM {_SHARED}").fetchall():
        found = _read_shared(content_hash, table_name, value, key, policy)
        if found is not None:
            (users if table_name == USERS.name else voices)[content_hash] = found
    rows = connection.execute(
        f"SELECT * EXCLUDE read_by FROM {DIGESTS_TABLE} WHERE read_by = ?", [_read_by(policy)]
    ).fetchall()
    outlines = {
        digest: Outline(
            assistant_id,
            updated_at and updated_at.replace(tzinfo=UTC),
            content_hash,
            users[user_hash],
            voices[voice_hash],
            tuple(json.loads(drift)) if drift else (),
        )
        for assistant_id, digest, updated_at, content_hash, user_hash, voice_hash, drift in rows
        if user_hash in users and voice_hash in voices
    }
    return outlines if policy is None else KeyedDigests(policy, outlines)


def _read_shared(
    content_hash: str, table_name: str, value: str, key: list[str | None], policy: Policy | None
) -> Shared | None:
    """A stored user or voice. Under a policy, its key does not follow from what is stored of it."""
    if policy is None:
        found = read_shared_object(table_name, value)
        return found[0] if found is not None else None
    if not key or key[0] is None:
        return None
    return Shared(USERS if table_name == USERS.name else VOICES, key[0], json.loads(value), content_hash)


def write_digests(
    connection: duckdb.DuckDBPyConnection, standing: Mapping[str, Standing], policy: Policy | None = None
) -> None:
    """Keep what was read from the records that are believed, where the warehouse does not know their bytes yet."""
    fresh = [(assistant_id, each) for assistant_id, each in standing.items() if each.digest is not None]
    if not fresh:
        return
    for statement in filter(str.strip, _CREATE.split(";\n")):
        connection.execute(statement)
    connection.begin()
    connection.execute(f"DELETE FROM {DIGESTS_TABLE} WHERE read_by <> ?", [_read_by(policy)])
    connection.execute(f"DELETE FROM {_SHARED} WHERE key IS NULL")
    for some in _groups(fresh):
        connection.execute(
            f"DELETE FROM {DIGESTS_TABLE} WHERE assistant_id IN (SELECT unnest(?::VARCHAR[]))",
            [[assistant_id for assistant_id, _ in some]],
        )
        connection.execute(
            f"INSERT INTO {DIGESTS_TABLE} SELECT unnest(?::VARCHAR[]), unnest(?::BLOB[]), ?, unnest(?::TIMESTAMP[]), "
            "unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
            [
                [assistant_id for assistant_id, _ in some],
                [_key(each.digest or b"", policy) for _, each in some],
                _read_by(policy),
                [_naive(each.updated_at) for _, each in some],
                [each.content_hash for _, each in some],
                [each.user.content_hash if each.user else None for _, each in some],
                [each.voice.content_hash if each.voice else None for _, each in some],
                [canonical_json(list(each.drift)) if each.drift else None for _, each in some],
            ],
        )
    shared = {
        (own.content_hash, own.table.name): own
        for _, each in fresh
        for own in (each.user, each.voice)
        if own is not None
    }
    known = set(connection.execute(f"SELECT content_hash, table_name FROM {_SHARED}").fetchall())
    for key in shared.keys() - known:
        value = canonical_json(shared[key].value)
        connection.execute(f"INSERT INTO {_SHARED} VALUES (?, ?, ?, ?)", [*key, value, shared[key].key])
    for table, column in ((USERS, "user_hash"), (VOICES, "voice_hash")):
        connection.execute(
            f"DELETE FROM {_SHARED} WHERE table_name = ? "
            f"AND content_hash NOT IN (SELECT {column} FROM {DIGESTS_TABLE} WHERE {column} IS NOT NULL)",
            [table.name],
        )
    connection.commit()


_Fresh = tuple[str, Standing]


def _groups(rows: list[_Fresh]) -> Iterable[list[_Fresh]]:
    return (rows[start : start + 10_000] for start in range(0, len(rows), 10_000))


def _naive(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)
