"""Carry a warehouse of an earlier release over to the tables and rules of this one.

It works on the private work file before anything is loaded, so it is all or nothing like the run itself: readers keep
the old snapshot until the run publishes. It sends no request to the API. Rows follow from the newest configuration in
`assistant_versions`, so deleted assistants are carried over too; users and voices follow from their own rows. A user
that an earlier release kept in a configuration gets a row.

- It gives every table the columns of this release, in their order. The load makes new tables.
- It removes the schema `puretalk` of releases up to 0.2, and moves the build's own tables to `_internal`.
- If anything is older, it flattens assistants, their lists and states again, and rewrites users and voices.
- Where the rules of flattening or the content hash are older, it restates stored configurations and hashes. It adds no
  version, and no run counts a restated hash as a change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import quote_name
from puretalk.endpoints.assistants.versions import CONTENT_HASHES, CURRENT, UNWRITTEN, VERSION_COLUMNS, Versions
from puretalk.errors import WarehouseError
from puretalk.release import VERSION
from puretalk.schema import CATALOG, INTERNAL_SCHEMA, SQL_TYPES, STORAGE_SCHEMA
from puretalk.warehouse.stored_tables import find_altered_columns, read_stored_policy, read_types, relation_of


def carry_over(connection: duckdb.DuckDBPyConnection, *, to: Versions = CURRENT) -> bool:
    """Bring the open work file to the versions `to`; returns whether anything had to be done.

    Raises WarehouseError when a newer release wrote the file, or another program gave a column another type.
    """
    types = read_types(connection)
    there = {name: list(columns) for name, columns in types.items()}
    written, release = _read_versions(connection, there.get("snapshot_info", []))
    newer = [what for name, what in _NAMES.items() if getattr(written, name) > getattr(to, name)]
    if newer:
        raise WarehouseError(
            f"puretalk {release} wrote this warehouse, and this is puretalk {VERSION}, which is older: it does not "
            f"know {' and '.join(newer)} of that release",
            action=f"Install puretalk {release} or newer. To go back to an older release: docs/upgrading.md.",
        )
    if altered := list(find_altered_columns(types)):
        raise WarehouseError(
            f"another program altered the published snapshot: {', '.join(altered)}",
            action="Type `puretalk rollback` to go back to the snapshot before it, then sync.",
        )
    is_rearranged = _arrange_columns(connection, there)
    if written == to and not is_rearranged:
        return False
    _tidy_schemas(connection, there)
    # Arrow takes a while to import, and most runs have nothing to carry over.
    from puretalk.warehouse.renamed_users import rename_users
    from puretalk.warehouse.rewriting import flatten_again, restate_configurations, write_shared_again

    is_keyed = read_stored_policy(connection) is not None
    connection.begin()
    write_shared_again(connection, CONTENT_HASHES[written.content_hash], is_keyed=is_keyed)
    renamed = rename_users(connection) if written.flattening != to.flattening else {}
    if (written.flattening, written.content_hash) != (to.flattening, to.content_hash):
        restate_configurations(connection, renamed, is_keyed=is_keyed)
    flatten_again(connection)
    connection.commit()
    return True


_NAMES = dict(zip(("tables", "flattening", "content_hash"), VERSION_COLUMNS.values(), strict=True))


def _read_versions(connection: duckdb.DuckDBPyConnection, columns: Collection[str]) -> tuple[Versions, str]:
    """The versions that the file was written with, and the release that wrote it. `columns`: those of snapshot_info."""
    if not VERSION_COLUMNS.keys() <= {*columns}:
        return UNWRITTEN, "0.1.0"
    rows = connection.execute(
        f"SELECT {', '.join(VERSION_COLUMNS)}, puretalk_version FROM {STORAGE_SCHEMA}.snapshot_info"
    ).fetchall()
    if not rows or None in rows[0]:
        return UNWRITTEN, "0.1.0"
    *numbers, release = rows[0]
    return Versions(*numbers), release


def _arrange_columns(connection: duckdb.DuckDBPyConnection, there: Mapping[str, list[str]]) -> bool:
    """Give each table that exists the columns of this release, in their order; a new one is NULL. Returns whether any
    table was different."""
    is_changed = False
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        stored = there.get(table.name)
        if stored is None or stored[: len(names)] == names:
            continue
        is_changed = True
        selected = [
            quote_name(column.name)
            if column.name in stored
            else f"CAST(NULL AS {SQL_TYPES[column.type]}) AS {quote_name(column.name)}"
            for column in table.columns
        ]
        selected += [quote_name(name) for name in stored if name not in names]
        arranged = quote_name(STORAGE_SCHEMA, "arranged")
        connection.execute(f"CREATE TABLE {arranged} AS SELECT {', '.join(selected)} FROM {relation_of(table)}")
        connection.execute(f"DROP TABLE {relation_of(table)}")
        connection.execute(f"ALTER TABLE {arranged} RENAME TO {quote_name(table.name)}")
        for name in table.key:
            connection.execute(f"ALTER TABLE {relation_of(table)} ALTER COLUMN {quote_name(name)} SET NOT NULL")
    return is_changed


#: Tables of the build that releases up to 0.2 kept among those of the readers.
_OF_THE_BUILD = ("model_builds", "model_files", "model_inputs", "model_note")


def _tidy_schemas(connection: duckdb.DuckDBPyConnection, there: Collection[str]) -> None:
    """Remove the views of the schema `puretalk`, and move the build's own tables out of sight."""
    connection.execute(f"DROP SCHEMA IF EXISTS {quote_name(CATALOG)} CASCADE")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(INTERNAL_SCHEMA)}")
    for name in _OF_THE_BUILD:
        if name in there:
            old, new = quote_name(STORAGE_SCHEMA, name), quote_name(INTERNAL_SCHEMA, name)
            connection.execute(f"CREATE TABLE {new} AS FROM {old}")
            connection.execute(f"DROP TABLE {old}")
