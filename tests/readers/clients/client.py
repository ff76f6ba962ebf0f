"""A client of the published snapshot, as BI tools and notebooks are: `python client.py KIND DATABASE`.

It looks up the names that it is offered, once. Then, for each line on stdin, it connects again and asks with the names
that it stored, and prints what it got as one line of JSON: [snapshot_id, rows of dim_assistants, its first column].
It runs in an environment of its own, so it imports nothing of puretalk.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ask = Callable[[], list[Any]]
SQL = """
SELECT snapshot_id, (SELECT count(*) FROM puretalk.marts.dim_assistants), (SELECT count(*) FROM puretalk.assistants),
       (SELECT count(*) FROM main.assistants), (SELECT count(*) FROM assistants)
FROM snapshot_info
"""


def sqlalchemy(database: str, driver: str) -> Ask:
    """As Superset does it: a dataset is stored as a schema and a table that the inspector offered."""
    import sqlalchemy as sa

    def connect() -> sa.Engine:
        return sa.create_engine(f"{driver}:///{database}", connect_args={"read_only": True}, poolclass=sa.pool.NullPool)

    inspector = sa.inspect(connect())
    [schema] = [name for name in inspector.get_schema_names() if "dim_assistants" in inspector.get_table_names(name)]

    def ask() -> list[Any]:
        engine = connect()
        mart = sa.Table("dim_assistants", sa.MetaData(), schema=schema, autoload_with=engine)
        with engine.connect() as connection:
            rows = connection.execute(sa.select(sa.func.count()).select_from(mart)).scalar()
            [(snapshot_id, *counts)] = connection.execute(sa.text(SQL)).fetchall()
        assert {rows} == {*counts}, (rows, counts)
        return [snapshot_id, rows, mart.columns.keys()[0]]

    return ask


def ibis(database: str) -> Ask:
    import ibis

    first = ibis.duckdb.connect(database, read_only=True)
    [catalog] = [name for name in first.list_catalogs() if "marts" in first.list_databases(catalog=name)]
    first.disconnect()

    def ask() -> list[Any]:
        connection = ibis.duckdb.connect(database, read_only=True)
        mart = connection.table("dim_assistants", database=(catalog, "marts"))
        answer = [
            connection.table("snapshot_info").snapshot_id.execute()[0],
            int(mart.count().execute()),
            mart.columns[0],
        ]
        connection.disconnect()
        return answer

    return ask


def frames(database: str, kind: str) -> Ask:
    """Polars and pandas, through the Python client."""
    import duckdb

    def ask() -> list[Any]:
        with duckdb.connect(database, read_only=True) as connection:
            mart = connection.sql("FROM puretalk.marts.dim_assistants")
            frame: Any = mart.pl() if kind == "polars" else mart.df()
            info: Any = connection.sql("FROM snapshot_info").fetchall()
        return [info[0][0], len(frame), next(iter(frame.columns))]

    return ask


def adbc(database: str) -> Ask:
    import adbc_driver_duckdb.dbapi

    def ask() -> list[Any]:
        with adbc_driver_duckdb.dbapi.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(SQL)
            [(snapshot_id, *counts)] = cursor.fetchall()
            assert len({*counts}) == 1, counts
            cursor.execute("FROM puretalk.marts.dim_assistants LIMIT 0")
            return [snapshot_id, counts[0], cursor.description[0][0]]

    return ask


def command(database: str) -> Ask:
    """The `duckdb` program."""
    duckdb = Path(sys.executable).with_name("duckdb")

    def run(sql: str) -> Any:
        done = subprocess.run(
            [str(duckdb), "-readonly", "-json", database, "-c", sql], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def ask() -> list[Any]:
        [row] = run(SQL)
        snapshot_id, *counts = row.values()
        assert len({*counts}) == 1, counts
        return [snapshot_id, counts[0], run("DESCRIBE puretalk.marts.dim_assistants")[0]["column_name"]]

    return ask


CLIENTS: dict[str, Callable[[str], Ask]] = {
    "duckdb-engine": lambda database: sqlalchemy(database, "duckdb"),
    "duckdb-sqlalchemy": lambda database: sqlalchemy(database, "duckdb+duckdb_sqlalchemy"),
    "ibis": ibis,
    "polars": lambda database: frames(database, "polars"),
    "pandas": lambda database: frames(database, "pandas"),
    "adbc": adbc,
    "duckdb-cli": command,
}

if __name__ == "__main__":
    ask_again = CLIENTS[sys.argv[1]](sys.argv[2])
    for _ in sys.stdin:
        print(json.dumps(ask_again()), flush=True)
