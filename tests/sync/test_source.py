"""Claims about the dlt source, run the plain way: what the tables hold after a run, after the next, after trouble."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from support import oracle
from support.plain_runs import rows_loaded, run_plainly

from puretalk.catalogue import TABLES
from puretalk.demo import MISSING, Account, DemoApi
from puretalk.endpoints.assistants.tables import CHILD_TABLES
from puretalk.endpoints.assistants.versions import CONTENT_HASHES
from puretalk.errors import KeyRejectedError
from puretalk.json_values import JSONObject, JSONValue, hash_ascii_json
from puretalk.schema import SQL_TYPES
from puretalk.sync import batches, source

pytestmark = pytest.mark.slow


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture(scope="module")
def _loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("loaded") / "warehouse.duckdb"
    with DemoApi(Account(assistants=7), page_cap=3) as api:
        run_plainly(api, database)
    return database


@pytest.fixture
def loaded_once(_loaded_once: Path, database: Path) -> None:
    """Makes `database` what it is after one run over `account`."""
    shutil.copy(_loaded_once, database)


def select(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(duckdb.connect(str(database), read_only=True)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def last_run(database: Path) -> dict[str, Any]:
    """The newest row of sync_runs."""
    names = [column.name for column in TABLES["sync_runs"].columns]
    [row] = select(database, f"SELECT {', '.join(names)} FROM puretalk.sync_runs ORDER BY run_id DESC LIMIT 1")
    return dict(zip(names, row, strict=True))


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but sync_runs."""
    return {
        name: select(
            database, f"SELECT {', '.join(column.name for column in table.columns)} FROM puretalk.{name} ORDER BY ALL"
        )
        for name, table in TABLES.items()
        if name != "sync_runs"
    }


def differences(account: Account, database: Path) -> list[str]:
    return [*oracle.compare(account.records(), database), *oracle.compare_history(account.records(), database)]


def test_an_empty_account_makes_every_table_with_every_column(database: Path) -> None:
    with DemoApi(Account(empty=True)) as api:
        pipeline = run_plainly(api, database)
    assert rows_loaded(pipeline) == {"sync_runs": 1}
    columns = select(
        database,
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE schema_name = 'puretalk' AND NOT starts_with(table_name, '_dlt') ORDER BY table_name, column_index",
    )
    expected = [
        (name, column.name, SQL_TYPES[column.type])
        for name, table in sorted(TABLES.items())
        for column in table.columns
    ]
    assert columns == expected
    assert differences(Account(empty=True), database) == []


def test_the_first_run_loads_everything_and_the_second_nothing_but_its_own_row(
    account: Account, api: DemoApi, database: Path
) -> None:
    run_plainly(api, database)
    assert differences(account, database) == []
    run = last_run(database)
    moments = [run.pop(name) for name in ("started_at", "settled_from", "settled_until", "finished_at")]
    assert moments == sorted(moments)
    assert run.pop("walk_seconds") >= 0
    users = {record["user"]["email"] for record in account.records() if record["user"]}
    voices = {record["voice"]["voice_id"] for record in account.records() if record["voice"]}
    assert run.pop("run_id").startswith(f"{moments[0]:%Y%m%dT%H%M%S}.")
    counts = {"pages": 3, "walks": 1, "received": 7, "seen": 7, "api_count": 7, "new": 7, "versions": 7}
    nothing = ("changed", "silent", "unchanged", "older", "deleted", "returned", "held", "rejected", "rejected_new")
    assert run == {
        **counts,
        **dict.fromkeys((*nothing, "set_aside", "retries"), 0),
        "users_changed": len(users),
        "voices_changed": len(voices),
        "rows_loaded": 7 + len(users) + len(voices),
        "is_complete": True,
        "is_settled": True,
        "is_exact": True,
        **dict.fromkeys(("load_seconds", "models_seconds", "checks_seconds", "total_seconds")),  # of `puretalk sync`
        "drift": None,
        "notes": None,
    }

    before = contents(database)
    pipeline = run_plainly(api, database)
    assert rows_loaded(pipeline) == {"sync_runs": 1}
    assert contents(database) == before
    run = last_run(database)
    assert (run["unchanged"], run["rows_loaded"], run["is_exact"]) == (7, 0, True)
    assert select(database, "SELECT count(*) FROM puretalk.sync_runs") == [(2,)]
    assert differences(account, database) == []


def test_the_cursor_is_there_to_be_seen_and_holds_nothing_back(account: Account, api: DemoApi, database: Path) -> None:
    pipeline = run_plainly(api, database)

    def cursor() -> Any:
        return pipeline.state["sources"]["puretalk"]["resources"]["assistants"]["incremental"]["updated_at"][
            "last_value"
        ]

    newest = account.now
    assert cursor() == newest
    account.edit(account.live_ids()[0], touch=False, prompt="below the cursor", updated_at="2026-10-31T00:00:00Z")
    account.edit(account.live_ids()[6], prompt="above it")
    pipeline.run(source.puretalk_source(api.key, api.base_url))  # in the working folder of the first run
    assert rows_loaded(pipeline)["assistants"] == 2
    assert cursor() == account.now
    assert account.now > newest
    assert differences(account, database) == []


@pytest.mark.usefixtures("loaded_once")
def test_what_changed_is_loaded_and_nothing_else(account: Account, api: DemoApi, database: Path) -> None:
    edited, silent, gone, *_ = account.live_ids()
    account.edit(edited, prompt="new")
    account.edit(silent, touch=False, begin_message="silently")
    account.delete(gone)
    created = account.create()
    pipeline = run_plainly(api, database)
    assert oracle.compare(account.records(), database, deleted_ids={gone}) == []
    assert oracle.compare_history(account.records(), database) == []
    loaded = rows_loaded(pipeline)
    assert (loaded["assistants"], loaded["assistant_versions"]) == (4, 3)
    run = last_run(database)
    names = ("new", "changed", "silent", "unchanged", "deleted", "versions")
    assert [run[name] for name in names] == [1, 1, 1, 4, 1, 3]
    assert select(
        database,
        f"SELECT assistant_id, is_silent FROM puretalk.assistant_versions WHERE observed_at > '{run['started_at']}'"
        " ORDER BY is_silent, assistant_id",
    ) == [*sorted([(edited, False), (created, False)]), (silent, True)]


TREE = [{"state_id": "s", "tools": [{"type": "t"}, {"type": "u"}], "children": [{"state_id": "t", "tools": [{}]}]}]
FULL: dict[str, Any] = {
    "variables": ["a", "b", "c"],
    "voice_emotion": ["calm", "warm"],
    "chatbot_whitelisted_domains": ["a.example", "b.example"],
    "llm_states": TREE,
}


def test_the_tables_follow_lists_and_trees_that_shrink(database: Path) -> None:
    account = Account(assistants=5)
    emptied, nulled, missing, shrunk, untouched = account.live_ids()
    no_items: dict[str, Any] = {name: [] for name in FULL}
    no_fields: dict[str, Any] = dict.fromkeys([*FULL, "voice", "user"], MISSING)
    for assistant_id in account.live_ids():
        account.edit(assistant_id, **FULL)
    with DemoApi(account) as api:
        run_plainly(api, database)
        account.edit(emptied, **no_items)
        account.edit(nulled, touch=False, **dict.fromkeys([*FULL, "voice", "user"]))
        account.edit(missing, **no_fields)
        account.edit(
            shrunk,
            variables=["c", "a"],
            voice_emotion=["warm"],
            chatbot_whitelisted_domains=["b.example", "a.example"],
            llm_states=[{"state_id": "t", "tools": [{"type": "u"}]}],
        )
        run_plainly(api, database)
    assert differences(account, database) == []
    for table in CHILD_TABLES:
        owners = {found for (found,) in select(database, f"SELECT assistant_id FROM puretalk.{table.name}")}
        assert owners == {shrunk, untouched}, table.name


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"state_id": "leaf", "prompt": "p"}
    for number in range(depth - 1):
        tree = {"state_id": f"s{number}", "children": [tree], "tools": [{"type": "t"}]}
    return tree


def test_odd_records_are_kept_whole_and_are_no_news_the_next_time(database: Path) -> None:
    account = Account(assistants=8)
    ids = account.live_ids()
    account.edit(ids[0], voice_stability="0.50", voice_speed="fast", behavior="3c90", surprise={"a": [1]})
    account.edit(ids[1], llm_states=[nested(40), "a string", None])
    account.edit(ids[2], llm_states=[nested(200)], prompt="p" * 5_000_000)
    account.edit(ids[3], prompt="a\x00b", name="half \ud83d", variables=["\ud800", {"name": "\x00"}])
    account.edit(ids[4], created_at="long ago", updated_at="2026-01-02T03:04:05.1234567+05:30", tools=[{"a": 1}])
    account.edit(ids[5], touch=False, updated_at=None, user={"name": "nobody"}, voice={"name": "nobody"})
    account.put_raw(6, {"name": "no id"})
    account.put_raw(7, None)
    with DemoApi(account) as api:
        run_plainly(api, database)
        assert differences(account, database) == []
        run = last_run(database)
        assert (run["rejected"], run["is_exact"]) == (2, True)
        assert json.loads(run["drift"])["unknown field surprise"] == 1
        pipeline = run_plainly(api, database)
    assert rows_loaded(pipeline) == {"sync_runs": 1}
    assert select(database, "SELECT reason, record::VARCHAR FROM puretalk.rejected_records ORDER BY ALL") == [
        ("the record has no assistant_id", '{"name":"no id"}'),
        ("the record is null, not an object", "null"),
    ]
    kept = "name, length(prompt), extra ->> '$._unencodable.name'"
    assert select(database, f"SELECT {kept} FROM puretalk.assistants WHERE assistant_id = '{ids[3]}'") == [
        ("half \ufffd", 3, "half \\ud83d")
    ]


def test_an_account_of_many_batches_is_loaded_whole(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_RECORDS", 4)
    account = Account(assistants=18)
    with DemoApi(account) as api:
        run_plainly(api, database)
        assert differences(account, database) == []
        for assistant_id in account.live_ids()[::2]:
            account.edit(assistant_id, variables=[], llm_states=[nested(3)])
        account.delete(account.live_ids()[1])
        run_plainly(api, database)
        assert differences(account, database) == []


@pytest.mark.usefixtures("loaded_once")
def test_hashes_of_an_earlier_release_are_no_news(account: Account, api: DemoApi, database: Path) -> None:
    stored = select(database, "SELECT assistant_id, config FROM puretalk.assistant_versions")
    with contextlib.closing(duckdb.connect(str(database))) as connection:
        for assistant_id, config in stored:
            earlier = hash_ascii_json(json.loads(config))
            for table in ("assistants", "assistant_versions"):
                connection.execute(
                    f"UPDATE puretalk.{table} SET content_hash = ? WHERE assistant_id = ?", [earlier, assistant_id]
                )
    silent = account.live_ids()[0]
    account.edit(silent, touch=False, prompt="Grüß Gott.")
    run_plainly(api, database)
    run = last_run(database)
    assert (run["silent"], run["unchanged"], run["versions"]) == (1, 6, 1)
    assert select(database, "SELECT assistant_id FROM puretalk.assistant_versions WHERE is_silent") == [(silent,)]


@pytest.mark.parametrize("hash_value", CONTENT_HASHES.values())
def test_a_user_that_an_earlier_release_kept_in_the_configuration_gets_a_row_and_is_no_news(
    database: Path, hash_value: Callable[[JSONValue], str]
) -> None:
    account = Account(assistants=3)
    chosen = account.live_ids()[0]
    user: JSONObject = {"name": "Zoë", "dp": None, "email": None}
    account.edit(chosen, user=user)
    with DemoApi(account) as api:
        run_plainly(api, database)
        with contextlib.closing(duckdb.connect(str(database))) as connection:
            [(text,)] = connection.execute(
                "SELECT config FROM puretalk.assistant_versions WHERE assistant_id = ?", [chosen]
            ).fetchall()
            earlier = hash_value({**json.loads(text), "user_id": None, "user": user})
            for table in ("assistants", "assistant_versions"):
                connection.execute(
                    f"UPDATE puretalk.{table} SET content_hash = ? WHERE assistant_id = ?", [earlier, chosen]
                )
            connection.execute("UPDATE puretalk.assistants SET user_id = NULL WHERE assistant_id = ?", [chosen])
            connection.execute("DELETE FROM puretalk.users WHERE email IS NULL")
        assert rows_loaded(run_plainly(api, database)) == {"users": 1, "sync_runs": 1}
        assert last_run(database)["unchanged"] == 3
        owners = "SELECT users.name FROM puretalk.assistants JOIN puretalk.users USING (user_id) WHERE assistant_id = ?"
        assert rows_loaded(run_plainly(api, database)) == {"sync_runs": 1}
        run_plainly(api, database, full_refresh=True)
        assert last_run(database)["versions"] == 0
        with contextlib.closing(duckdb.connect(str(database))) as connection:
            assert connection.execute(owners, [chosen]).fetchall() == [("Zoë",)]


@pytest.mark.usefixtures("loaded_once")
def test_a_deletion_and_a_return_keep_the_row_and_the_history(account: Account, api: DemoApi, database: Path) -> None:
    chosen = account.live_ids()[0]
    before = select(database, f"SELECT * EXCLUDE (deleted_at) FROM puretalk.assistants WHERE assistant_id = '{chosen}'")
    account.delete(chosen)
    run_plainly(api, database)
    assert oracle.compare(account.records(), database, deleted_ids={chosen}) == []
    after = select(database, f"SELECT * EXCLUDE (deleted_at) FROM puretalk.assistants WHERE assistant_id = '{chosen}'")
    assert after == before
    account.restore(chosen)
    run_plainly(api, database)
    assert differences(account, database) == []
    assert last_run(database)["returned"] == 1
    [(first, none), (second, gone)] = select(
        database,
        "SELECT observed_at, previous_deleted_at FROM puretalk.assistant_versions "
        f"WHERE assistant_id = '{chosen}' ORDER BY observed_at",
    )
    assert none is None
    assert first < gone < second


@pytest.mark.usefixtures("loaded_once")
def test_a_renamed_voice_is_loaded_as_that_alone(account: Account, api: DemoApi, database: Path) -> None:
    account.rename_voice(next(record["voice"]["voice_id"] for record in account.records() if record["voice"]), "Other")
    pipeline = run_plainly(api, database)
    assert rows_loaded(pipeline) == {"voices": 1, "sync_runs": 1}
    assert differences(account, database) == []


def test_a_deviation_from_the_shared_voice_comes_and_goes_without_a_version(database: Path) -> None:
    account = Account(assistants=2)
    first, second = account.live_ids()
    voice = {"voice_id": "v", "name": "Anna"}
    account.edit(first, voice=voice)
    account.edit(second, voice=voice, surprise=1)
    with DemoApi(account) as api:
        run_plainly(api, database)
        older, newer = sorted((first, second), key=lambda assistant_id: account.record(assistant_id)["updated_at"])
        account.edit(older, touch=False, voice={**voice, "name": "Anne", "tier": 2})
        pipeline = run_plainly(api, database)
        assert rows_loaded(pipeline)["assistants"] == 1
        assert "assistant_versions" not in rows_loaded(pipeline)
        assert differences(account, database) == []
        assert select(
            database, f"SELECT extra -> '_deviates' FROM puretalk.assistants WHERE assistant_id = '{older}'"
        ) == [('{"voice":{"name":"Anne","tier":2}}',)]
        account.edit(older, touch=False, voice=account.record(newer)["voice"])
        run_plainly(api, database)
        assert differences(account, database) == []


@pytest.mark.usefixtures("loaded_once")
def test_a_full_refresh_writes_every_row_again_and_no_version(account: Account, api: DemoApi, database: Path) -> None:
    before = contents(database)
    pipeline = run_plainly(api, database, full_refresh=True)
    loaded = rows_loaded(pipeline)
    assert loaded["assistants"] == 7
    assert "assistant_versions" not in loaded
    assert contents(database) == before
    assert differences(account, database) == []


@pytest.mark.usefixtures("loaded_once")
def test_a_clock_that_was_set_back_does_not_reorder_history(account: Account, api: DemoApi, database: Path) -> None:
    with contextlib.closing(duckdb.connect(str(database))) as connection:
        connection.execute("UPDATE puretalk.sync_runs SET finished_at = '2100-01-01T00:00:00Z'")
    account.edit(account.live_ids()[0], prompt="later")
    run_plainly(api, database)
    newest = select(database, "SELECT max(observed_at) > '2100-01-01T00:00:00Z' FROM puretalk.assistant_versions")
    assert newest == [(True,)]
    assert differences(account, database) == []


def test_the_key_stands_in_no_error_trace_table_or_file(account: Account, database: Path) -> None:
    secret = "kT9-do-not-tell-anyone"
    with DemoApi(account, key=secret) as api:
        run_plainly(api, database)
        api.key = "another"
        with pytest.raises(PipelineStepFailed) as caught:
            run_plainly(api, database, api_key=secret)
    errors: list[BaseException] = []
    error: BaseException | None = caught.value
    while error is not None:
        errors.append(error)
        error = error.__cause__ or error.__context__
    assert any(isinstance(found, KeyRejectedError) for found in errors)
    written = [f"{found!s} {found!r}".encode() for found in errors]
    written += [path.read_bytes() for path in database.parent.rglob("*") if path.is_file()]
    pipeline = caught.value.pipeline
    assert isinstance(pipeline, dlt.Pipeline)
    trace = pipeline.last_trace
    assert trace is not None
    written.append(pickle.dumps(trace.asdict()))
    assert not [text for text in written if secret.encode() in text]


@pytest.mark.usefixtures("loaded_once")
def test_a_run_that_fails_leaves_what_was_loaded(account: Account, api: DemoApi, database: Path) -> None:
    before = contents(database)
    account.edit(account.live_ids()[0], prompt="new")
    api.fail("403", when=lambda asked: asked.page == 3)
    with pytest.raises(PipelineStepFailed):
        run_plainly(api, database)
    assert contents(database) == before
    run_plainly(api, database)
    assert differences(account, database) == []
