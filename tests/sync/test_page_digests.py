"""Claims about pages that are what the last sync read: nothing is compared, and no change hides behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import oracle
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.errors import EXIT_HELD
from puretalk.settings import DecisionSettings, Settings
from puretalk.sync import page_digests
from puretalk.sync.destination import WorkFileDestination
from puretalk.sync.known import Known
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import SyncOutcome, run_sync

pytestmark = pytest.mark.slow

#: Columns of `sync_runs` that differ from run to run whatever happened.
_OF_THE_CLOCK = {
    "run_id", "started_at", "finished_at", "settled_from", "settled_until",
    "walk_seconds", "load_seconds", "models_seconds", "checks_seconds", "total_seconds",
}  # fmt: skip


@pytest.fixture
def synced(synced_data: Path, api: DemoApi, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a warehouse that was synced once, three pages of up to three; syncs build no models. Deletions are
    held back from two of three on."""
    skip_models(monkeypatch)
    bounds = DecisionSettings(deletion_cap_minimum=2)
    return replace(settings_for(synced_data.parent, api.base_url), decision=bounds)


@pytest.fixture
def sync(synced: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SyncOutcome, bool]]:
    """A sync, and whether it compared anything: whether it read what the warehouse knows of the assistants."""
    read: list[Known] = []
    original = WorkFileDestination.read_known

    def read_known(destination: WorkFileDestination) -> Known:
        read.append(original(destination))
        return read[-1]

    monkeypatch.setattr(WorkFileDestination, "read_known", read_known)

    def run(**options: Any) -> tuple[SyncOutcome, bool]:
        read.clear()
        return run_sync(synced, SyncOptions(**options)), bool(read)

    return run


Sync = Callable[..., tuple[SyncOutcome, bool]]


def facts(outcome: SyncOutcome) -> dict[str, Any]:
    """What a run says of itself, without what the clock says."""
    return {name: value for name, value in vars(outcome.run).items() if name not in _OF_THE_CLOCK}


def kept(outcome: SyncOutcome) -> list[tuple[Any, ...]]:
    return select(outcome.snapshot, "SELECT number, len(records), list_count FROM _internal.page_digests ORDER BY ALL")


def test_the_same_pages_are_not_compared_and_the_run_says_the_same(sync: Sync) -> None:
    compared, is_compared = sync(full_refresh=True)
    assert is_compared
    assert kept(compared) == [(1, 3, 7), (2, 3, 7), (3, 1, 7)]
    same, is_compared = sync()
    assert not is_compared
    assert facts(same) == facts(compared) | {"rows_loaded": 0}
    assert (same.exit_code, same.run.unchanged, same.run.received, same.run.seen) == (0, 7, 7, 7)
    assert kept(same) == kept(compared)


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("silently", [False, True])
def test_a_change_on_any_page_is_found(sync: Sync, account: Account, place: int, silently: bool) -> None:
    account.edit(account.live_ids()[place], touch=not silently, prompt="Say yes.")
    outcome, _ = sync()
    assert (outcome.run.changed + outcome.run.silent, outcome.run.unchanged, outcome.run.received) == (1, 6, 7)
    assert oracle.compare(account.records(), outcome.snapshot) == []
    assert oracle.compare_history(account.records(), outcome.snapshot) == []
    again, is_compared = sync()
    assert (again.run.unchanged, is_compared) == (7, False)


@pytest.mark.parametrize("place", range(7))
def test_a_deletion_and_a_return_on_any_page_are_found(sync: Sync, account: Account, place: int) -> None:
    gone = account.live_ids()[place]
    account.delete(gone)
    outcome, _ = sync()
    assert (outcome.run.deleted, outcome.run.unchanged) == (1, 6)
    assert sync()[1] is False, "the deleted assistant is missed no more"
    account.restore(gone)
    outcome, _ = sync()
    assert (outcome.run.returned, outcome.run.versions) == (1, 1)
    assert oracle.compare(account.records(), outcome.snapshot) == []
    assert sync()[1] is False


def test_a_new_assistant_behind_the_known_pages_is_found(sync: Sync, account: Account) -> None:
    account.create(name="Ada")
    outcome, _ = sync()
    assert (outcome.run.new, outcome.run.unchanged) == (1, 7)
    assert oracle.compare(account.records(), outcome.snapshot) == []


def test_a_list_that_ends_before_its_last_known_page_proves_no_deletion(sync: Sync, api: DemoApi) -> None:
    """The pages that came are what they were; the last one is said not to exist."""
    api.fail("404", when=lambda asked: asked.page == 3)
    outcome, is_compared = sync()
    assert is_compared
    assert (outcome.run.deleted, outcome.run.seen, outcome.run.unchanged) == (0, 6, 7)
    assert kept(outcome) == []


def test_records_that_cannot_be_used_are_counted_in_every_run(sync: Sync, account: Account) -> None:
    account.put_raw(0, {"name": "without an id"})
    runs = [sync() for _ in range(3)]
    assert [(outcome.run.rejected, is_compared) for outcome, is_compared in runs] == [(1, True)] * 3
    assert kept(runs[-1][0]) == []


def test_deletions_that_are_held_back_are_held_back_again(sync: Sync, account: Account) -> None:
    for assistant_id in account.live_ids()[:6]:
        account.delete(assistant_id)
    outcomes = [sync()[0] for _ in range(2)]
    assert [(outcome.exit_code, outcome.run.held) for outcome in outcomes] == [(EXIT_HELD, 6)] * 2
    outcome, _ = sync(accept_deletions=True)
    assert (outcome.exit_code, outcome.run.deleted) == (0, 6)


def test_differences_from_the_documentation_are_told_in_every_run(sync: Sync, account: Account) -> None:
    record = account.records()[4]
    account.put_raw(record["assistant_id"], {**record, "mood": "calm"})
    first, second = sync(), sync()
    assert (first[1], second[1]) == (True, False)
    assert dict(second[0].run.drift) == dict(first[0].run.drift) != {}


def test_an_answer_that_was_not_believed_is_judged_again(sync: Sync, account: Account) -> None:
    record = account.records()[4]
    account.put_raw(record["assistant_id"], {**record, "updated_at": "2020-01-01T00:00:00Z", "name": "Older"})
    outcomes = [sync() for _ in range(2)]
    assert all(is_compared for _, is_compared in outcomes[:1])
    assert oracle.compare(account.records(), outcomes[-1][0].snapshot) == []


def test_what_another_release_kept_is_not_used(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sync()[1] is True, "the data directory of the fixture was written with another page size"
    assert sync()[1] is False
    monkeypatch.setattr("puretalk.sync.digests.READ_BY", "9.9.9 1.1.1")
    assert sync()[1] is True
    assert sync()[1] is False


def test_pages_without_the_digest_of_a_record_are_not_used(sync: Sync, tmp_path: Path) -> None:
    outcome = sync()[0]
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(outcome.snapshot.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        known = page_digests.read_account(connection)
        assert known is not None
        assert len(known.pages) == 3
        connection.execute("DELETE FROM _internal.record_digests WHERE rowid = 3")
        assert page_digests.read_account(connection) is None
