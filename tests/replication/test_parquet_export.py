"""`puretalk export parquet`: the files hold every value of the snapshot, and a reader never sees half of a set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from support.commandline import MEASURED, CommandLine
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, WarehouseBusyError
from puretalk.replication.parquet_export import _delete_old, export_parquet
from puretalk.replication.snapshot import open_snapshot
from puretalk.settings import Settings
from puretalk.sync.run import run_sync
from puretalk.warehouse.lock import try_lock


def settings_of(data_dir: Path) -> Settings:
    return Settings(data_dir.parent, data_dir)


def expect_equal(folder: Path, data_dir: Path) -> int:
    """Every table that is published has a file with the same values, for DuckDB and for pandas. The number of rows."""
    total = 0
    with open_snapshot((data_dir / "puretalk.duckdb").resolve()) as connection:
        tables = connection.execute(
            """SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'puretalk'
               AND schema_name IN ('main', 'marts')
               UNION SELECT schema_name, view_name FROM duckdb_views()
               WHERE database_name = 'puretalk' AND schema_name = 'marts'"""
        ).fetchall()
        files = {
            f"{'puretalk_marts' if schema == 'marts' else 'puretalk'}/{name}": (schema, name) for schema, name in tables
        }
        files["puretalk_marts/snapshot_info"] = ("main", "snapshot_info")
        found = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.parquet")}
        assert found == files.keys()
        for file, (schema, name) in files.items():
            source, path = f"puretalk.{schema}.{name}", str(folder / f"{file}.parquet")
            read = f"read_parquet('{path}')"
            for one, other in ((source, read), (read, source)):
                assert connection.execute(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})").fetchall() == [
                    (0,)
                ]
            wanted = connection.sql(f"FROM {source} ORDER BY ALL").fetchall()
            frame = pa.Table.from_pandas(pd.read_parquet(path, dtype_backend="pyarrow"), preserve_index=False)
            assert [tuple(row.values()) for row in frame.to_pylist()] == wanted, file
            assert [*frame.column_names] == connection.sql(f"FROM {source}").columns
            total += len(wanted)
    return total


def test_the_files_hold_every_value_and_type(synced_data: Path, tmp_path: Path) -> None:
    done = export_parquet(settings_of(synced_data), tmp_path / "out")
    assert done.folder == (tmp_path / "out/current").resolve()
    assert (done.tables, done.files) == (done.files, done.tables)
    assert done.snapshot_id == (synced_data / "puretalk.duckdb").resolve().parent.name
    assert expect_equal(tmp_path / "out/current", synced_data) > 200
    table = pd.read_parquet(tmp_path / "out/current/puretalk/assistants.parquet", dtype_backend="pyarrow")
    types = {name: str(table.dtypes[name]) for name in ("updated_at", "extra", "voice_boost", "voice_speed")}
    assert types == {
        "updated_at": "timestamp[us, tz=UTC][pyarrow]",
        "extra": "string[pyarrow]",
        "voice_boost": "bool[pyarrow]",
        "voice_speed": "double[pyarrow]",
    }


@pytest.mark.slow
def test_an_unchanged_snapshot_is_no_new_set_and_an_unchanged_table_no_new_file(tmp_path: Path) -> None:
    account = Account(assistants=7)
    out = tmp_path / "out"
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        run_sync(settings)
        first = export_parquet(settings, out)
        assert export_parquet(settings, out).folder == first.folder
        account.edit(account.live_ids()[0], prompt="Say yes.")
        run_sync(settings)
    second = export_parquet(settings, out)
    assert second.folder != first.folder
    assert 0 < second.files < second.tables
    for name, is_same in (("voices", True), ("assistants", False)):
        paths = [folder / f"puretalk/{name}.parquet" for folder in (first.folder, second.folder)]
        assert paths[0].samefile(paths[1]) == is_same
    expect_equal(out / "current", settings.data_dir)
    assert first.folder.is_dir(), "a reader may be at work in the set before"


def test_a_file_that_was_changed_or_removed_is_repaired_by_the_next_run(synced_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = export_parquet(settings_of(synced_data), out).folder
    (first / "puretalk/users.parquet").unlink()
    damaged = first / "puretalk/voices.parquet"
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (first / "puretalk_marts/planted.parquet").touch()
    assert export_parquet(settings_of(synced_data), out).files == 2
    expect_equal(out / "current", synced_data)


def test_types_of_own_models_are_kept_or_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    def publish(value: str) -> None:
        with duckdb.connect(str(tmp_path / "data/puretalk.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA IF NOT EXISTS marts")
            connection.execute(f'CREATE OR REPLACE TABLE marts.mine AS SELECT {value} AS mine, 1 AS "a ""b"""')

    def exported() -> Any:
        export_parquet(settings_of(tmp_path / "data"), tmp_path / "o'ut")
        return pd.read_parquet(tmp_path / "o'ut/current/puretalk_marts/mine.parquet", dtype_backend="pyarrow")

    publish("['a', NULL, 'é']")
    assert list(exported()["mine"][0]) == ["a", None, "é"]
    publish("""{'at': TIMESTAMPTZ '2026-01-02 03:04:05.678901+00', 'n': [1.5::DECIMAL(9, 2)]}""")
    [value] = pa.Table.from_pandas(exported()).column("mine").to_pylist()
    assert value["at"] == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    publish("""['{"a": 1}'::JSON]""")
    assert list(exported()["mine"][0]) == ['{"a": 1}']
    before = (tmp_path / "o'ut/current").resolve()
    for value in ("1::HUGEINT", "'a'::ENUM('a', 'b')", "now()::TIMESTAMP_S"):
        publish(value)
        with pytest.raises(ConfigurationError, match=r"mine.* is of the type .*, which Parquet does not keep"):
            exported()
        assert (tmp_path / "o'ut/current").resolve() == before


def test_other_folders_are_refused_and_left_alone(synced_data: Path, tmp_path: Path) -> None:
    settings = settings_of(synced_data)
    for folder in (synced_data, synced_data / "parquet"):
        with pytest.raises(ConfigurationError, match="is in a data directory of puretalk"):
            export_parquet(settings, folder)
    assert not (synced_data / "parquet").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "README.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty, and is not an earlier export"):
        export_parquet(settings, foreign)
    assert [path.name for path in foreign.iterdir()] == ["README.txt"]
    with pytest.raises(ConfigurationError, match="is not a folder"):
        export_parquet(settings, foreign / "README.txt")
    (foreign / "README.txt").write_text("")  # as a run leaves it that is killed right there
    export_parquet(settings, foreign)
    (foreign / "current").unlink()
    (foreign / "current").mkdir()
    with pytest.raises(ConfigurationError, match="is not a link"):
        export_parquet(settings, foreign)
    with pytest.raises(ConfigurationError, match="nothing has been published yet"):
        export_parquet(settings_of(tmp_path / "nothing"), tmp_path / "out")


def test_two_exports_into_one_folder_exclude_each_other(synced_data: Path, tmp_path: Path) -> None:
    export_parquet(settings_of(synced_data), tmp_path / "out")
    with try_lock(tmp_path / "out/.lock"), pytest.raises(WarehouseBusyError):
        export_parquet(settings_of(synced_data), tmp_path / "out")


def test_old_sets_are_removed_an_hour_after_they_were_replaced_but_for_the_one_before(tmp_path: Path) -> None:
    names = [f"20260301T{hour:02}0000000000Z" for hour in (1, 2, 3, 4, 5)]
    for name in (*names, "mine"):
        (tmp_path / name).mkdir()

    def left(hour: float) -> list[str]:
        _delete_old(tmp_path / names[4], datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour))
        return sorted(path.name for path in tmp_path.iterdir())

    assert left(4.5) == [*names[2:], "mine"]  # the third was replaced at 4:00
    assert left(100) == [*names[3:], "mine"]


_DYING = """
import os, signal, sys
from pathlib import Path
from puretalk.replication import parquet_export
from puretalk.settings import Settings
place, _, number = sys.argv[1].partition(":")
holder, name = (Path, place.removeprefix("Path.")) if place.startswith("Path.") else (parquet_export, place)
wrapped, calls = getattr(holder, name), []
def dying(*arguments, **more):
    calls.append(1)
    if len(calls) == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return wrapped(*arguments, **more)
setattr(holder, name, dying)
parquet_export.export_parquet(Settings(Path(sys.argv[2]).parent, Path(sys.argv[2])), Path(sys.argv[3]))
"""


@pytest.mark.slow
def test_a_killed_run_leaves_the_set_before_and_the_next_one_repairs(synced_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = settings_of(synced_data)
    first = export_parquet(settings, out).folder
    (first / "puretalk/users.parquet").unlink()
    # In the middle of the tables; before the rename of the set; between it and the link; before the swap of the link.
    for moment in ("_write:9", "sync_folder:3", "Path.symlink_to:1", "Path.replace:LAST"):
        last = sum(1 for _ in first.glob("*/*.parquet")) + 1  # each equal file is replaced by a link before
        ended = subprocess.run(
            [sys.executable, "-c", _DYING, moment.replace("LAST", str(last)), synced_data, out],
            env=MEASURED | {"PATH": os.environ["PATH"]},
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL, moment
        assert (out / "current").resolve() == first, moment
    assert export_parquet(settings, out).folder != first
    expect_equal(out / "current", synced_data)
    assert len(list((out / "sets").iterdir())) == 2


@pytest.mark.slow
def test_a_reader_always_finds_a_whole_set(synced_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = settings_of(synced_data)
    export_parquet(settings, out)
    is_over, seen, failures = threading.Event(), set(), []

    def read() -> None:
        try:
            while not is_over.is_set():
                folder = (out / "current").resolve()
                seen.add(folder.name)
                assert len(list(folder.glob("puretalk/*.parquet"))) == 12
                assert len(pd.read_parquet(out / "current/puretalk/assistants.parquet")) == 7
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(6):
        users = out / "current/puretalk/users.parquet"
        users.chmod(0o600)
        users.write_bytes(b"")  # it differs, so there is a new set
        export_parquet(settings, out)
    is_over.set()
    reader.join()
    assert failures == []
    assert len(seen) > 2


@pytest.mark.slow
def test_the_command_is_silent_for_a_scheduler_and_tells_a_person(synced_data: Path, tmp_path: Path) -> None:
    cli = CommandLine(synced_data, tmp_path)
    ended = cli("export", "parquet", str(tmp_path / "out"))
    assert (ended.exit_code, ended.output, ended.error) == (0, "", "")
    assert "files, of which 0 are new or differ" in cli.on_a_terminal("export", "parquet", str(tmp_path / "out")).output
    ended = cli("export", "parquet", str(synced_data))
    assert ended.exit_code == 4
    assert "is in a data directory of puretalk" in ended.message[0]
