"""Write the rows of a warehouse again, from what it holds itself. Used by `carry_over`, within its transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import duckdb
import pyarrow as pa

from puretalk.catalogue import REJECTED_RECORDS
from puretalk.endpoints.assistants.flatten import DEVIATES, Flattened, Shared, find_deviation, flatten_shared
from puretalk.endpoints.assistants.stored import flatten_config, read_shared, restate_config
from puretalk.endpoints.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, CHILD_TABLES, USERS, VOICES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, hash_text
from puretalk.schema import Row
from puretalk.warehouse.renamed_users import Renamed
from puretalk.warehouse.stored_rows import insert_rows, read_rows, registered
from puretalk.warehouse.stored_tables import read_columns, relation_of

#: Number of assistants whose configurations are in memory at once.
_AT_ONCE = 1_000


def restate_configurations(connection: duckdb.DuckDBPyConnection, renamed: Renamed, *, is_keyed: bool = False) -> None:
    """Write every stored configuration as this release keeps it, and its content hash with it. `renamed`: the users
    that got another key. `is_keyed`: hashes are of what the API sent, and stay as they are.

    Users that this takes out of configurations get a row in `users`, and deviations from it go to `assistants.extra`.
    `write_shared_again`, which comes before, restates the hash of a user or voice together with its row.
    """
    users: dict[str, tuple[_Rank, Shared]] = {}
    shown: dict[str, Shared] = {}
    for ids in _ids(connection):
        stored = connection.execute(
            f"""SELECT version.assistant_id, version.observed_at, version.content_hash, version.config,
                  version.content_hash = row.content_hash, row.deleted_at IS NULL, epoch(version.updated_at)
                FROM {relation_of(ASSISTANT_VERSIONS)} AS version
                JOIN {relation_of(ASSISTANTS)} AS row ON row.assistant_id = version.assistant_id
                WHERE version.assistant_id IN (SELECT unnest(?::VARCHAR[]))""",
            [ids],
        ).fetchall()
        rows = []
        for assistant_id, observed_at, before, config, is_newest, is_live, moment in stored:
            value, user = restate_config(json.loads(config), renamed.get(assistant_id, {}))
            text = canonical_json(value)
            after = before if is_keyed else hash_text(text)
            if (after, text) != (before, config):
                rows.append({"id": assistant_id, "at": observed_at, "before": before, "after": after, "config": text})
            if user is not None:
                rank = (is_newest, is_live, moment is not None, moment or 0.0, assistant_id)
                if user.key not in users or users[user.key][0] < rank:
                    users[user.key] = rank, user
                if is_newest:
                    shown[assistant_id] = user
        write_versions(connection, rows)
    insert_rows(connection, USERS, [flatten_shared(user) for _, user in users.values()])
    for assistant_id, own in shown.items():
        _, user = users[own.key]
        if own.content_hash != user.content_hash:
            _keep_deviation(connection, assistant_id, find_deviation(own, user))
    _restate_rejected(connection, is_keyed)


def write_versions(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, object]]) -> None:
    """Give versions another configuration and content hash, and assistants the hash of their newest version. `rows`: a
    version each, by `id` and `at`, with its `config` and its hash `before` and `after`."""
    if not rows:
        return
    with registered(connection, pa.Table.from_pylist(rows)) as restated:
        connection.execute(
            f"UPDATE {relation_of(ASSISTANTS)} AS row SET content_hash = restated.after "
            f"FROM {restated} AS restated "
            "WHERE row.assistant_id = restated.id AND row.content_hash = restated.before"
        )
        connection.execute(
            f"UPDATE {relation_of(ASSISTANT_VERSIONS)} AS row "
            f"SET content_hash = restated.after, config = restated.config FROM {restated} AS restated "
            "WHERE row.assistant_id = restated.id AND row.observed_at = restated.at"
        )


#: Of assistants that disagree about a user, the greatest is believed: the order of `Comparison.settle_shared`, with
#: versions that are not the newest behind all others.
_Rank = tuple[bool, bool, bool, float, str]


def _keep_deviation(connection: duckdb.DuckDBPyConnection, assistant_id: str, deviation: JSONObject) -> None:
    """Write to `extra` how an assistant's own user differs from the one in `users`."""
    [(stored,)] = connection.execute(
        f"SELECT extra FROM {relation_of(ASSISTANTS)} WHERE assistant_id = ?", [assistant_id]
    ).fetchall()
    extra: JSONObject = json.loads(stored) if stored else {}
    kept = extra.get(DEVIATES)
    extra[DEVIATES] = {**(kept if isinstance(kept, dict) else {}), "user": deviation}
    connection.execute(
        f"UPDATE {relation_of(ASSISTANTS)} SET extra = ? WHERE assistant_id = ?", [canonical_json(extra), assistant_id]
    )


def _restate_rejected(connection: duckdb.DuckDBPyConnection, is_keyed: bool) -> None:
    rejected = connection.execute(f"SELECT record_hash, record FROM {relation_of(REJECTED_RECORDS)}").fetchall()
    for record_hash, record in rejected:
        text = canonical_json(json.loads(record))
        connection.execute(
            f"UPDATE {relation_of(REJECTED_RECORDS)} SET record_hash = ?, record = ? WHERE record_hash = ?",
            [record_hash if is_keyed else hash_text(text), text, record_hash],
        )


def flatten_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of every assistant again, from its newest configuration."""
    there = read_columns(connection)
    tables = [table for table in (ASSISTANTS, *CHILD_TABLES) if table.name in there]
    for ids in _ids(connection):
        newest = connection.execute(
            f"""SELECT version.config, row.updated_at, row.content_hash, row.first_seen_at, row.deleted_at, row.extra
                FROM {relation_of(ASSISTANTS)} AS row
                JOIN {relation_of(ASSISTANT_VERSIONS)} AS version
                  ON version.assistant_id = row.assistant_id AND version.content_hash = row.content_hash
                WHERE row.assistant_id IN (SELECT unnest(?::VARCHAR[]))
                QUALIFY row_number() OVER (PARTITION BY version.assistant_id ORDER BY version.observed_at DESC) = 1""",
            [ids],
        ).fetchall()
        rows: dict[str, list[Row]] = {table.name: [] for table in tables}
        found = []
        for config, updated_at, content_hash, first_seen_at, deleted_at, extra in newest:
            flat = flatten_config(json.loads(config), updated_at)
            found.append(flat.assistant_id)
            stored = {"content_hash": content_hash, "first_seen_at": first_seen_at, "deleted_at": deleted_at}
            rows[ASSISTANTS.name].append({**flat.assistant, **stored, "extra": _extra(flat, extra)})
            for table in CHILD_TABLES:
                rows.setdefault(table.name, []).extend(flat.rows[table.name])
        for table in tables:
            connection.execute(
                f"DELETE FROM {relation_of(table)} WHERE assistant_id IN (SELECT unnest(?::VARCHAR[]))", [found]
            )
            insert_rows(connection, table, rows[table.name])


def write_shared_again(
    connection: duckdb.DuckDBPyConnection, hash_value: Callable[[JSONValue], str], *, is_keyed: bool = False
) -> None:
    """Write users and voices again from their own rows, which were written with this content hash: a field that had no
    column was kept in `extra`. `is_keyed`: hashes are of what the API sent, and stay as they are."""
    for table in (USERS, VOICES):
        rows = [
            {
                **flatten_shared(read_shared(table, row, hash_value)),
                **({"content_hash": row["content_hash"]} if is_keyed else {}),
            }
            for row in read_rows(connection, table)
        ]
        connection.execute(f"DELETE FROM {relation_of(table)}")
        insert_rows(connection, table, rows)


def _extra(flat: Flattened, before: str | None) -> str | None:
    """The new `extra`. Only the old one knows the deviation from a shared voice or user, so it is kept."""
    kept: JSONObject = json.loads(before) if before else {}
    whole = {**flat.extra, DEVIATES: kept[DEVIATES]} if DEVIATES in kept else flat.extra
    return canonical_json(whole) if whole else None


def _ids(connection: duckdb.DuckDBPyConnection) -> Iterator[list[str]]:
    """The ids of all assistants in groups, because their configurations may not fit into memory together."""
    rows = connection.execute(f"SELECT assistant_id FROM {relation_of(ASSISTANTS)} ORDER BY 1").fetchall()
    for start in range(0, len(rows), _AT_ONCE):
        yield [assistant_id for (assistant_id,) in rows[start : start + _AT_ONCE]]
