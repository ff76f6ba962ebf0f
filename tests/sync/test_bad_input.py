"""Claims about bad answers and settings: what the message says, and what the warehouse then holds."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from support.commandline import CommandLine
from support.storm import skip_models

from puretalk.catalogue import TABLES
from puretalk.demo import MISSING, Account, DemoApi
from puretalk.settings import ApiSettings, Settings
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import SyncOutcome, run_sync

pytestmark = pytest.mark.slow


@pytest.fixture
def puretalk(tmp_path: Path, api: DemoApi) -> CommandLine:
    return CommandLine(tmp_path / "data", tmp_path, api)


class Warehouse:
    """Syncs in this process, and a look at what is published."""

    def __init__(self, data_dir: Path, api: DemoApi) -> None:
        self.settings = Settings(data_dir, data_dir, ApiSettings(api.key, api.base_url, retry_budget=1.0))

    def sync(self, **options: Any) -> SyncOutcome:
        return run_sync(self.settings, SyncOptions(**options))

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        path = (self.settings.data_dir / "puretalk.duckdb").resolve()
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            return connection.execute(query, parameters).fetchall()


@pytest.fixture
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """test_models.py builds them over records as bad as these."""
    skip_models(monkeypatch)


@pytest.fixture
def warehouse(_without_models: None, tmp_path: Path, api: DemoApi) -> Warehouse:
    return Warehouse(tmp_path / "data", api)


def test_a_wrong_key_is_said_in_four_lines_and_nothing_is_published(puretalk: CommandLine) -> None:
    ended = puretalk("sync", PURETALK_API_KEY="sk-not-the-key")
    assert ended.exit_code == 4
    assert ended.output == ""
    assert [line.partition(":")[0] for line in ended.message] == ["puretalk", "State", "Do", "More"]
    assert "rejected the API key" in ended.message[0]
    assert "nothing has been published yet" in ended.message[1]
    assert "PURETALK_API_KEY" in ended.message[2]
    assert "sk-not-the-key" not in ended.error
    assert not (puretalk.data_dir / "puretalk.duckdb").exists()


def test_no_key_says_where_to_put_one(tmp_path: Path) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path)("sync")
    assert ended.exit_code == 4
    assert ended.message[0] == "puretalk: there is no API key."
    assert "PURETALK_API_KEY" in ended.message[2]
    assert ".dlt/secrets.toml" in ended.message[2]


@pytest.mark.usefixtures("synced_data")
def test_an_unreachable_host_is_for_later_and_leaves_readers_what_they_had(puretalk: CommandLine) -> None:
    before = (puretalk.data_dir / "puretalk.duckdb").resolve()
    ended = puretalk("sync", PURETALK_BASE_URL="http://127.0.0.1:9/api")
    assert ended.exit_code == 3
    assert "cannot be reached" in ended.message[0]
    assert "readers still get the snapshot of" in ended.message[1]
    assert (puretalk.data_dir / "puretalk.duckdb").resolve() == before


def test_html_instead_of_json_is_an_api_that_changed(puretalk: CommandLine, api: DemoApi) -> None:
    api.fail("html", times=None)
    ended = puretalk("sync")
    assert ended.exit_code == 5
    assert "an HTML page" in ended.message[0]
    assert "puretalk check" in ended.message[2]


def test_the_key_goes_over_tls_only(puretalk: CommandLine) -> None:
    ended = puretalk("sync", PURETALK_BASE_URL="http://api.example.com/api", PURETALK_API_KEY="sk-secret")
    assert ended.exit_code == 4
    assert "https" in ended.error
    assert "sk-secret" not in ended.error


@pytest.mark.usefixtures("_without_models")
def test_an_empty_account_has_every_table_and_column_with_its_comment(tmp_path: Path) -> None:
    with DemoApi(Account.of([])) as api:
        warehouse = Warehouse(tmp_path / "data", api)
        outcome = warehouse.sync()
    assert outcome.exit_code == 0
    assert outcome.run.seen == 0
    found = warehouse.rows(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name = 'main'"
    )
    there = {(table, column): (type_, comment) for table, column, type_, comment in found}
    kinds = {"text": "VARCHAR", "double": "DOUBLE", "bigint": "BIGINT", "bool": "BOOLEAN", "json": "JSON"}
    for table in TABLES.values():
        for column in table.columns:
            type_ = kinds.get(column.type, "TIMESTAMP WITH TIME ZONE")
            assert there[table.name, column.name] == (type_, column.description)
    comments = dict(warehouse.rows("SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'"))
    assert {name: comments[name] for name in TABLES} == {name: table.description for name, table in TABLES.items()}


def test_a_record_without_an_id_is_kept_once_with_the_reason(warehouse: Warehouse, account: Account) -> None:
    records: list[tuple[Any, str]] = [
        ({"name": "nobody"}, "the record has no assistant_id"),
        ({"assistant_id": None, "name": "nobody"}, "the record's assistant_id is null"),
        ({"assistant_id": "  "}, "the record's assistant_id is an empty string"),
        ({"assistant_id": 7}, "the record's assistant_id is a number"),
        ("just a text", "the record is a string, not an object"),
        (None, "the record is null, not an object"),
    ]
    for number, (record, _) in enumerate(records):
        account.put_raw(f"broken {number}", record)
    first, second = warehouse.sync(), warehouse.sync()
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.warnings == ("6 records could not be used; see puretalk.rejected_records",)
    assert second.warnings == ()
    expected = sorted((reason, json.dumps(record, separators=(",", ":"))) for record, reason in records)
    assert warehouse.rows("SELECT reason, record FROM rejected_records ORDER BY ALL") == expected
    assert warehouse.rows("SELECT count(*) FROM assistants") == [(7,)]


def test_an_unknown_field_is_kept_and_reported_once(warehouse: Warehouse, account: Account) -> None:
    assistant_id = account.live_ids()[0]
    account.edit(assistant_id, mood={"level": 3})
    first, second = warehouse.sync(), warehouse.sync()
    assert first.exit_code == second.exit_code == 0
    assert "unknown field mood (1)" in first.warnings[0]
    assert second.warnings == ()
    assert warehouse.rows("SELECT extra FROM assistants WHERE assistant_id = ?", assistant_id) == [
        ('{"mood":{"level":3}}',)
    ]
    assert warehouse.rows("SELECT DISTINCT drift FROM sync_runs") == [('{"unknown field mood":1}',)]


#: What each assistant of `odd` has in the place of good values.
_MISFITS: dict[str, Any] = {
    "voice_speed": "fast",
    "behavior": 1.5,
    "voice_boost": "yes",
    "prompt": ["a"],
    "created_at": "yesterday",
}
_LONG_PROMPT = "Be kind. " * 600_000
_KINDS = ("a number in a string", *_MISFITS, "a deep tree", "a long prompt", "half a character", "nothing")


class Odd(NamedTuple):
    """A warehouse after two syncs of an account in which each assistant has values of another odd kind."""

    warehouse: Warehouse
    outcomes: tuple[SyncOutcome, SyncOutcome]
    ids: dict[str, str]
    """The assistant of each of _KINDS."""

    def row(self, columns: str, kind: str) -> tuple[Any, ...]:
        [row] = self.warehouse.rows(f"SELECT {columns} FROM assistants WHERE assistant_id = ?", self.ids[kind])
        return row


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Odd:
    account = Account(assistants=len(_KINDS))
    ids = dict(zip(_KINDS, account.live_ids(), strict=True))
    account.edit(ids["a number in a string"], voice_stability="0.50", behavior="7", voice_speed="1e0")
    for field, value in _MISFITS.items():
        account.edit(ids[field], **{field: value})
    state: dict[str, Any] = {"state_id": "s39", "children": []}
    for depth in range(38, -1, -1):
        state = {"state_id": f"s{depth}", "children": [state]}
    account.edit(ids["a deep tree"], llm_states=[state])
    account.edit(ids["a long prompt"], prompt=_LONG_PROMPT)
    account.edit(ids["half a character"], prompt="smile \ud83d!", name="whole \U0001f600")
    kept = ("assistant_id", "updated_at", "created_at", "user", "voice")
    gone: dict[str, Any] = {name: MISSING for name in account.record(ids["nothing"]) if name not in kept}
    account.edit(ids["nothing"], **gone, user=None, voice=None)
    with DemoApi(account) as api, pytest.MonkeyPatch.context() as environment:
        skip_models(environment)
        warehouse = Warehouse(tmp_path_factory.mktemp("odd"), api)
        outcomes = warehouse.sync(), warehouse.sync()
    return Odd(warehouse, outcomes, ids)


def test_odd_values_are_no_failure_and_no_news_the_next_time(odd: Odd) -> None:
    first, second = odd.outcomes
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (first.run.new, second.run.unchanged, second.run.rows_loaded) == (len(_KINDS), len(_KINDS), 0)


def test_a_number_in_a_string_is_a_number(odd: Odd) -> None:
    row = odd.row("voice_stability, behavior, voice_speed, extra", "a number in a string")
    assert row == (0.5, 7, 1.0, None)


@pytest.mark.parametrize("field", _MISFITS)
def test_a_value_that_does_not_fit_is_null_and_kept_beside(odd: Odd, field: str) -> None:
    kept = json.dumps({field: _MISFITS[field]}, separators=(",", ":"))
    assert odd.row(f"{field}, extra", field) == (None, kept)


def test_a_tree_of_depth_forty_is_forty_rows_each_with_its_parent(odd: Odd) -> None:
    query = """SELECT node, state_id, parent_node, parent_state_id, depth FROM assistant_llm_states
               WHERE assistant_id = ? ORDER BY node"""
    expected = [(0, "s0", None, None, 0)] + [(n, f"s{n}", n - 1, f"s{n - 1}", n) for n in range(1, 40)]
    assert odd.warehouse.rows(query, odd.ids["a deep tree"]) == expected


def test_a_prompt_of_five_megabytes_is_a_prompt(odd: Odd) -> None:
    assert odd.row("prompt", "a long prompt") == (_LONG_PROMPT,)


def test_nul_characters_stay_where_they_are(warehouse: Warehouse, account: Account) -> None:
    assistant_id = account.live_ids()[0]
    account.edit(assistant_id, prompt="before\0after", variables=["a\0b"])
    assert warehouse.sync().warnings == ()
    query = "SELECT prompt, extra FROM assistants WHERE assistant_id = ?"
    assert warehouse.rows(query, assistant_id) == [("before\0after", None)]
    query = "SELECT name, item FROM assistant_variables WHERE assistant_id = ?"
    assert warehouse.rows(query, assistant_id) == [("a\0b", '"a\\u0000b"')]


def test_half_a_character_is_replaced_and_the_original_kept(odd: Odd) -> None:
    expected = ("smile �!", "whole \U0001f600", '{"_unencodable":{"prompt":"smile \\\\ud83d!"}}')
    assert odd.row("prompt, name, extra", "half a character") == expected


def test_nulls_and_missing_fields_are_null(odd: Odd) -> None:
    given = "assistant_id, content_hash, first_seen_at, created_at, updated_at"
    assert set(odd.row(f"* EXCLUDE ({given})", "nothing")) == {None}
