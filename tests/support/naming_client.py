"""A client that stores names, as BI tools do, in a process of its own, with the DuckDB that its path holds.

    python naming_client.py DATABASE OWN_DATABASE

Says in one JSON object what it finds: its DuckDB's version, the catalog, the tables. It stores every table's full name,
and a view over DATABASE in OWN_DATABASE. For each line of input it opens both again, and says what the stored names
give: the number of rows, the snapshot's id, or the error.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Any

import duckdb

LISTED = """SELECT table_catalog, table_schema, table_name FROM information_schema.tables
            WHERE table_schema <> '_internal' ORDER BY ALL"""


def ask(connection: Any, query: str) -> Any:
    """The first value, or the error."""
    try:
        return connection.execute(query).fetchall()[0][0]
    except duckdb.Error as error:
        return f"{type(error).__name__}: {error}"


def attach(own: str, database: str) -> Any:
    connection = duckdb.connect(own)
    connection.execute(f"ATTACH '{database}' AS pt (READ_ONLY)")
    return connection


def store(database: str, own: str) -> tuple[dict[str, Any], list[str]]:
    """What there is, and the names that are stored."""
    with closing(duckdb.connect(database, read_only=True)) as connection:
        listed = connection.execute(LISTED).fetchall()
        found = {
            "version": duckdb.__version__,
            "catalog": ask(connection, "SELECT current_catalog()"),
            "shown": [name for (name,) in connection.execute("SHOW TABLES").fetchall()],
            "listed": [f"{schema}.{name}" for _, schema, name in listed],
        }
    with closing(attach(own, database)) as connection:
        connection.execute("CREATE VIEW mine AS SELECT snapshot_id FROM pt.main.snapshot_info")
    names = [f'"{catalog}"."{schema}"."{name}"' for catalog, schema, name in listed]
    names += ["assistants", "main.assistants", "puretalk.assistants", "marts.dim_assistants"]
    names += ["puretalk.marts.dim_assistants", "puretalk.staging.stg_assistants"]
    return found, names


def read(database: str, own: str, names: list[str]) -> dict[str, Any]:
    """What the stored names give, on the file itself and attached under another name."""
    with closing(duckdb.connect(database, read_only=True)) as connection:
        seen = {name: ask(connection, f"SELECT count(*) FROM {name}") for name in names}
        seen["snapshot"] = ask(connection, 'SELECT snapshot_id FROM "puretalk"."main"."snapshot_info"')
    with closing(attach(own, database)) as connection:
        for name in names:
            if name.startswith('"puretalk".'):
                attached = name.replace('"puretalk".', "pt.")
                seen[attached] = ask(connection, f"SELECT count(*) FROM {attached}")
        seen["pt.assistants"] = ask(connection, "SELECT count(*) FROM pt.assistants")
        seen["the own view"] = ask(connection, "SELECT snapshot_id FROM mine")
    return seen


def main() -> None:
    database, own = sys.argv[1:]
    found, names = store(database, own)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(read(database, own, names)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
