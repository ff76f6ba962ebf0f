"""Delta and Iceberg tables by dlt equal the snapshot in every value, and what differs from it is found and repaired."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.commandline import MEASURED, CommandLine
from support.lakes import PACKAGES, Lake
from support.replicas import State, comparable, expect_equal, follow

from puretalk.errors import ConfigurationError
from puretalk.replication.replica import replicate
from puretalk.replication.snapshot import Relation, list_relations, open_snapshot
from puretalk.settings import Settings

_DYING = """
import os, signal, sys
from pathlib import Path
from dlt.destinations.impl.filesystem import filesystem
from puretalk.replication.replica import replicate
from puretalk.settings import Settings
kind, number, data = getattr(filesystem, sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
wrapped, calls = kind.run, []
def dying(self):
    calls.append(1)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    wrapped(self)
kind.run = dying
replicate(Settings(data.parent, data), "engine")
"""


@pytest.mark.storm
@pytest.mark.timeout(900)  # 40 CPU-seconds, which a busy machine takes minutes for
@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_a_lake_equals_the_snapshot_after_each_of_five_syncs_and_is_repaired(
    five_states: list[State], table_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(table_format, tmp_path / "lake")
    lake.configure(monkeypatch)
    follow(five_states, polars_of(lake), lambda settings: replicate(settings, "engine"))
    expect_that_what_was_changed_is_found(lake, five_states[-1])
    expect_that_a_killed_run_is_repaired(lake, five_states[-1], five_states[0])


@pytest.mark.slow
def test_delta_holds_what_was_published_and_a_table_that_was_changed_is_repaired(
    synced_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake("delta", tmp_path / "lake")
    lake.configure(monkeypatch)
    settings, snapshot = Settings(synced_data.parent, synced_data), (synced_data / "puretalk.duckdb").resolve()
    expect_that_no_lake_is_made_in_the_data_directory(lake, settings, monkeypatch)
    expect_that_a_foreign_table_is_left_alone(lake, settings)
    assert replicate(settings, "engine").rows == expect_equal(polars_of(lake), snapshot)
    expect_descriptions(lake, snapshot)
    lake.files("puretalk.users")[0].unlink()
    lake.change_a_file("puretalk_marts.dim_assistants", "assistant_name")
    lake.change_a_value("puretalk.voices", "name")
    lake.commit_nothing("puretalk.assistants")
    assert replicate(settings, "engine").tables == 5  # snapshot_info, twice, is among them
    expect_equal(pandas_of(lake), snapshot)
    assert replicate(settings, "engine").tables == 0


def polars_of(lake: Lake) -> Any:
    return lambda relation: lake.with_polars(relation.full_name)


def pandas_of(lake: Lake) -> Any:
    def read(relation: Relation) -> list[tuple[Any, ...]]:
        return lake.with_pandas(relation.full_name)

    return read


def expect_that_what_was_changed_is_found(lake: Lake, state: State) -> None:
    """As on any engine: rows that are gone, planted or changed, a table or file that is gone or was replaced, a table
    that was taken back, marker rows that are gone. What is as it was is not sent."""
    lake.table("puretalk.assistant_variables").delete("position = 0")
    lake.files("puretalk.users")[0].unlink()
    lake.table("puretalk.replica_parts").delete("relation = 'puretalk.rejected_records'")
    lake.change_a_value("puretalk.assistants", "name")
    lake.change_a_file("puretalk_marts.dim_assistants", "assistant_name")
    lake.go_back("puretalk.sync_runs")
    lake.break_the_log("puretalk.assistant_llm_states")
    lake.commit_nothing("puretalk.assistant_versions")
    lake.change_a_description("puretalk.assistant_versions", "config")
    voices = lake.table("puretalk.voices")
    if lake.table_format == "delta":
        from deltalake import write_deltalake

        write_deltalake(voices, voices.to_pyarrow_table().slice(0, 1), mode="append")
        shutil.rmtree(lake.folder / "puretalk_marts/dim_voices")
    else:
        voices.append(voices.scan().to_arrow().slice(0, 1))
        lake.catalog().drop_table("puretalk_marts.dim_voices")
    done = replicate(state.settings, "engine")
    # snapshot_info, twice, is among them. An Iceberg table that left the catalog is found by its files, and taken in
    # again: it lost nothing.
    assert done.tables == (10 if lake.table_format == "delta" else 9)
    expect_equal(pandas_of(lake), state.snapshot)
    expect_descriptions(lake, state.snapshot)
    lake.files("puretalk.replica_parts")[0].unlink()
    assert replicate(state.settings, "engine").tables == 0
    lake.break_the_log("puretalk.replica_parts")
    assert replicate(state.settings, "engine").tables == 0
    assert len(lake.with_polars("puretalk.replica_parts")) > 30


def expect_that_no_lake_is_made_in_the_data_directory(lake: Lake, settings: Settings, environment: Any) -> None:
    inside = settings.data_dir / "lake"
    Lake(lake.table_format, inside).configure(environment)
    with pytest.raises(ConfigurationError, match="engine is in a data directory of puretalk"):
        replicate(settings, "engine")
    assert [*inside.iterdir()] == []
    inside.rmdir()
    lake.configure(environment)


def expect_that_a_foreign_table_is_left_alone(lake: Lake, settings: Settings) -> None:
    from deltalake import write_deltalake

    folder = lake.folder / "puretalk" / "users"
    write_deltalake(folder, pa.table({"user_id": ["mine"]}))
    with pytest.raises(ConfigurationError, match=r"a table puretalk\.users that `puretalk replicate` did not make"):
        replicate(settings, "engine")
    assert lake.table("puretalk.users").to_pyarrow_table().to_pydict() == {"user_id": ["mine"]}
    shutil.rmtree(lake.folder / "puretalk")


def expect_descriptions(lake: Lake, snapshot: Path) -> None:
    """Every table and column has its own."""
    with open_snapshot(snapshot) as connection:
        for relation in list_relations(connection):
            columns = {column.name: column.description for column in relation.columns}
            assert lake.descriptions(relation.full_name) == (relation.description, columns)


def expect_that_a_killed_run_is_repaired(lake: Lake, before: State, state: State) -> None:
    """A run to `state` dies between two tables. Then the account is back at `before`, as after a rollback: a marker
    that still named the tables of `before` would hide those that were already replaced."""
    names = [f"puretalk_marts.{path.name}" for path in (lake.folder / "puretalk_marts").glob("[!_]*") if path.is_dir()]
    files = {name: set(lake.files(name)) for name in names}
    job = {"delta": "DeltaLoadFilesystemJob", "iceberg": "IcebergLoadFilesystemJob"}[lake.table_format]
    ended = subprocess.run(
        [sys.executable, "-c", _DYING, job, "8", str(state.settings.data_dir)],
        env=MEASURED | {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES)} | lake.variables(),
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    replaced = [name for name in names if set(lake.files(name)) != files[name]]
    assert 0 < len(replaced) < len(names)
    for relation, *published in zip(relations_of(state), rows_of(state), rows_of(before), strict=True):
        assert comparable(lake.with_polars(relation.full_name), relation) in published, "half a table"
    replicate(before.settings, "engine")
    expect_equal(polars_of(lake), before.snapshot)


def relations_of(state: State) -> list[Relation]:
    with open_snapshot(state.snapshot) as connection:
        return list_relations(connection)


def rows_of(state: State) -> list[list[str]]:
    """The rows of each relation, as they can be compared."""
    with open_snapshot(state.snapshot) as connection:
        return [
            comparable(connection.execute(f"FROM {relation.source}").fetchall(), relation)
            for relation in list_relations(connection)
        ]


@pytest.mark.slow
def test_a_lake_that_is_not_configured_or_not_installed_is_refused_in_words(synced_data: Path, tmp_path: Path) -> None:
    cli = CommandLine(synced_data, tmp_path)
    delta: dict[str, Any] = dict(Lake("delta", tmp_path / "lake").variables())
    ended = cli("replicate", "engine", **delta)
    assert ended.exit_code == 4
    assert ended.message[0] == "puretalk: deltalake is not installed."
    assert 'pip install "puretalk[delta]"' in ended.error
    ended = cli("replicate", "engine", **delta | {"DESTINATION__ENGINE__TABLE_FORMAT": "hudi"})
    assert ended.exit_code == 4
    assert "DESTINATION__ENGINE__TABLE_FORMAT to delta or iceberg" in ended.error
    assert not list((tmp_path / "lake").iterdir())


@pytest.mark.storm
def test_iceberg_without_a_catalog_is_refused_and_a_message_tells_no_secret(synced_data: Path, tmp_path: Path) -> None:
    cli = CommandLine(synced_data, tmp_path)
    variables: dict[str, Any] = {**Lake("iceberg", tmp_path / "lake").variables(), "PYTHONPATH": str(PACKAGES)}
    del variables["ICEBERG_CATALOG__ICEBERG_CATALOG_CONFIG"]
    ended = cli.as_installed("replicate", "engine", **variables)
    assert ended.exit_code == 4
    assert ended.message[0] == "puretalk: no Iceberg catalog is configured."
    catalog = {"type": "rest", "uri": "http://127.0.0.1:1/", "warehouse": "w", "credential": "me:pw-of-the-catalog"}
    variables["ICEBERG_CATALOG__ICEBERG_CATALOG_CONFIG"] = json.dumps(catalog)
    ended = cli.as_installed("replicate", "engine", **variables)
    assert ended.exit_code == 12
    assert "engine could not be written: " in ended.error
    assert "pw-of-the-catalog" not in ended.error + ended.output
