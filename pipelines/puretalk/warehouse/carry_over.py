"""Carry a warehouse of an earlier release over to the tables and rules of this one.

It works on the private work file before anything is loaded, so it is all or nothing like the run itself: readers keep
the old snapshot until the run publishes. It sends no request to the API. Rows follow from the newest configuration in
`assistant_versions`, so deleted assistants are carried over too; users and voices follow from their own rows.

- It adds new columns. The load makes new tables.
- If anything is older, it flattens assistants, their lists and states again, and rewrites users and voices.
- Where the content hash is older, it restates stored configurations and hashes. It adds no version, and no run counts a
  restated hash as a change.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_name
from puretalk.endpoints.assistants.versions import CONTENT_HASHES, CURRENT, UNWRITTEN, VERSION_COLUMNS, Versions
from puretalk.errors import WarehouseError
from puretalk.release import VERSION
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA
from puretalk.warehouse.stored_tables import read_columns, relation_of


def carry_over(connection: duckdb.DuckDBPyConnection, *, to: Versions = CURRENT) -> bool:
    """Bring the open work file to the versions `to`; returns whether anything had to be done.

    Raises WarehouseError when a newer release wrote the file.
    """
    there = read_columns(connection)
    written, release = _read_versions(connection, there.get("snapshot_info", set()))
    newer = [what for name, what in _NAMES.items() if getattr(written, name) > getattr(to, name)]
    if newer:
        raise WarehouseError(
            f"puretalk {release} wrote this warehouse, and this is puretalk {VERSION}, which is older: it does not "
            f"know {' and '.join(newer)} of that release",
            action=f"Install puretalk {release} or newer. To go back to an older release: docs/upgrading.md.",
        )
    has_new_columns = _add_missing_columns(connection, there)
    if written == to and not has_new_columns:
        return False
    # Arrow takes a while to import, and most runs have nothing to carry over.
    from puretalk.warehouse.rewriting import flatten_again, restate_hashes, write_shared_again

    connection.begin()
    if written.content_hash < to.content_hash:
        restate_hashes(connection)
    flatten_again(connection)
    write_shared_again(connection, CONTENT_HASHES[written.content_hash])
    connection.commit()
    return True


_NAMES = dict(zip(("tables", "flattening", "content_hash"), VERSION_COLUMNS.values(), strict=True))


def _read_versions(connection: duckdb.DuckDBPyConnection, columns: set[str]) -> tuple[Versions, str]:
    """The versions that the file was written with, and the release that wrote it. `columns`: those of snapshot_info."""
    if not VERSION_COLUMNS.keys() <= columns:
        return UNWRITTEN, "0.1.0"
    rows = connection.execute(
        f"SELECT {', '.join(VERSION_COLUMNS)}, puretalk_version FROM {STORAGE_SCHEMA}.snapshot_info"
    ).fetchall()
    if not rows or None in rows[0]:
        return UNWRITTEN, "0.1.0"
    *numbers, release = rows[0]
    return Versions(*numbers), release


def _add_missing_columns(connection: duckdb.DuckDBPyConnection, there: Mapping[str, set[str]]) -> bool:
    """Add the columns that this release has and the file lacks. The load makes the tables that are missing."""
    is_changed = False
    for table in TABLES.values():
        for column in table.columns:
            if table.name in there and column.name not in there[table.name]:
                connection.execute(
                    f"ALTER TABLE {relation_of(table)} ADD COLUMN {quote_name(column.name)} {SQL_TYPES[column.type]}"
                )
                is_changed = True
    return is_changed
