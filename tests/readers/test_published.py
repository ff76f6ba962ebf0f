"""Claims about the facts of a published snapshot: read once, right, and also from a snapshot that holds less."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from puretalk.catalogue import TABLES
from puretalk.errors import WarehouseError
from puretalk.readers.published import RUN_NUMBERS, Published, read_published
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA
from puretalk.warehouse.work_file import Warehouse, describe

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def publish(data_dir: Path, *statements: str) -> Path:
    """A published snapshot of empty tables, filled by these statements."""
    warehouse = Warehouse(data_dir)
    with warehouse.open_work_file() as work:
        with work.connection.cursor() as connection:
            connection.execute("SET TimeZone = 'America/New_York'")
            for table in TABLES.values():
                columns = ", ".join(f"{column.name} {SQL_TYPES[column.type]}" for column in table.columns)
                connection.execute(f"CREATE TABLE {STORAGE_SCHEMA}.{table.name} ({columns})")
            for statement in statements:
                connection.execute(statement)
            describe(connection)
        return warehouse.publish(work)


def a_run(run_id: str, finished_at: datetime, *, is_exact: bool, number: int) -> str:
    numbers = ", ".join(f"{number} AS {name}" for name in RUN_NUMBERS)
    return f"""INSERT INTO sync_runs BY NAME
               SELECT '{run_id}' AS run_id, TIMESTAMPTZ '{finished_at.isoformat()}' AS finished_at,
                      {is_exact} AS is_exact, {numbers}"""


def test_the_facts_are_those_of_the_newest_sync_and_of_the_newest_exact_one(tmp_path: Path) -> None:
    snapshot = publish(
        tmp_path,
        a_run("b", NOON + timedelta(hours=1), is_exact=False, number=3),
        a_run("a", NOON, is_exact=True, number=2),
        f"INSERT INTO assistants BY NAME SELECT 'x' AS assistant_id, TIMESTAMPTZ '{NOON.isoformat()}' AS updated_at",
        "INSERT INTO assistants BY NAME SELECT 'y' AS assistant_id, TIMESTAMPTZ '2026-11-22 11:00Z' AS deleted_at",
    )
    assert read_published(tmp_path) == Published(
        path=snapshot,
        snapshot_id=snapshot.parent.name,
        run_id="b",
        finished_at=NOON + timedelta(hours=1),
        is_exact=False,
        exact_at=NOON,
        cursor=NOON,
        live_assistants=1,
        numbers=dict.fromkeys(RUN_NUMBERS, 3),
        row_counts={name: 2 if name in ("assistants", "sync_runs") else 0 for name in TABLES},
    )


def test_a_snapshot_without_a_sync_has_facts_all_the_same(tmp_path: Path) -> None:
    publish(tmp_path)
    published = read_published(tmp_path)
    assert (published.run_id, published.finished_at, published.is_exact, published.exact_at) == (None,) * 4
    assert (published.cursor, published.live_assistants, published.numbers) == (None, 0, {})
    assert published.row_counts == dict.fromkeys(TABLES, 0)


def test_a_snapshot_of_an_earlier_release_is_read_without_the_tables_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path)
    monkeypatch.setattr("puretalk.readers.published.TABLES", {**TABLES, "calls": TABLES["users"]})
    assert read_published(tmp_path).row_counts == dict.fromkeys(TABLES, 0)


def test_nothing_published_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="nothing has been published") as caught:
        read_published(tmp_path)
    assert "puretalk sync" in caught.value.action


def test_a_file_that_is_not_a_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "puretalk.duckdb").write_text("not a database\n" * 1000)
    with pytest.raises(WarehouseError, match="the published snapshot cannot be read: ") as caught:
        read_published(tmp_path)
    assert "\n" not in caught.value.message
