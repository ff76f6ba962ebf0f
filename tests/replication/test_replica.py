"""A replica equals the snapshot in every value, after any history, and a run sends only what differs."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from support.commandline import PURETALK, CommandLine
from support.postgres import PostgresServer
from support.replicas import Select, State, expect_equal, follow, reading
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, ReplicaError
from puretalk.replication.replica import fit_json, replicate
from puretalk.settings import Settings
from puretalk.sync.run import run_sync


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
    in_duckdb("UPDATE puretalk.assistants SET name = 'as many rows as before'")
    assert replicate(settings, "engine").tables == 0  # as docs/engines.md says
    replicate(settings, "engine", everything=True)
    expect_equal(reading(in_duckdb), snapshot)


@pytest.mark.slow
def test_postgres_has_keys_comments_types_and_a_role_that_only_reads(
    synced_data: Path, in_postgres: PostgresServer
) -> None:
    replicate(settings_of(synced_data), "engine")
    select = in_postgres.select
    assert select(
        "SELECT data_type FROM information_schema.columns "
        "WHERE table_schema = 'puretalk' AND table_name = 'assistants' "
        "AND column_name IN ('name', 'updated_at', 'extra', 'voice_boost') ORDER BY column_name"
    ) == [("jsonb",), ("character varying",), ("timestamp with time zone",), ("boolean",)]
    [(described,)] = select("SELECT obj_description('puretalk.assistants'::regclass)")
    assert described.startswith("One row: an assistant that a sync has ever seen")
    select("DROP ROLE IF EXISTS bi")
    select("CREATE ROLE bi")
    for dataset in ("puretalk", "puretalk_marts"):
        select(f"GRANT USAGE ON SCHEMA {dataset} TO bi")
        select(f"GRANT SELECT ON ALL TABLES IN SCHEMA {dataset} TO bi")
    assert select("SET ROLE bi; SELECT count(*) FROM puretalk_marts.dim_assistants") == [(7,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        select("SET ROLE bi; DELETE FROM puretalk.assistants")
    select("DROP OWNED BY bi")
    assert select("SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conname = 'assistant_variables_key'") == [
        (1,)
    ]


@pytest.mark.slow
def test_a_killed_run_changes_nothing_for_readers_and_the_next_one_repairs(
    synced_data: Path, in_postgres: PostgresServer
) -> None:
    settings = settings_of(synced_data)
    replicate(settings, "engine")
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    in_postgres.select("DELETE FROM puretalk.replica_parts")
    before = in_postgres.select("SELECT xmin::text FROM puretalk.assistants")
    # An own lock on the last table makes the transaction wait in its middle, where the kill then hits it.
    blocker = psycopg2.connect(in_postgres.url)
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE puretalk.voices IN EXCLUSIVE MODE")
    environment = CommandLine(synced_data, synced_data).environment(
        DESTINATION__ENGINE__DESTINATION_TYPE="postgres", DESTINATION__ENGINE__CREDENTIALS=in_postgres.url
    )
    child = subprocess.Popen([PURETALK, "replicate", "engine"], env=environment, cwd="/")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = time.monotonic() + 120
    while in_postgres.select(waiting) != [(1,)]:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    child.kill()
    child.wait()
    blocker.close()
    assert in_postgres.select("SELECT xmin::text FROM puretalk.assistants") == before
    replicate(settings, "engine")
    expect_equal(reading(in_postgres.select), snapshot)


@pytest.mark.slow
def test_an_engine_that_is_away_or_refuses_costs_no_sync_and_tells_no_password(
    tmp_path: Path, api: DemoApi, in_postgres: PostgresServer
) -> None:
    cli = CommandLine(tmp_path / "data", tmp_path, api)
    wrong = in_postgres.url.replace(in_postgres.password, "wrong-password")
    away = in_postgres.url.replace(f":{in_postgres.port}/", ":1/")
    variables: dict[str, Any] = {"DESTINATION__ENGINE__DESTINATION_TYPE": "postgres", "PURETALK_REPLICATE_TO": "engine"}
    for url, said in ((wrong, "password authentication failed"), (away, "Connection refused")):
        ended = cli("sync", **variables, DESTINATION__ENGINE__CREDENTIALS=url)
        assert ended.exit_code == 12
        assert said in ended.error
        assert "readers still get the snapshot of" in ended.error
        logged = "".join(path.read_text() for path in (tmp_path / "data" / "logs").iterdir())
        for secret in ("wrong-password", in_postgres.password):
            assert secret not in ended.error + ended.output + logged
    assert '"destination": "engine"' in logged
    ended = cli("sync", **variables, DESTINATION__ENGINE__CREDENTIALS=in_postgres.url)
    assert (ended.exit_code, ended.error) == (0, "")
    expect_equal(reading(in_postgres.select), (tmp_path / "data" / "puretalk.duckdb").resolve())


def test_a_destination_without_sql_or_without_a_name_is_refused(
    synced_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__ENGINE__DESTINATION_TYPE", "dummy")
    with pytest.raises(ConfigurationError, match="only those with SQL"):
        replicate(settings_of(synced_data), "engine")
    with pytest.raises(ReplicaError, match="nowhere could not be written"):
        replicate(settings_of(synced_data), "nowhere")


def test_json_that_jsonb_refuses_gets_a_replacement_character() -> None:
    assert fit_json(r'"a\u0000b\ud800c\\u0000\ud83d\ude00\u00e9"') == r'"a\ufffdb\ufffdc\\u0000\ud83d\ude00\u00e9"'


@pytest.mark.slow
def test_a_nul_in_a_text_becomes_a_replacement_character_in_postgres(
    tmp_path: Path, in_postgres: PostgresServer
) -> None:
    account = Account(assistants=2)
    account.edit(account.live_ids()[0], name="a\0b", variables=[{"name": "a\0b", "value": "\0"}])
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        run_sync(settings)
        replicate(settings, "engine")
    assert in_postgres.select("SELECT count(*) FROM puretalk.assistants WHERE name = 'a\ufffdb'") == [(1,)]
