"""Claims about records whose bytes were read before: they are not read again, and nothing is lost by that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import oracle
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.endpoints.assistants.flatten import flatten_assistant
from puretalk.privacy.policy import Policy
from puretalk.settings import Settings
from puretalk.sync import digests
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import SyncOutcome, run_sync

pytestmark = pytest.mark.slow


@pytest.fixture
def synced(synced_data: Path, api: DemoApi, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a warehouse that was synced once; syncs build no models."""
    skip_models(monkeypatch)
    return settings_for(synced_data.parent, api.base_url)


@pytest.fixture
def sync(synced: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SyncOutcome, int]]:
    """A sync, and how many records it flattened."""
    flattened: list[Any] = []

    def flatten(record: Any, policy: Policy | None) -> Any:
        flattened.append(record)
        return flatten_assistant(record, policy)

    monkeypatch.setattr("puretalk.sync.comparison.flatten_assistant", flatten)

    def run(**options: Any) -> tuple[SyncOutcome, int]:
        flattened.clear()
        return run_sync(synced, SyncOptions(**options)), len(flattened)

    return run


Sync = Callable[..., tuple[SyncOutcome, int]]


def remembered(outcome: SyncOutcome) -> list[tuple[Any, ...]]:
    return select(outcome.snapshot, "SELECT * FROM _internal.record_digests ORDER BY ALL")


def test_a_warehouse_that_remembers_no_record_yet_is_synced(tmp_path: Path) -> None:
    """With models: one of them is in the same schema as the digests, and is made before there are any."""
    account = Account(empty=True)
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        assert [run_sync(settings).exit_code for _ in range(2)] == [0, 0]
        account.create(name="Ada")
        outcome = run_sync(settings)
    assert (outcome.exit_code, outcome.run.new, len(remembered(outcome))) == (0, 1, 1)


def test_only_records_with_other_bytes_are_read(sync: Sync, account: Account) -> None:
    assert sync()[1] == 0
    account.edit(account.live_ids()[0], prompt="Say yes.")
    outcome, flattened = sync()
    assert (outcome.run.changed, outcome.run.unchanged, flattened) == (1, 6, 1)
    assert sync()[1] == 0
    assert oracle.compare(account.records(), outcome.snapshot) == []


def test_a_server_that_orders_keys_otherwise_costs_time_and_no_change(sync: Sync, account: Account) -> None:
    before = remembered(sync()[0])
    for record in account.records():
        account.put_raw(record["assistant_id"], dict(reversed(record.items())))
    outcome, flattened = sync()
    assert (outcome.run.unchanged, outcome.run.rows_loaded, outcome.run.versions, flattened) == (7, 0, 0, 7)
    assert [row[0] for row in remembered(outcome)] == [row[0] for row in before]
    assert not {row[1] for row in remembered(outcome)} & {row[1] for row in before}
    assert sync()[1] == 0, "the new bytes are known now"


def test_a_full_refresh_reads_every_record(sync: Sync) -> None:
    outcome, flattened = sync(full_refresh=True)
    assert (outcome.run.rows_loaded, flattened) == (7, 7)
    assert sync()[1] == 0


def test_what_another_release_read_is_read_again(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "READ_BY", "9.9.9 1.1.1")
    outcome, flattened = sync()
    assert (outcome.run.rows_loaded, flattened) == (0, 7)
    assert {row[2] for row in remembered(outcome)} == {"9.9.9 1.1.1"}
    assert sync()[1] == 0


NEW_KEY = "pk-9F8e7D6c5B4a39281706"


@pytest.mark.parametrize("is_quiet", [True, False], ids=["no page differs", "one page differs"])
def test_a_new_key_is_found_in_a_record_that_was_known(
    synced: Settings, sync: Sync, account: Account, is_quiet: bool
) -> None:
    holder, other, *_ = account.live_ids()
    account.edit(holder, prompt=f"Say {NEW_KEY}.")
    sync()
    assert sync()[1] == 0
    with DemoApi(account, key=NEW_KEY, page_cap=4) as api:
        settings = replace(synced, api=replace(synced.api, base_url=api.base_url, api_key=NEW_KEY))
        if not is_quiet:
            account.edit(other, prompt="Say yes.")
        outcome = run_sync(settings)
        [found] = [warning for warning in outcome.warnings if "hold the API key" in warning]
        assert found.startswith("1 records")
        stored = select(outcome.snapshot, f"SELECT prompt FROM main.assistants WHERE assistant_id = '{holder}'")
        assert stored == [("Say ***.",)]
        again = run_sync(settings)
    assert (again.run.rows_loaded, again.run.unchanged, again.run.versions) == (0, 7, 0)
    assert [warning for warning in again.warnings if "hold the API key" in warning] == [found]


def test_after_a_new_key_every_record_is_read_once_and_nothing_is_loaded(
    synced: Settings, sync: Sync, account: Account
) -> None:
    assert sync()[1] == 0
    with DemoApi(account, key=NEW_KEY, page_cap=4) as api:
        vars(synced.api).update(base_url=api.base_url, api_key=NEW_KEY)
        outcome, flattened = sync()
        assert (outcome.exit_code, outcome.run.rows_loaded, flattened) == (0, 0, 7)
        outcome, flattened = sync()
        assert (outcome.exit_code, flattened) == (0, 0)


def test_an_assistant_that_comes_back_with_known_bytes_is_loaded_whole(sync: Sync, account: Account) -> None:
    gone = account.live_ids()[0]
    account.delete(gone)
    assert sync()[0].run.deleted == 1
    account.restore(gone)
    outcome, _ = sync()
    assert (outcome.run.returned, outcome.run.versions) == (1, 1)
    assert oracle.compare(account.records(), outcome.snapshot) == []
    assert oracle.compare_history(account.records(), outcome.snapshot) == []


def test_a_known_record_deviates_once_another_assistant_shows_the_voice_otherwise(sync: Sync, account: Account) -> None:
    first, second = account.records()[:2]
    account.put_raw(first["assistant_id"], {**first, "voice": second["voice"]})
    sync()
    newer = {**second, "voice": {**second["voice"], "name": "Another name"}, "updated_at": "2030-01-01T00:00:00Z"}
    account.put_raw(second["assistant_id"], newer)
    outcome, flattened = sync()
    assert flattened == 1
    [(extra,)] = select(
        outcome.snapshot, f"SELECT extra FROM main.assistants WHERE assistant_id = '{first['assistant_id']}'"
    )
    assert second["voice"]["name"] in extra
    assert oracle.compare(account.records(), outcome.snapshot) == []


def test_users_and_voices_that_no_record_shows_any_more_are_forgotten(sync: Sync, account: Account) -> None:
    voice = account.records()[0]["voice"]
    account.rename_voice(voice["voice_id"], "Another name")
    outcome, _ = sync()
    values = [value for (value,) in select(outcome.snapshot, "SELECT value FROM _internal.shared_objects")]
    assert [value for value in values if "Another name" in value]
    assert not [value for value in values if voice["name"] in value and voice["voice_id"] in value]


def test_a_user_and_a_voice_with_the_same_text_stay_apart(sync: Sync, account: Account) -> None:
    record = account.records()[0]
    both = {"email": "ada@example.com", "voice_id": "v-1", "name": "Ada"}
    account.put_raw(record["assistant_id"], {**record, "user": both, "voice": both})
    outcome, _ = sync()
    with closing(duckdb.connect(str(outcome.snapshot), read_only=True)) as connection:
        found = {each.assistant_id: each for each in digests.read_digests(connection).values()}
    own = found[record["assistant_id"]]
    assert own.user is not None
    assert own.voice is not None
    assert (own.user.table.name, own.voice.table.name, own.voice.key) == ("users", "voices", "v-1")
    assert sync()[1] == 0
