"""PostgreSQL: what its readers see while a replica is written, killed, or refused, and how it is repaired."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psycopg2
import pytest
from support.commandline import PURETALK, CommandLine
from support.postgres import PostgresServer
from support.replicas import State, expect_equal, reading
from support.storm import select, settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import ReplicaError
from puretalk.replication.engine import Engine
from puretalk.replication.replica import replicate
from puretalk.settings import Settings
from puretalk.sync.run import run_sync

#: What a reader asks, one statement after another.
QUESTIONS = (
    "SELECT snapshot_id FROM puretalk.snapshot_info",
    "SELECT string_agg(assistant_id || content_hash, ' ' ORDER BY assistant_id) FROM puretalk.assistants",
    "SELECT count(*), coalesce(sum(length(value)), 0) FROM puretalk.assistant_variables",
    "SELECT string_agg(assistant_id || assistant_name, ' ' ORDER BY assistant_id) FROM puretalk_marts.dim_assistants",
    "SELECT count(*) FROM puretalk_marts.fct_config_changes",
    "SELECT snapshot_id FROM puretalk_marts.snapshot_info",
)
Answers = tuple[tuple[Any, ...], ...]


def answers_of(snapshot: Path) -> Answers:
    """What the snapshot itself answers, where snapshot_info is there once."""

    def ask(question: str) -> tuple[Any, ...]:
        question = question.replace("puretalk_marts.snapshot_info", "puretalk.snapshot_info")
        return tuple(select(snapshot, question.replace("puretalk_marts.", "marts.").replace("puretalk.", "main."))[0])

    return tuple(ask(question) for question in QUESTIONS)


class Reader(threading.Thread):
    """Asks everything in one transaction, again and again. `seen`: each set of answers that it got."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.seen: set[Answers] = set()
        self.rounds = 0
        self.error: Exception | None = None
        self._connection = psycopg2.connect(url)
        self._connection.set_session("REPEATABLE READ", readonly=True)
        self._is_over = threading.Event()
        self._has_read = threading.Condition()

    def run(self) -> None:
        try:
            while not self._is_over.is_set():
                answers = tuple(self._ask(question) for question in QUESTIONS)
                self._connection.commit()
                with self._has_read:
                    self.seen.add(answers)
                    self.rounds += 1
                    self._has_read.notify_all()
        except psycopg2.Error as error:
            self.error = error
        finally:
            self._connection.close()

    def _ask(self, question: str) -> tuple[Any, ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(question)
            return tuple(cursor.fetchall()[0])

    def wait_for_a_round(self) -> None:
        """Until all questions were asked once more, from the first one on."""
        with self._has_read:
            wanted = self.rounds + 2
            assert self._has_read.wait_for(lambda: self.rounds >= wanted or self.error, 120), "the reader waits"
        assert self.error is None

    def stop(self) -> None:
        self._is_over.set()
        self.join()


@contextmanager
def held_in_its_transaction(settings: Settings, server: PostgresServer) -> Iterator[subprocess.Popen[str]]:
    """`puretalk replicate` as a process that has replaced some tables and waits for another; readers do not wait."""
    blocker = psycopg2.connect(server.url)
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE puretalk_marts.snapshot_info IN EXCLUSIVE MODE")
    environment = CommandLine(settings.data_dir, settings.project_dir).environment(
        DESTINATION__ENGINE__DESTINATION_TYPE="postgres", DESTINATION__ENGINE__CREDENTIALS=server.url
    )
    command = [PURETALK, "replicate", "engine"]
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = time.monotonic() + 120
    with subprocess.Popen(command, env=environment, cwd="/", stderr=subprocess.PIPE, text=True) as child:
        while server.select(waiting) != [(1,)]:
            assert child.poll() is None
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        yield child
    blocker.close()


@pytest.mark.storm
def test_readers_see_one_whole_snapshot_while_runs_finish_and_are_killed(
    five_states: list[State], in_postgres: PostgresServer
) -> None:
    first, second, third = (five_states[number] for number in (0, 1, 3))
    replicate(first.settings, "engine")
    readers = [Reader(in_postgres.url) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for state, is_killed in ((second, True), (second, False), (third, True), (third, False), (first, False)):
            if is_killed:
                with held_in_its_transaction(state.settings, in_postgres) as child:
                    readers[0].wait_for_a_round()
                    child.kill()
            else:
                replicate(state.settings, "engine")
            for reader in readers:
                reader.wait_for_a_round()
    finally:
        for reader in readers:
            reader.stop()
    wanted = {answers_of(state.snapshot) for state in (first, second, third)}
    assert len(wanted) == 3
    for reader in readers:
        assert reader.error is None
        assert reader.seen == wanted
    expect_equal(reading(in_postgres.select), first.snapshot)


@pytest.mark.slow
def test_any_value_that_was_changed_in_postgres_is_found_whatever_a_session_shows(
    synced_data: Path, in_postgres: PostgresServer
) -> None:
    settings = Settings(synced_data.parent, synced_data)
    replicate(settings, "engine")
    for name, value in (("TimeZone", "Asia/Tokyo"), ("DateStyle", "German"), ("extra_float_digits", "-9")):
        in_postgres.select(f"ALTER ROLE {in_postgres.user} SET {name} = '{value}'")
    in_postgres.select(f"ALTER ROLE {in_postgres.user} SET bytea_output = 'escape'")
    last = "assistant_id = (SELECT max(assistant_id) FROM puretalk.assistants)"
    [(with_variables,)] = in_postgres.select("SELECT count(DISTINCT assistant_id) FROM puretalk.assistant_variables")
    try:
        assert replicate(settings, "engine").parts == 0
        in_postgres.select(
            "UPDATE puretalk.assistants SET voice_stability = voice_stability + 2e-16 WHERE assistant_id = "
            "(SELECT min(assistant_id) FROM puretalk.assistants WHERE voice_stability BETWEEN 0.1 AND 0.9);"
            f"UPDATE puretalk.assistants SET created_at = created_at + interval '1 us' WHERE {last};"
            "UPDATE puretalk.sync_runs SET drift = '[{}]';"
            f"UPDATE puretalk_marts.dim_assistants SET assistant_name = NULL WHERE {last};"
            "UPDATE puretalk.assistant_variables SET value = 'all'"
        )
        assert replicate(settings, "engine").parts == 4 + with_variables
    finally:
        in_postgres.select(f"ALTER ROLE {in_postgres.user} RESET ALL")
    expect_equal(reading(in_postgres.select), (synced_data / "puretalk.duckdb").resolve())


@pytest.mark.storm
def test_a_server_that_is_full_costs_readers_nothing_and_the_next_run_repairs(
    tmp_path: Path, in_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(assistants=3)
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        before = run_sync(settings).snapshot
        replicate(settings, "engine")
        account.edit(account.live_ids()[0], post_analysis=Random(1).randbytes(900_000).hex())
        after = run_sync(settings).snapshot
    with in_postgres.full():
        cli = CommandLine(settings.data_dir, tmp_path)
        ended = cli(
            "replicate",
            "engine",
            DESTINATION__ENGINE__DESTINATION_TYPE="postgres",
            DESTINATION__ENGINE__CREDENTIALS=in_postgres.url,
        )
    assert ended.exit_code == 12
    assert "could not extend file" in ended.error
    expect_equal(reading(in_postgres.select), before)

    take_over = Engine.take_over

    def take_over_when_full(self: Engine, *arguments: Any) -> None:
        with in_postgres.full():
            take_over(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "take_over", take_over_when_full)
        with pytest.raises(ReplicaError, match="could not extend file"):
            replicate(settings, "engine")
    expect_equal(reading(in_postgres.select), before)
    replicate(settings, "engine")
    expect_equal(reading(in_postgres.select), after)


@pytest.mark.slow
def test_postgres_has_keys_comments_types_and_a_role_that_only_reads(
    synced_data: Path, in_postgres: PostgresServer
) -> None:
    replicate(Settings(synced_data.parent, synced_data), "engine")
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
    settings = Settings(synced_data.parent, synced_data)
    replicate(settings, "engine")
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    in_postgres.select("DELETE FROM puretalk.replica_parts")
    before = in_postgres.select("SELECT xmin::text FROM puretalk.assistants")
    with held_in_its_transaction(settings, in_postgres) as child:
        child.kill()
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


@pytest.mark.storm
def test_a_server_that_goes_away_in_the_middle_is_exit_12_and_the_next_run_repairs(
    synced_data: Path, in_postgres: PostgresServer
) -> None:
    settings = Settings(synced_data.parent, synced_data)
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    replicate(settings, "engine")
    in_postgres.select("DELETE FROM puretalk.replica_parts")
    with held_in_its_transaction(settings, in_postgres) as child:
        in_postgres.stop()
        said = child.communicate()[1]
    in_postgres.start()
    assert child.returncode == 12
    assert "engine could not be written" in said
    assert in_postgres.password not in said
    expect_equal(reading(in_postgres.select), snapshot)
    assert replicate(settings, "engine").parts > 20
    expect_equal(reading(in_postgres.select), snapshot)


@pytest.mark.slow
def test_a_password_of_any_characters_connects_and_is_in_no_message(
    synced_data: Path, in_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(synced_data.parent, synced_data)
    password, in_the_url = "p@ss/w%rd of:loader#2", "p%40ss%2Fw%25rd%20of%3Aloader%232"
    in_postgres.select("CREATE ROLE loader2 LOGIN PASSWORD 'p@ss/w%rd of:loader#2'")
    in_postgres.select("GRANT CREATE ON DATABASE postgres TO loader2")
    url = in_postgres.url.replace(f"loader:{in_postgres.password}", f"loader2:{in_the_url}")
    monkeypatch.setenv("DESTINATION__ENGINE__CREDENTIALS", url)
    replicate(settings, "engine")
    expect_equal(reading(in_postgres.select), (synced_data / "puretalk.duckdb").resolve())

    def tell_all(*_: object) -> None:
        raise RuntimeError(f"no route to {url} with {password} ({in_the_url})")

    monkeypatch.setattr(Engine, "read_parts", tell_all)
    with pytest.raises(ReplicaError, match="no route to") as raised:
        replicate(settings, "engine")
    assert "ss/w" not in raised.value.message
    assert "ss%2Fw" not in raised.value.message


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
