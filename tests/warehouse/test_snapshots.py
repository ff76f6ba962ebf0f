"""Claims about snapshots: what is kept, what is refused, what they hold, and the rollback."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.publishing import Steps, add_rows, count_rows, find_leftovers, publish_rows

from puretalk.database import OFFLINE
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.listener import Listener, Step
from puretalk.settings import RetentionSettings, StorageSettings
from puretalk.warehouse import work_file as warehouse_module
from puretalk.warehouse.copies import copy_file
from puretalk.warehouse.retention import Snapshot, choose_snapshots
from puretalk.warehouse.work_file import Warehouse, WorkFile

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    return Warehouse(data_dir)


def read(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        return connection.execute(query).fetchall()


def write_to(database: Path, statement: str = "DELETE FROM main.assistants") -> None:
    with closing(duckdb.connect(str(database))) as connection:
        connection.execute(statement)


# Retention


def shelf(ages: Iterable[timedelta], *, current: int = 0, size: int = 10) -> list[Snapshot]:
    """Snapshots of these ages, newest first."""
    return [Snapshot(Path(f"s{number}"), NOW - age, size, number == current) for number, age in enumerate(sorted(ages))]


MINUTES = [timedelta(minutes=n) for n in range(180)]
DAYS = [timedelta(days=n) for n in range(40)]


@pytest.mark.parametrize(
    ("snapshots", "retention", "kept"),
    [
        ([], RetentionSettings(), []),
        (shelf(DAYS[:1]), RetentionSettings(keep_last=1, keep_hourly=0, keep_daily=0), [0]),
        (shelf(MINUTES), RetentionSettings(keep_last=5, keep_hourly=0, keep_daily=0), [0, 1, 2, 3, 4]),
        # 12:30 back to 9:31: the last three, then the newest of 11:xx, 10:xx and 9:xx
        (shelf(MINUTES), RetentionSettings(keep_last=3, keep_hourly=24, keep_daily=0), [0, 1, 2, 31, 91, 151]),
        (shelf(MINUTES), RetentionSettings(keep_last=3, keep_hourly=2, keep_daily=0), [0, 1, 2, 31, 91]),
        (shelf(DAYS), RetentionSettings(keep_last=2, keep_hourly=24, keep_daily=5), [0, 1, 2, 3, 4, 5]),
        (
            shelf([*MINUTES[:4], *DAYS[1:4]]),
            RetentionSettings(keep_last=1, keep_hourly=0, keep_daily=14),
            [0, 1, 4, 5, 6],
        ),
        (shelf(DAYS), RetentionSettings(keep_last=9, keep_hourly=0, keep_daily=0, disk_budget=40), [0, 1, 2, 3]),
        (shelf(DAYS), RetentionSettings(keep_last=9, keep_hourly=0, keep_daily=0, disk_budget=45), [0, 1, 2, 3]),
        (shelf(DAYS), RetentionSettings(keep_last=9, keep_hourly=0, keep_daily=0, disk_budget=1), [0, 1]),
        # after a rollback: the one that readers get and the one before it stay, however old
        (shelf(DAYS, current=20), RetentionSettings(keep_last=2, keep_hourly=0, keep_daily=0), [0, 1, 20, 21]),
        (
            shelf(DAYS, current=20),
            RetentionSettings(keep_last=2, keep_hourly=0, keep_daily=0, disk_budget=20),
            [0, 1, 20, 21],
        ),
        # the clock was set back by a day: what is "of tomorrow" counts as young
        (shelf([-DAYS[1], *MINUTES[:3]]), RetentionSettings(keep_last=1, keep_hourly=24, keep_daily=2), [0, 1]),
    ],
)
def test_retention_chooses_what_stays(snapshots: list[Snapshot], retention: RetentionSettings, kept: list[int]) -> None:
    assert [snapshots.index(snapshot) for snapshot in choose_snapshots(snapshots, retention, NOW)] == kept


def test_a_sync_every_ten_minutes_for_weeks_keeps_a_bounded_and_useful_shelf() -> None:
    retention = RetentionSettings(keep_last=5, keep_hourly=24, keep_daily=14)
    kept: list[Snapshot] = []
    for minute in range(0, 20 * 24 * 60, 10):
        now = NOW + timedelta(minutes=minute)
        taken = [Snapshot(Path(f"{minute}"), now, 1, True), *(Snapshot(s.path, s.created_at, 1, False) for s in kept)]
        kept = list(choose_snapshots(taken, retention, now))
        assert len(kept) <= 5 + 25 + 14
    ages = [(now - snapshot.created_at) for snapshot in kept]
    assert sum(age <= timedelta(days=1) for age in ages) >= 5 + 23, "yesterday can be looked at hour by hour"
    assert {age.days for age in ages} == {*range(14)}, "and two weeks day by day"


def test_deleting_old_snapshots_removes_their_seals_and_never_what_readers_get(warehouse: Warehouse) -> None:
    ids = [publish_rows(warehouse, 1) for _ in range(4)]
    mine = warehouse.snapshots.folder / "before-the-migration" / "puretalk.duckdb"
    mine.parent.mkdir()
    shutil.copy(ids[0], mine)
    assert warehouse.delete_old_snapshots(RetentionSettings(keep_last=1, keep_hourly=0, keep_daily=0)) == 2
    assert [snapshot.path for snapshot in warehouse.snapshots.list_snapshots()] == [ids[3], ids[2]]
    publish_rows(warehouse, 1)
    assert mine.exists(), "a file that is not one of ours"
    shutil.rmtree(mine.parent)
    assert find_leftovers(warehouse.data_dir) == []


def test_names_sort_by_time_even_when_the_clock_was_set_back(warehouse: Warehouse) -> None:
    first = publish_rows(warehouse, 1)
    future = f"{datetime.now(UTC) + timedelta(days=400):%Y%m%dT%H%M%S%fZ}"
    with warehouse.open_work_file() as work:
        with work.connection.cursor() as connection:
            warehouse_module.seal(connection, future, datetime.now(UTC))
        ahead = warehouse.snapshots.publish(work.path, future)
    now = publish_rows(warehouse, 1)
    assert [snapshot.path for snapshot in warehouse.snapshots.list_snapshots()] == [now, ahead, first]
    assert warehouse.snapshots.current() == now
    [(published_at,)] = read(now, "SELECT epoch(published_at) FROM main.snapshot_info")
    assert abs(published_at - datetime.now(UTC).timestamp()) < 60, "the name is ahead, the facts in it are not"


# What a snapshot is


def test_a_snapshot_is_a_closed_read_only_file_under_a_relative_link(warehouse: Warehouse) -> None:
    steps = Steps()
    modes: list[int] = []

    class Look(Listener):
        def on_step(self, step: Step) -> None:
            steps.append(step)
            if step is Step.SEAL:
                work = warehouse.data_dir / "work"
                found = (work, *sorted(path for path in work.rglob("*") if path.suffix != ".wal"))
                modes.extend(stat.S_IMODE(path.stat().st_mode) for path in found)

    snapshot = publish_rows(warehouse, 3, listener=Look())
    published = warehouse.snapshots.published
    assert os.readlink(published) == f"snapshots/{snapshot.parent.name}/puretalk.duckdb"
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o440
    assert modes == [0o700, 0o700, 0o600], "work, work/PID and the work file"
    assert find_leftovers(warehouse.data_dir) == []
    moved = warehouse.data_dir.rename(warehouse.data_dir.with_name("moved"))
    assert count_rows(moved / "puretalk.duckdb")[1:] == (3, 3)


def test_the_mode_of_snapshots_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    snapshot = publish_rows(Warehouse(tmp_path / "data", StorageSettings(file_mode="0444")), 1)
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o444


@pytest.mark.parametrize("version", ["v1.4.0", "v1.2.0"])
def test_the_storage_version_is_what_was_asked_for_and_sticks(tmp_path: Path, version: str) -> None:
    (tmp_path / "data").mkdir()
    warehouse = Warehouse(tmp_path / "data", StorageSettings(storage_version=version))
    for _ in range(2):
        snapshot = publish_rows(warehouse, 1)
        tags = read(snapshot, "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal")
        assert tags == [(f"{version}+",)]


@pytest.mark.parametrize("version", ["v0.0.1", "newest", "v1.4.0'; DROP"])
def test_a_storage_version_that_does_not_exist_is_a_wrong_setting(tmp_path: Path, version: str) -> None:
    with pytest.raises(ConfigurationError, match="storage_version"):
        publish_rows(Warehouse(tmp_path, StorageSettings(storage_version=version)), 1)


def test_nothing_of_dlts_staging_is_published(warehouse: Warehouse) -> None:
    with warehouse.open_work_file() as work:
        add_rows(work, 1)
        with work.connection.cursor() as connection:
            connection.execute("CREATE SCHEMA main_staging")
            connection.execute("CREATE TABLE main_staging.assistants AS FROM main.assistants")
        snapshot = warehouse.publish(work)
    assert read(snapshot, "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'") == []


def test_a_work_file_that_is_not_closed_is_not_published(warehouse: Warehouse) -> None:
    with warehouse.open_work_file() as work:
        add_rows(work, 1)
        work.path.with_name("puretalk.duckdb.wal").write_bytes(b"something")
        with pytest.raises(WarehouseError, match="not closed cleanly"):
            warehouse.snapshots.publish(work.path, "20261122T120000000000Z")
    assert warehouse.snapshots.current() is None


def test_a_snapshot_that_cannot_be_read_back_is_not_published(warehouse: Warehouse) -> None:
    first = publish_rows(warehouse, 1)
    with warehouse.open_work_file() as work:
        work.path.chmod(0o600)
        work.path.write_bytes(os.urandom(2**16))
        with pytest.raises(WarehouseError, match="cannot be read back"):
            warehouse.snapshots.publish(work.path, "20991122T120000000000Z")
    assert warehouse.snapshots.current() == first
    publish_rows(warehouse, 1)
    assert find_leftovers(warehouse.data_dir) == []


# What is refused


def test_a_foreign_write_ahead_log_is_refused_and_harms_nobody(warehouse: Warehouse) -> None:
    """A process that wrote to the published file and was killed: DuckDB would replay its log into the file."""
    snapshot = publish_rows(warehouse, 3)
    before = count_rows(snapshot)
    script = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('DELETE FROM main.assistants'); os._exit(0)"
    )
    snapshot.chmod(0o640)
    for place in (warehouse.snapshots.published, snapshot):
        subprocess.run([sys.executable, "-c", script, str(place)], check=True)
        logs = list(warehouse.data_dir.rglob("*.wal"))
        assert len(logs) == 1
        with pytest.raises(WarehouseError, match="foreign write-ahead log"):
            publish_rows(warehouse, 1)
        logs[0].unlink()
        assert count_rows(snapshot) == before
    snapshot.chmod(0o440)
    assert count_rows(publish_rows(warehouse, 1))[1] == 4


def test_a_snapshot_that_somebody_wrote_to_is_refused_and_rolled_back(warehouse: Warehouse) -> None:
    first, second = publish_rows(warehouse, 3), publish_rows(warehouse, 4)
    second.chmod(0o640)
    write_to(warehouse.snapshots.published)
    with pytest.raises(WarehouseError, match="written to after it was published") as refused:
        publish_rows(warehouse, 1)
    assert "puretalk rollback" in refused.value.action
    assert warehouse.snapshots.roll_back(None).path == first
    with pytest.raises(WarehouseError, match="no untouched snapshot"):
        warehouse.snapshots.roll_back(second.parent.name)
    assert count_rows(publish_rows(warehouse, 1))[1] == 4


def test_opening_for_writing_without_writing_is_no_offence(warehouse: Warehouse) -> None:
    snapshot = publish_rows(warehouse, 3)
    snapshot.chmod(0o640)
    write_to(warehouse.snapshots.published, "SELECT count(*) FROM main.assistants")
    assert count_rows(publish_rows(warehouse, 1))[1] == 4


def test_a_copied_data_directory_is_not_mistaken_for_a_touched_one(warehouse: Warehouse, tmp_path: Path) -> None:
    publish_rows(warehouse, 3)
    shutil.copytree(warehouse.data_dir, tmp_path / "copy", symlinks=True, copy_function=shutil.copy)
    (tmp_path / "copy" / "puretalk.duckdb").stat()
    assert count_rows(publish_rows(Warehouse(tmp_path / "copy"), 1))[1] == 4


def test_a_database_of_somebody_else_is_not_overwritten(warehouse: Warehouse) -> None:
    write_to(warehouse.snapshots.published, "CREATE TABLE mine AS SELECT 42 AS answer")
    with pytest.raises(WarehouseError, match="not a snapshot that puretalk published"):
        publish_rows(warehouse, 1)
    assert read(warehouse.snapshots.published, "FROM mine") == [(42,)]


def test_a_link_to_nowhere_is_named_and_rolled_back(warehouse: Warehouse) -> None:
    first, second = publish_rows(warehouse, 1), publish_rows(warehouse, 1)
    second.unlink()
    with pytest.raises(WarehouseError, match="points to a snapshot that is gone"):
        publish_rows(warehouse, 1)
    assert warehouse.snapshots.roll_back(None).path == first
    assert count_rows(publish_rows(warehouse, 1))[1] == 2


# Rollback


def test_rollback_goes_to_the_one_before_or_to_the_one_named(warehouse: Warehouse) -> None:
    files = [publish_rows(warehouse, 1) for _ in range(3)]
    ids = [file.parent.name for file in files]
    assert warehouse.snapshots.roll_back(None).snapshot_id == ids[1]
    assert warehouse.snapshots.roll_back(None).snapshot_id == ids[0]
    with pytest.raises(WarehouseError, match="there is no earlier snapshot"):
        warehouse.snapshots.roll_back(None)
    assert warehouse.snapshots.roll_back(ids[2]).snapshot_id == ids[2]
    with pytest.raises(WarehouseError, match="there is no untouched snapshot 20200101T"):
        warehouse.snapshots.roll_back("20200101T000000000000Z")
    warehouse.snapshots.roll_back(ids[0])
    assert count_rows(warehouse.snapshots.published) == (ids[0], 1, 1)
    continued = publish_rows(warehouse, 5)
    assert count_rows(continued)[1] == 6, "it continues from what readers got"
    assert [s.path for s in warehouse.snapshots.list_snapshots()] == [continued, *files[::-1]]


# What killed runs leave


def test_a_sweep_removes_orphans_and_nothing_else(warehouse: Warehouse) -> None:
    first = publish_rows(warehouse, 1)
    orphan = warehouse.snapshots.folder / "20990101T000000000000Z" / "puretalk.duckdb"
    orphan.parent.mkdir()
    shutil.copy(first, orphan)
    (warehouse.snapshots.folder / "20990101T000000000001Z").mkdir()  # killed before the file was moved into it
    (warehouse.data_dir / ".puretalk.duckdb.4711").symlink_to("snapshots/nowhere")
    orphan.with_name(f"{orphan.name}.seal-to-be").write_text("")
    orphan.with_name(f"{orphan.name}.wal").write_text("")
    first.with_name(f"{first.name}.seal").unlink()  # killed right after the swap
    (warehouse.data_dir / "work" / "4711").mkdir(parents=True)
    second = publish_rows(warehouse, 1)
    assert [s.path for s in warehouse.snapshots.list_snapshots()] == [second, first]
    assert find_leftovers(warehouse.data_dir) == []


# Where symlinks do not exist


def refuse_symlinks(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_where_symlinks_do_not_exist_a_copy_is_published(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "symlink", refuse_symlinks)
    snapshots = [publish_rows(warehouse, 1) for _ in range(3)]
    published = warehouse.snapshots.published
    assert (published.is_symlink(), stat.S_IMODE(published.stat().st_mode)) == (False, 0o440)
    assert count_rows(published) == (snapshots[-1].parent.name, 3, 6)
    assert warehouse.snapshots.current() == snapshots[-1]
    assert [s.is_current for s in warehouse.snapshots.list_snapshots()] == [True, False, False]
    assert warehouse.snapshots.roll_back(None).path == snapshots[1]
    assert count_rows(published)[1] == 2
    published.chmod(0o640)
    write_to(published)
    with pytest.raises(WarehouseError, match="not a snapshot that puretalk published"):
        publish_rows(warehouse, 1)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_link_that_fails_for_another_reason_publishes_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    first = publish_rows(warehouse, 1)

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as broken:
        broken.setattr(os, "symlink", fail)
        with pytest.raises(WarehouseError, match="the link to the new snapshot could not be made"):
            publish_rows(warehouse, 1)
    assert warehouse.snapshots.current() == first
    publish_rows(warehouse, 1)
    assert find_leftovers(warehouse.data_dir) == []


@pytest.mark.parametrize("answer", [OSError(errno.EXDEV, "no"), 0])
def test_a_file_is_copied_whole_where_the_kernel_does_not_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    def copy(*_arguments: object) -> int:
        if isinstance(answer, OSError):
            raise answer
        return 0

    content = os.urandom(3 * 2**20 + 1)
    (tmp_path / "source").write_bytes(content)
    monkeypatch.setattr(os, "copy_file_range", copy)
    copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o600


# Compaction


def dump(database: Path) -> dict[str, Any]:
    """Everything that a reader can see: columns with types and comments, views, constraints, rows."""
    catalog = {
        "tables": "SELECT schema_name, table_name, comment FROM duckdb_tables() ORDER BY ALL",
        "views": "SELECT schema_name, view_name, comment, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
        "columns": """SELECT schema_name, table_name, column_index, column_name, data_type, is_nullable, column_default,
                             comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL""",
        "constraints": "SELECT schema_name, table_name, constraint_text FROM duckdb_constraints() ORDER BY ALL",
        "macros": "SELECT schema_name, function_name FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    }
    with closing(duckdb.connect(str(database), read_only=True, config=OFFLINE)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        seen: dict[str, Any] = {name: connection.execute(query).fetchall() for name, query in catalog.items()}
        for schema, table, _ in seen["tables"] + [view[:3] for view in seen["views"]]:
            query = f'SELECT * FROM "{schema}"."{table}" ORDER BY ALL'
            if (schema, table) != ("main", "snapshot_info"):
                seen[f"{schema}.{table}"] = connection.execute(query).fetchall()
    return seen


def test_compaction_keeps_everything_but_the_holes(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_rows(warehouse, 2000)
    with warehouse.open_work_file() as work:
        add_odd_things(work)
        loose = warehouse.publish(work)
    monkeypatch.setattr(warehouse_module, "_COMPACT_SIZE", 0)
    monkeypatch.setattr(warehouse_module, "_COMPACT_SHARE", -1)
    steps = Steps()
    with warehouse.open_work_file() as work:
        compact = warehouse.publish(work, listener=steps)
    assert "compact" in steps
    assert dump(compact) == dump(loose)
    assert compact.stat().st_size < loose.stat().st_size
    tags = read(compact, "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal")
    assert tags == [("v1.4.0+",)]
    assert stat.S_IMODE(compact.stat().st_mode) == 0o440
    assert find_leftovers(warehouse.data_dir) == []
    assert count_rows(publish_rows(warehouse, 1))[1] == 2011


def add_odd_things(work: WorkFile) -> None:
    """Holes, and what a user's models may hold: views on views that sort before what they use, quotes in comments."""
    with work.connection.cursor() as connection:
        connection.execute("DELETE FROM main.assistants WHERE prompt NOT LIKE '%1'")
        connection.execute("INSERT INTO main.assistants (assistant_id) FROM range(1810)")
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.zz_late (id INTEGER NOT NULL, note VARCHAR DEFAULT 'none', UNIQUE (id))")
        connection.execute("INSERT INTO marts.zz_late VALUES (1, 'one')")
        connection.execute("CREATE VIEW marts.yy AS SELECT id, note FROM marts.zz_late")
        connection.execute('CREATE VIEW marts.aa AS SELECT id, note AS "the note" FROM marts.yy')
        connection.execute("CREATE MACRO marts.ask(one) AS TABLE SELECT note FROM marts.zz_late WHERE id = one")
        connection.execute("COMMENT ON TABLE marts.zz_late IS 'it''s late'")
        connection.execute("COMMENT ON VIEW marts.aa IS 'a view''s comment'")
        connection.execute('COMMENT ON COLUMN marts.aa."the note" IS \'the "note"\'')


def test_where_there_is_no_room_to_compact_the_sync_goes_on(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse_module, "_COMPACT_SIZE", 0)
    monkeypatch.setattr(warehouse_module, "_COMPACT_SHARE", -1)
    steps = Steps()
    with warehouse.open_work_file() as work:
        add_rows(work, 1)
        monkeypatch.setattr(warehouse_module, "DISK_MARGIN", 2**60)
        warehouse.publish(work, listener=steps)
    assert "compact" not in steps
