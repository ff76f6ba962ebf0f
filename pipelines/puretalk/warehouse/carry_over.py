"""Carry a warehouse of an earlier release over to the tables and rules of this one.

It works on the private work file before anything is loaded, so it is all or nothing like the run itself: readers keep
the old snapshot until the run publishes. It sends no request to the API. The newest configuration in
`assistant_versions` holds an assistant's whole record, so deleted assistants are carried over too.

- It adds new columns. The load makes new tables.
- Where the tables or the rules of flattening are older, it flattens assistants, their lists and states again.
- Where the content hash is older, it restates stored configurations and hashes. It adds no version, and no run counts a
  restated hash as a change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from puretalk import __version__
from puretalk.assistants.flatten import DEVIATES, Flattened, flatten_shared
from puretalk.assistants.stored import flatten_config, read_shared
from puretalk.assistants.tables import ASSISTANT_VERSIONS, ASSISTANTS, CHILD_TABLES, USERS, VOICES
from puretalk.assistants.versions import CONTENT_HASHES, CURRENT, UNWRITTEN, VERSION_COLUMNS, Versions
from puretalk.catalogue import REJECTED_RECORDS, TABLES
from puretalk.database import quote_name
from puretalk.errors import WarehouseError
from puretalk.json_values import JSONObject, JSONValue, canonical_json, hash_text
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA, Row, Table
from puretalk.warehouse.arrow import arrow_schema

#: Number of assistants whose configurations are in memory at once.
_AT_ONCE = 1_000


def carry_over(connection: duckdb.DuckDBPyConnection, *, to: Versions = CURRENT) -> bool:
    """Bring the open work file to the versions `to`; returns whether anything had to be done.

    Raises WarehouseError when a newer release wrote the file.
    """
    connection.execute("SET TimeZone = 'UTC'")
    written, release = _read_versions(connection)
    newer = [what for name, what in _NAMES.items() if getattr(written, name) > getattr(to, name)]
    if newer:
        raise WarehouseError(
            f"puretalk {release} wrote this warehouse, and this is puretalk {__version__}, which is older: it does not "
            f"know {' and '.join(newer)} of that release",
            action=f"Install puretalk {release} or newer. To go back to an older release: docs/upgrading.md.",
        )
    has_new_columns = _add_missing_columns(connection)
    if written == to and not has_new_columns:
        return False
    connection.begin()
    if written.content_hash < to.content_hash:
        _restate_hashes(connection)
    _flatten_again(connection)
    _write_shared_again(connection, CONTENT_HASHES[written.content_hash])
    connection.commit()
    return True


_NAMES = dict(zip(("tables", "flattening", "content_hash"), VERSION_COLUMNS.values(), strict=True))


def _read_versions(connection: duckdb.DuckDBPyConnection) -> tuple[Versions, str]:
    """The versions that the file was written with, and the release that wrote it."""
    there = _columns_of(connection, "snapshot_info")
    if not VERSION_COLUMNS.keys() <= there:
        return UNWRITTEN, "0.1.0"
    rows = connection.execute(
        f"SELECT {', '.join(VERSION_COLUMNS)}, puretalk_version FROM {STORAGE_SCHEMA}.snapshot_info"
    ).fetchall()
    if not rows or None in rows[0]:
        return UNWRITTEN, "0.1.0"
    *numbers, release = rows[0]
    return Versions(*numbers), release


def _columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [STORAGE_SCHEMA, table],
    ).fetchall()
    return {name for (name,) in rows}


def _add_missing_columns(connection: duckdb.DuckDBPyConnection) -> bool:
    """Add the columns that this release has and the file lacks. The load makes the tables that are missing."""
    is_changed = False
    for table in TABLES.values():
        there = _columns_of(connection, table.name)
        for column in table.columns:
            if there and column.name not in there:
                connection.execute(
                    f"ALTER TABLE {_relation(table)} ADD COLUMN {quote_name(column.name)} {SQL_TYPES[column.type]}"
                )
                is_changed = True
    return is_changed


def _restate_hashes(connection: duckdb.DuckDBPyConnection) -> None:
    """Write every stored configuration in this release's canonical form, and its content hash with it.

    `_write_shared_again` restates the hash of a user or voice together with its row.
    """
    for ids in _ids(connection):
        stored = connection.execute(
            f"SELECT assistant_id, observed_at, content_hash, config FROM {_relation(ASSISTANT_VERSIONS)} "
            "WHERE assistant_id IN (SELECT unnest(?::VARCHAR[]))",
            [ids],
        ).fetchall()
        rows = []
        for assistant_id, observed_at, before, config in stored:
            text = canonical_json(json.loads(config))
            rows.append(
                {"id": assistant_id, "at": observed_at, "before": before, "after": hash_text(text), "config": text}
            )
        with _registered(connection, pa.Table.from_pylist(rows)) as restated:
            connection.execute(
                f"UPDATE {_relation(ASSISTANTS)} AS row SET content_hash = restated.after FROM {restated} AS restated "
                "WHERE row.assistant_id = restated.id AND row.content_hash = restated.before"
            )
            connection.execute(
                f"UPDATE {_relation(ASSISTANT_VERSIONS)} AS row "
                f"SET content_hash = restated.after, config = restated.config FROM {restated} AS restated "
                "WHERE row.assistant_id = restated.id AND row.observed_at = restated.at"
            )
    rejected = connection.execute(f"SELECT record_hash, record FROM {_relation(REJECTED_RECORDS)}").fetchall()
    for record_hash, record in rejected:
        text = canonical_json(json.loads(record))
        connection.execute(
            f"UPDATE {_relation(REJECTED_RECORDS)} SET record_hash = ?, record = ? WHERE record_hash = ?",
            [hash_text(text), text, record_hash],
        )


def _flatten_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of every assistant again, from its newest configuration."""
    tables = [table for table in (ASSISTANTS, *CHILD_TABLES) if _columns_of(connection, table.name)]
    for ids in _ids(connection):
        newest = connection.execute(
            f"""SELECT version.config, row.updated_at, row.first_seen_at, row.deleted_at, row.extra
                FROM {_relation(ASSISTANTS)} AS row
                JOIN {_relation(ASSISTANT_VERSIONS)} AS version
                  ON version.assistant_id = row.assistant_id AND version.content_hash = row.content_hash
                WHERE row.assistant_id IN (SELECT unnest(?::VARCHAR[]))
                QUALIFY row_number() OVER (PARTITION BY version.assistant_id ORDER BY version.observed_at DESC) = 1""",
            [ids],
        ).fetchall()
        rows: dict[str, list[Row]] = {table.name: [] for table in tables}
        found = []
        for config, updated_at, first_seen_at, deleted_at, extra in newest:
            flat = flatten_config(json.loads(config), updated_at)
            found.append(flat.assistant_id)
            times = {"first_seen_at": first_seen_at, "deleted_at": deleted_at}
            rows[ASSISTANTS.name].append({**flat.assistant, **times, "extra": _extra(flat, extra)})
            for table in CHILD_TABLES:
                rows.setdefault(table.name, []).extend(flat.rows[table.name])
        for table in tables:
            connection.execute(
                f"DELETE FROM {_relation(table)} WHERE assistant_id IN (SELECT unnest(?::VARCHAR[]))", [found]
            )
            _insert(connection, table, rows[table.name])


def _write_shared_again(connection: duckdb.DuckDBPyConnection, hash_value: Callable[[JSONValue], str]) -> None:
    """Write users and voices again from their own rows, which were written with this content hash: a field that had no
    column was kept in `extra`."""
    for table in (USERS, VOICES):
        names = [column.name for column in table.columns]
        stored = connection.execute(f"SELECT {', '.join(map(quote_name, names))} FROM {_relation(table)}").fetchall()
        rows = [
            flatten_shared(read_shared(table, dict(zip(names, values, strict=True)), hash_value)) for values in stored
        ]
        connection.execute(f"DELETE FROM {_relation(table)}")
        _insert(connection, table, rows)


def _extra(flat: Flattened, before: str | None) -> str | None:
    """The new `extra`. Only the old one knows the deviation from a shared voice or user, so it is kept."""
    kept: JSONObject = json.loads(before) if before else {}
    whole = {**flat.extra, DEVIATES: kept[DEVIATES]} if DEVIATES in kept else flat.extra
    return canonical_json(whole) if whole else None


def _ids(connection: duckdb.DuckDBPyConnection) -> Iterator[list[str]]:
    """The ids of all assistants in groups, because their configurations may not fit into memory together."""
    rows = connection.execute(f"SELECT assistant_id FROM {_relation(ASSISTANTS)} ORDER BY 1").fetchall()
    for start in range(0, len(rows), _AT_ONCE):
        yield [assistant_id for (assistant_id,) in rows[start : start + _AT_ONCE]]


def _relation(table: Table) -> str:
    return quote_name(STORAGE_SCHEMA, table.name)


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: list[Row]) -> None:
    if rows:
        names = ", ".join(quote_name(column.name) for column in table.columns)
        with _registered(connection, pa.Table.from_pylist(rows, schema=arrow_schema(table))) as batch:
            connection.execute(f"INSERT INTO {_relation(table)} ({names}) SELECT {names} FROM {batch}")


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[str]:
    """The name under which SQL finds the rows."""
    connection.register("carried_over", rows)
    try:
        yield "carried_over"
    finally:
        connection.unregister("carried_over")
