"""Claims about the oracle: it names every error in a warehouse. If it overlooked one, it would prove nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import pytest
from support import oracle
from support.plain_runs import run_plainly

from puretalk.catalogue import TABLES
from puretalk.demo import Account, DemoApi

pytestmark = pytest.mark.slow

Judged = tuple[duckdb.DuckDBPyConnection, list[Any], str]


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A warehouse after three syncs in which every column of every table has a value somewhere, the account's records,
    and the id of a deleted assistant."""
    database = tmp_path_factory.mktemp("judged") / "warehouse.duckdb"
    account = Account(assistants=5)
    ids = account.live_ids()
    state = {"state_id": "s", "name": "n", "description": "d", "prompt": "p", "parameters": {"a": 1}, "position": {}}
    tool = {"type": "function", "functionId": "f", "function": {"name": "f", "description": "d", "parameters": {}}}
    leaf = state | {"position": {"x": 1, "y": 2.5}, "tools": [tool, tool | {"type": "other"}], "colour": "red"}
    first: dict[str, Any] = {**account.record(ids[0]), "surprise": [1], "behavior": 7, "voice_stability": "0.50"}
    for column in TABLES["assistants"].columns:
        if column.api_field and column.type == "text" and not first[column.api_field]:
            first[column.api_field] = "something"
    first |= {
        "variables": [{"name": "city", "value": "Lyon"}, "street", {"name": "zip", "value": 7}],
        "voice_emotion": ["calm", "warm"],
        "chatbot_whitelisted_domains": ["a.example", "b.example"],
        "llm_states": [state | {"children": [leaf, leaf | {"state_id": "t"}]}, state],
        "user": first["user"] | {"role": "owner"},
        "voice": first["voice"] | {"tier": 2},
        "updated_at": "2031-01-01T00:00:00Z",
    }
    account.put_raw(ids[0], first)
    account.put_raw("nobody", {"name": "without an id"})
    with DemoApi(account) as api:
        run_plainly(api, database)
        account.delete(ids[1])
        account.delete(ids[2])
        run_plainly(api, database)
        account.restore(ids[1])
        run_plainly(api, database)
    with closing(duckdb.connect(str(database))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection, account.records(), ids[2]


def judge(judged: Judged) -> list[str]:
    connection, records, deleted_id = judged
    return [
        *oracle.compare(records, connection, deleted_ids={deleted_id}),
        *oracle.compare_history(records, connection),
    ]


@pytest.fixture
def corrupted(synced: Judged) -> Iterator[Judged]:
    """`synced`, for a test that spoils it: what the test does is taken back."""
    synced[0].execute("BEGIN")
    yield synced
    synced[0].execute("ROLLBACK")


def test_an_exact_warehouse_is_called_exact(synced: Judged) -> None:
    assert judge(synced) == []


_JUDGED = [
    pytest.param(table, column, kind, id=f"{table.name}.{column.name}-{kind}")
    for table in TABLES.values()
    if table.name != "sync_runs"
    for column in table.columns
    for kind in ("changed", "emptied")
    # When and why a record was rejected, the API's records do not say.
    if (table.name, kind) != ("rejected_records", "changed") or column.name.startswith("record")
]
_WRONG = {
    "text": "coalesce({0}, '') || 'x'",
    "double": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1000",
    "bool": "NOT coalesce({0}, false)",
    "timestamp": "coalesce({0}, now()) + INTERVAL 1 DAY",
    "json": """'{{"x": 1}}'""",
}


@pytest.mark.parametrize(("table", "column", "kind"), _JUDGED)
def test_one_wrong_cell_is_named(corrupted: Judged, table: Any, column: Any, kind: str) -> None:
    connection, _, deleted_id = corrupted
    owned = "assistant_id" in {column.name for column in table.columns}
    of_the_living = f"AND assistant_id <> '{deleted_id}'" if owned else ""
    wanted = "IS NULL" if column.name == "deleted_at" and kind == "changed" else "IS NOT NULL"
    if column.name == "deleted_at" and kind == "emptied":
        of_the_living = ""
    if table.name in ("users", "voices"):
        of_the_living = (
            f"AND {table.key[0]} IN (SELECT {table.key[0]} FROM puretalk.assistants WHERE deleted_at IS NULL)"
        )
    name = f"puretalk.{table.name}"
    # The first version: only its observed_at is also known from elsewhere.
    order = "" if column.name == "observed_at" else "DESC"
    found = connection.execute(
        f"SELECT rowid FROM {name} WHERE {column.name} {wanted} {of_the_living} ORDER BY rowid {order}"
    ).fetchall()
    assert found, "no row of the example has a value in this column"
    if kind == "emptied":
        connection.execute(f"ALTER TABLE {name} ALTER {column.name} DROP NOT NULL")
    wrong = _WRONG[column.type].format(column.name) if kind == "changed" else "NULL"
    connection.execute(f"UPDATE {name} SET {column.name} = {wrong} WHERE rowid = ?", found[0])

    said = judge(corrupted)

    assert any(table.name in words for words in said), said


@pytest.mark.parametrize("table", [t for t in TABLES.values() if t.name != "sync_runs"], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ["lost", "doubled"])
def test_a_lost_and_a_doubled_row_are_named(corrupted: Judged, table: Any, kind: str) -> None:
    connection, _, deleted_id = corrupted
    owned = "assistant_id" in {column.name for column in table.columns}
    condition = f"WHERE assistant_id <> '{deleted_id}'" if owned else ""
    (row_id,) = connection.execute(f"SELECT min(rowid) FROM puretalk.{table.name} {condition}").fetchall()[0]
    name = f"puretalk.{table.name}"
    if kind == "lost":
        connection.execute(f"DELETE FROM {name} WHERE rowid = ?", [row_id])
    else:
        connection.execute(f"INSERT INTO {name} SELECT * FROM {name} WHERE rowid = ?", [row_id])

    said = judge(corrupted)

    assert any(table.name in words for words in said), said


def test_two_items_that_changed_places_are_named(corrupted: Judged) -> None:
    connection, records, _ = corrupted
    connection.execute(
        "UPDATE puretalk.assistant_voice_emotions SET position = 1 - position WHERE assistant_id = ?",
        [records[0]["assistant_id"]],
    )
    assert [words for words in judge(corrupted) if "assistant_voice_emotions.emotion" in words]


def test_two_states_that_changed_places_are_named(corrupted: Judged) -> None:
    connection, records, _ = corrupted
    connection.execute(
        "UPDATE puretalk.assistant_llm_states SET node = 3 - node WHERE node IN (1, 2) AND assistant_id = ?",
        [records[0]["assistant_id"]],
    )
    assert [words for words in judge(corrupted) if "assistant_llm_states.path" in words]


def test_rows_of_nobody_are_named(corrupted: Judged) -> None:
    connection, _, _ = corrupted
    connection.execute("INSERT INTO puretalk.assistant_variables (assistant_id, position, item) VALUES ('?', 0, '1')")
    connection.execute("INSERT INTO puretalk.voices (voice_id, name) VALUES ('ghost', 'Ghost')")
    assert judge(corrupted) == [
        "voices: ghost is used by no assistant that was ever there",
        "assistant_variables: ('?', 0) is one too many",
    ]


def test_a_deleted_row_that_is_gone_is_named(corrupted: Judged) -> None:
    connection, _, deleted_id = corrupted
    connection.execute("DELETE FROM puretalk.assistants WHERE assistant_id = ?", [deleted_id])
    assert f"assistants: {deleted_id} was deleted, and its row is gone" in judge(corrupted)


def test_a_return_after_a_deletion_that_is_not_marked_is_named(corrupted: Judged) -> None:
    connection, _, _ = corrupted
    connection.execute("UPDATE puretalk.assistant_versions SET previous_deleted_at = NULL")
    said = judge(corrupted)
    assert len(said) == 1
    assert said[0].endswith("#1 repeats the one before")


def test_true_is_not_taken_for_one(corrupted: Judged) -> None:
    connection, _, _ = corrupted
    connection.execute("UPDATE puretalk.assistant_llm_states SET parameters = '{\"a\": true}' WHERE node = 0")
    assert [words for words in judge(corrupted) if "assistant_llm_states.parameters" in words]
