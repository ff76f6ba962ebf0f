"""The main claim, end to end: after any changes, one sync of an account at rest makes the warehouse equal the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.oracle import compare, compare_history
from support.storm import skip_models

from puretalk.demo import MISSING, Account, DemoApi
from puretalk.settings import ApiSettings, Settings
from puretalk.sync.run import SyncOutcome, run_sync

pytestmark = pytest.mark.slow

#: Fields that identify an assistant or claim its times; a change of theirs is not a change of the configuration.
_FIXED = {"assistant_id", "created_at", "updated_at"}


def other_value(name: str, value: Any) -> Any:
    """Another value of the same kind; a list loses its first item and gets a new last one, a tree grows a branch."""
    if name == "llm_states":
        grown = [
            {"state_id": "new", "name": "New", "children": [{"state_id": "leaf", "tools": [{"type": "function"}]}]}
        ]
        return [*(value or [])[1:], *grown]
    if isinstance(value, list):
        return [*value[1:], {"name": "new", "value": 1}, "new"]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, dict):
        return {**value, "name": "Somebody else"}
    return f"{value or ''} and more"


class Synced:
    """An account, its API, and the warehouse that follows them."""

    def __init__(self, folder: Path, api: DemoApi, account: Account) -> None:
        self.account = account
        self.settings = Settings(folder, folder / "data", ApiSettings(api.key, api.base_url))

    def sync(self) -> SyncOutcome:
        """Sync, and insist on equality in every table and in the history."""
        outcome = run_sync(self.settings)
        records = self.account.records("created")
        snapshot = outcome.snapshot
        assert outcome.exit_code == 0
        assert compare(records, snapshot, deleted_ids=set(self.account.deleted_ids())) == []
        assert compare_history(records, snapshot) == []
        return outcome


@pytest.mark.parametrize("touch", [True, False], ids=["updated_at moves", "updated_at does not move"])
def test_a_change_of_each_field_list_and_tree_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touch: bool
) -> None:
    """Models are built at the end, over all versions; without the touch they would see the same configurations."""
    account = Account(seed=5, assistants=45)
    with DemoApi(account) as api, monkeypatch.context() as without_models:
        skip_models(without_models)
        synced = Synced(tmp_path, api, account)
        first = synced.sync()
        assert (first.run.new, first.run.versions) == (45, 45)
        ids = account.live_ids()
        fields = sorted(set().union(*map(account.record, ids)) - _FIXED)
        assert len(fields) == 32, "every field of the API but id and times"
        for assistant_id, field in zip(ids, fields, strict=False):
            account.edit(
                assistant_id, touch=touch, **{field: other_value(field, account.record(assistant_id).get(field))}
            )
        second = synced.sync()
        expected = {"changed": len(fields), "silent": 0} if touch else {"changed": 0}
        assert {name: getattr(second.run, name) for name in expected} == expected
        for assistant_id, field in zip(ids, fields, strict=False):
            emptied: list[object] | None = [] if isinstance(account.record(assistant_id).get(field), list) else None
            account.edit(assistant_id, touch=touch, **{field: emptied})
        synced.sync()
        for assistant_id, field in zip(ids, fields, strict=False):
            account.edit(assistant_id, touch=touch, **{field: MISSING})
        synced.sync()
        if touch:
            without_models.undo()
        quiet = synced.sync()
        assert (quiet.run.rows_loaded, quiet.run.versions) == (0, 0)


def test_the_demo_account_arrives_whole_and_so_does_what_becomes_of_it(tmp_path: Path) -> None:
    account = Account(seed=1, assistants=120)
    with DemoApi(account) as api:
        synced = Synced(tmp_path, api, account)
        synced.sync()
        account.evolve()
        second = synced.sync()
        assert (second.run.deleted, second.run.new, second.run.voices_changed) == (1, 1, 1)
        assert synced.sync().run.rows_loaded == 0
