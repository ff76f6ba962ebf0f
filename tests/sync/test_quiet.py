"""Claims about a sync that has nothing to load: it writes its own row, imports no dlt, and is as exact as any other."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.settings import Settings
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

_HEAVY = ("dlt", "pyarrow", "pandas")
_SYNC = f"""
import pickle, sys
from puretalk.sync.run import run_sync
outcome = run_sync(pickle.loads(bytes.fromhex(sys.argv[1])))
print(outcome.run.rows_loaded, *(name for name in {_HEAVY} if name in sys.modules))
"""


def sync_in_a_process(settings: Settings) -> list[str]:
    """Rows loaded, then the heavy libraries that the sync imported."""
    command = [sys.executable, "-c", _SYNC, pickle.dumps(settings).hex()]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.usefixtures("synced_data")
def test_a_quiet_sync_imports_no_dlt_and_a_sync_that_loads_does(tmp_path: Path, account: Account, api: DemoApi) -> None:
    settings = settings_for(tmp_path, api.base_url)
    assert sync_in_a_process(settings) == ["0"]
    account.edit(account.live_ids()[0], prompt="Say yes.")
    assert sync_in_a_process(settings)[:2] == ["1", "dlt"]


@pytest.fixture
def synced(synced_data: Path, api: DemoApi, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a warehouse that was synced once; syncs build no models."""
    skip_models(monkeypatch)
    return settings_for(synced_data.parent, api.base_url)


def contents(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but those that say when a sync ran."""
    published = settings.data_dir / "puretalk.duckdb"
    names = select(published, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' ORDER BY 1")
    return {
        name: select(published, f"SELECT * FROM main.{name} ORDER BY ALL")
        for (name,) in names
        if name not in ("sync_runs", "snapshot_info")
    }


def test_a_quiet_sync_writes_its_own_row_and_nothing_else(synced: Settings, account: Account) -> None:
    before = contents(synced)
    outcome = run_sync(synced)
    assert outcome.exit_code == 0
    assert (outcome.run.unchanged, outcome.run.rows_loaded, outcome.run.versions) == (7, 0, 0)
    assert contents(synced) == before
    rows = select(outcome.snapshot, "SELECT run_id, seen, is_exact, drift, notes FROM main.sync_runs ORDER BY run_id")
    assert len(rows) == 2
    assert rows[-1] == (outcome.run.run_id, 7, True, None, None)
    assert oracle.compare(account.records(), outcome.snapshot) == []


def test_a_quiet_sync_that_is_not_exact_says_so_in_its_row(synced: Settings, api: DemoApi) -> None:
    api.count_lie = 1
    outcome = run_sync(synced)
    assert outcome.exit_code == 9
    [(notes,)] = select(outcome.snapshot, "SELECT notes FROM main.sync_runs ORDER BY run_id DESC LIMIT 1")
    assert json.loads(notes) == ["7 records are accounted for, the API counted 8 when the walk began"]


_NEWS: dict[str, Callable[[Account], object]] = {
    "an edit": lambda account: account.edit(account.live_ids()[0], prompt="Say yes."),
    "a silent edit": lambda account: account.edit(account.live_ids()[0], touch=False, begin_message="Hi."),
    "a touch": lambda account: account.edit(account.live_ids()[0]),
    "a new assistant": lambda account: account.create(),
    "a deletion": lambda account: account.delete(account.live_ids()[0]),
    "a renamed voice": lambda account: account.rename_voice(
        account.record(account.live_ids()[0])["voice"]["voice_id"], "V"
    ),
    "a renamed user": lambda account: account.edit_user(
        account.record(account.live_ids()[0])["user"]["email"], name="U"
    ),
    "a record without an id": lambda account: account.put_raw(99, {"name": "no id"}),
    "an emptied list": lambda account: account.edit(account.live_ids()[0], touch=False, variables=[]),
}


@pytest.mark.parametrize("news", _NEWS, ids=str)
def test_no_news_is_taken_for_quiet(synced: Settings, account: Account, news: str) -> None:
    _NEWS[news](account)
    outcome = run_sync(synced)
    assert outcome.exit_code == 0
    assert outcome.run.rows_loaded > 0
    assert oracle.compare(account.records(), outcome.snapshot, deleted_ids=set(account.deleted_ids())) == []
    assert oracle.compare_history(account.records(), outcome.snapshot) == []
    assert run_sync(synced).run.rows_loaded == 0


def test_a_deviation_that_ends_is_not_taken_for_quiet(synced: Settings, account: Account) -> None:
    first, second = account.live_ids()[:2]
    voice = account.record(first)["voice"]
    account.edit(second, voice={**voice, "language": "deviates"})
    run_sync(synced)
    account.edit(second, touch=False, voice=voice)
    outcome = run_sync(synced)
    assert oracle.compare(account.records(), outcome.snapshot) == []


def test_a_full_refresh_of_a_quiet_account_loads_everything(synced: Settings) -> None:
    assert run_sync(synced, SyncOptions(full_refresh=True)).run.rows_loaded == 7
