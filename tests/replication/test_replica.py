"""A replica equals the snapshot in every value, after any history, and a run sends only what differs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.postgres import PostgresServer
from support.replicas import Select, State, expect_equal, follow, reading

from puretalk.errors import ConfigurationError, WarehouseBusyError
from puretalk.replication.replica import fit_json, replicate
from puretalk.settings import Settings
from puretalk.sync.run import run_rollback
from puretalk.warehouse.lock import hold_replication_lock


@pytest.mark.storm
def test_postgres_equals_the_snapshot_after_each_of_five_syncs(
    five_states: list[State], in_postgres: PostgresServer
) -> None:
    follow(five_states, reading(in_postgres.select), lambda settings: replicate(settings, "engine"))


@pytest.mark.storm
def test_duckdb_equals_the_snapshot_after_each_of_five_syncs(five_states: list[State], in_duckdb: Select) -> None:
    follow(five_states, reading(in_duckdb), lambda settings: replicate(settings, "engine"))


def settings_of(synced_data: Path) -> Settings:
    return Settings(synced_data.parent, synced_data)


@pytest.mark.slow
def test_what_was_changed_on_the_engine_is_found_and_repaired(synced_data: Path, in_duckdb: Select) -> None:
    settings = settings_of(synced_data)
    replicate(settings, "engine")
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    in_duckdb("DELETE FROM puretalk.assistant_variables WHERE position = 0")
    in_duckdb("DROP TABLE puretalk_marts.dim_voices")
    in_duckdb("INSERT INTO puretalk.voices (voice_id) VALUES ('planted')")
    in_duckdb("DELETE FROM puretalk.replica_parts WHERE relation = 'puretalk.users'")
    assert replicate(settings, "engine").tables == 4
    expect_equal(reading(in_duckdb), snapshot)
    in_duckdb("UPDATE puretalk.assistants SET name = 'as many rows as before' WHERE voice_boost")
    in_duckdb("UPDATE puretalk.replica_parts SET held_digest = '1' WHERE relation = 'puretalk.sync_runs'")
    done = replicate(settings, "engine")
    assert (done.tables, 1 < done.parts < 7) == (2, True)
    expect_equal(reading(in_duckdb), snapshot)
    assert replicate(settings, "engine", everything=True).tables > 20
    expect_equal(reading(in_duckdb), snapshot)


@pytest.mark.storm
def test_a_run_after_a_rollback_takes_the_engine_back(
    five_states: list[State], tmp_path: Path, in_duckdb: Select
) -> None:
    earlier, newest = five_states[1], five_states[-1]
    settings = Settings(tmp_path, shutil.copytree(newest.settings.data_dir, tmp_path / "data", symlinks=True))
    replicate(settings, "engine")
    expect_equal(reading(in_duckdb), newest.snapshot)
    run_rollback(settings, earlier.snapshot.parent.name)
    assert replicate(settings, "engine").snapshot_id == earlier.snapshot.parent.name
    expect_equal(reading(in_duckdb), earlier.snapshot)
    assert in_duckdb("SELECT snapshot_id FROM puretalk_marts.snapshot_info") == [(earlier.snapshot.parent.name,)]


def test_a_destination_without_sql_or_without_a_name_is_refused(
    synced_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__ENGINE__DESTINATION_TYPE", "dummy")
    with pytest.raises(ConfigurationError, match="only those with SQL"):
        replicate(settings_of(synced_data), "engine")
    with pytest.raises(ConfigurationError, match="no destination nowhere is configured") as raised:
        replicate(settings_of(synced_data), "nowhere")
    assert "DESTINATION__NOWHERE__DESTINATION_TYPE" in raised.value.action
    for name in ("", "ware house;--", "../warehouse", "os.path"):
        with pytest.raises(ConfigurationError, match="no name of a destination"):
            replicate(settings_of(synced_data), name)


@pytest.mark.slow
def test_tables_of_the_same_names_that_puretalk_did_not_make_are_left_alone(
    synced_data: Path, in_duckdb: Select
) -> None:
    in_duckdb("CREATE SCHEMA puretalk")
    in_duckdb("CREATE TABLE puretalk.users AS SELECT 'mine' AS user_id")
    with pytest.raises(ConfigurationError, match=r"a table puretalk\.users that `puretalk replicate` did not make"):
        replicate(settings_of(synced_data), "engine", everything=True)
    assert in_duckdb("FROM puretalk.users") == [("mine",)]
    in_duckdb("DROP TABLE puretalk.users")
    replicate(settings_of(synced_data), "engine")
    in_duckdb("DROP TABLE puretalk.replica_parts")  # what the last run left on its way says whose tables these are
    assert replicate(settings_of(synced_data), "engine").rows > 100
    expect_equal(reading(in_duckdb), (synced_data / "puretalk.duckdb").resolve())


@pytest.mark.parametrize("place", ["other.duckdb", "puretalk.duckdb", "snapshots/replica.duckdb"])
def test_a_file_in_the_data_directory_is_no_engine(
    synced_data: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = sorted(synced_data.rglob("*.duckdb"))
    monkeypatch.setenv("DESTINATION__ENGINE__DESTINATION_TYPE", "duckdb")
    monkeypatch.setenv("DESTINATION__ENGINE__CREDENTIALS", str(synced_data / place))
    with pytest.raises(ConfigurationError, match="engine is in a data directory of puretalk"):
        replicate(settings_of(synced_data), "engine")
    assert sorted(synced_data.rglob("*.duckdb")) == before


def test_two_replications_of_one_warehouse_exclude_each_other(synced_data: Path) -> None:
    with (
        hold_replication_lock(synced_data),
        pytest.raises(WarehouseBusyError, match="another replication is at work") as raised,
    ):
        replicate(settings_of(synced_data), "engine")
    assert "when it has ended" in raised.value.action  # `replicate` has no --wait


def test_json_that_jsonb_refuses_gets_a_replacement_character() -> None:
    assert fit_json(r'"a\u0000b\ud800c\\u0000\ud83d\ude00\u00e9"') == r'"a\ufffdb\ufffdc\\u0000\ud83d\ude00\u00e9"'
