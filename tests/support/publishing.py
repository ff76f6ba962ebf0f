"""Publishing without a sync: a warehouse that a test fills itself, and what a run must not leave behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb

from puretalk.catalogue import TABLES
from puretalk.listener import SILENT, Listener, Step
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA
from puretalk.warehouse.work_file import Warehouse, WorkFile, describe

_KEPT = {"puretalk.duckdb", "snapshots", "sync.lock", "logs"}


class Steps(Listener, list[Step]):
    """A listener that collects the steps it hears."""

    def on_step(self, step: Step) -> None:
        self.append(step)


def publish_rows(warehouse: Warehouse, rows: int, *, listener: Listener = SILENT) -> Path:
    """Add so many assistants, a version of every assistant and a run, and publish; gives the snapshot."""
    with warehouse.open_work_file(listener=listener) as work:
        add_rows(work, rows)
        return warehouse.publish(work, listener=listener)


def add_rows(work: WorkFile, rows: int) -> None:
    """Put into a work file what `publish_rows` publishes."""
    with work.connection.cursor() as connection:
        if work.is_new:
            for table in TABLES.values():
                columns = ", ".join(f"{column.name} {SQL_TYPES[column.type]}" for column in table.columns)
                connection.execute(f"CREATE TABLE {STORAGE_SCHEMA}.{table.name} ({columns})")
        connection.execute(
            f"""INSERT INTO {STORAGE_SCHEMA}.assistants (assistant_id, name, prompt, first_seen_at)
                SELECT uuid(), 'Number ' || range, repeat('Be brief. ', 100) || range, now() FROM range(?)""",
            [rows],
        )
        connection.execute(
            f"""INSERT INTO {STORAGE_SCHEMA}.assistant_versions (assistant_id, observed_at, config)
                SELECT assistant_id, now(), json_object('prompt', prompt) FROM {STORAGE_SCHEMA}.assistants"""
        )
        connection.execute(
            f"INSERT INTO {STORAGE_SCHEMA}.sync_runs (run_id, finished_at) SELECT uuid(), now()",
        )
        describe(connection)


def count_rows(database: Path) -> tuple[str, int, int]:
    """What readers get: the snapshot's id, assistants, versions. Fails when it does not hold what it says."""
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        said = connection.execute(
            "SELECT snapshot_id, assistants, assistant_versions FROM main.snapshot_info"
        ).fetchall()
        there = connection.execute(
            "SELECT (SELECT count(*) FROM main.assistants), (SELECT count(*) FROM main.assistant_versions)"
        ).fetchall()
    assert [row[1:] for row in said] == there, "half a snapshot"
    return said[0]


def find_leftovers(data_dir: Path) -> list[str]:
    """Files and folders that no run should leave: everything but the link, the lock, the logs, and sealed snapshots."""
    found = [path.name for path in data_dir.iterdir() if path.name not in _KEPT]
    for folder in (data_dir / "snapshots").glob("*"):
        names = {path.name for path in folder.iterdir()}
        found += [f"{folder.name}: {sorted(names)}"] if names != {"puretalk.duckdb", "puretalk.duckdb.seal"} else []
    return sorted(found)
