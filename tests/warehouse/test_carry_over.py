"""Claims about warehouses of earlier releases: a sync carries them over, history included, or refuses a newer one.

`releases/` holds a small data directory of each release, as it wrote it, and what its last sync saw: the API's records,
and the rows that must survive.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pytest
from support import oracle
from support.publishing import find_leftovers
from support.storm import select, settings_for, skip_models

from puretalk.catalogue import TABLES
from puretalk.demo import Account, DemoApi
from puretalk.endpoints.assistants import flatten
from puretalk.endpoints.assistants.tables import ASSISTANTS
from puretalk.endpoints.assistants.versions import CONTENT_HASHES, CURRENT
from puretalk.errors import WarehouseError
from puretalk.json_values import hash_json
from puretalk.release import VERSION
from puretalk.settings import RetentionSettings, Settings
from puretalk.sync import digests
from puretalk.sync.run import SyncOutcome, run_build, run_rollback, run_sync
from puretalk.warehouse import work_file
from puretalk.warehouse.snapshots import SnapshotStore

pytestmark = pytest.mark.slow

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.tar.xz"))


class OldWarehouse:
    """The data directory of a release, and the account that it followed."""

    def __init__(self, archive: Path, folder: Path) -> None:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="tar")
        self.expected: dict[str, Any] = json.loads((folder / "expected.json").read_text())
        self.folder = folder
        self.published = folder / "data" / "puretalk.duckdb"
        self.account = Account.of(self.expected["records"])

    def sync(self) -> SyncOutcome:
        """Sync with the account as the release saw it last."""
        with DemoApi(self.account, page_cap=4) as api:
            return run_sync(self.settings(api.base_url))

    def settings(self, base_url: str = "http://127.0.0.1:1") -> Settings:
        return settings_for(self.folder, base_url)

    def edit(self, *statements: str) -> None:
        """Change the published file as another release would have written it, and publish it again."""
        store = SnapshotStore(self.folder / "data")
        current = store.current()
        assert current is not None
        work = self.folder / "edited.duckdb"
        shutil.copyfile(current, work)
        snapshot_id = f"{datetime.now():%Y%m%dT%H%M%S%fZ}"
        with closing(duckdb.connect(str(work))) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute("UPDATE main.snapshot_info SET snapshot_id = ?", [snapshot_id])
        store.publish(work, snapshot_id)

    def versions(self) -> list[tuple[Any, ...]]:
        """The history, without hashes."""
        return select(
            self.published,
            "SELECT assistant_id, observed_at, updated_at, is_silent, previous_deleted_at, json(config) "
            "FROM main.assistant_versions ORDER BY 1, 2",
        )

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return select(self.published, f"SELECT * FROM main.{table} ORDER BY ALL")


@pytest.fixture(autouse=True)
def _without_models(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "with_models" not in request.fixturenames:
        skip_models(monkeypatch)


@pytest.fixture
def with_models() -> None:
    """This test builds the models too."""


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OldWarehouse:
    return OldWarehouse(request.param, tmp_path)


@pytest.mark.usefixtures("with_models")
def test_a_warehouse_of_every_release_syncs_to_what_the_api_shows_with_its_history(old: OldWarehouse) -> None:
    outcome = old.sync()
    assert outcome.exit_code == 0
    assert (outcome.run.new, outcome.run.changed, outcome.run.silent, outcome.run.versions) == (0, 0, 0, 0)
    assert (outcome.run.users_changed, outcome.run.voices_changed, outcome.run.rejected_new) == (0, 0, 0)
    deleted = set(old.expected["deleted"])
    assert oracle.compare(old.expected["records"], outcome.snapshot, deleted_ids=deleted) == []
    assert oracle.compare_history(old.expected["records"], outcome.snapshot) == []
    stored = {(row[0], row[1].isoformat()): json.loads(row[5]) for row in old.versions()}
    keys = {_folded_key(each.get("user")): oracle.user_key(each.get("user")) for each in old.expected["records"]}
    told = {
        (row["assistant_id"], datetime.fromisoformat(row["observed_at"]).isoformat()): _restated(row["config"], keys)
        for row in old.expected["versions"]
    }
    assert stored == told
    owners = {(config["user_id"],) for config in told.values()} - {(None,)}
    assert owners <= {*select(old.published, "SELECT user_id FROM main.users")}
    seen = select(old.published, "SELECT assistant_id, first_seen_at, deleted_at FROM main.assistants ORDER BY 1")
    assert [(key, *(moment and moment.isoformat() for moment in moments)) for key, *moments in seen] == [
        (row["assistant_id"], *(row[name] and datetime.fromisoformat(row[name]).isoformat() for name in _MOMENTS))
        for row in sorted(old.expected["assistants"], key=lambda row: str(row["assistant_id"]))
    ]
    assert select(old.published, "SHOW TABLES") == [(name,) for name in sorted([*TABLES, "snapshot_info"])]
    schemas = select(old.published, "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY 1")
    assert schemas == [("_internal",), ("main",), ("marts",), ("staging",)]
    runs = select(old.published, "SELECT run_id FROM main.sync_runs ORDER BY 1")
    assert [run_id for (run_id,) in runs][:-1] == [row["run_id"] for row in old.expected["sync_runs"]]


_MOMENTS = ("first_seen_at", "deleted_at")


def _folded_key(user: Any) -> str | None:
    """The key that releases up to 0.3 gave a user."""
    return oracle.user_key({**user, "email": (user.get("email") or "").casefold()}) if isinstance(user, dict) else None


def _restated(text: str, keys: Mapping[str | None, str | None] = MappingProxyType({})) -> dict[str, Any]:
    """A configuration that a release kept, with the key of its user: up to 0.2, a user without an e-mail was in it.
    `keys`: those of releases up to 0.3 → those of this one."""
    config: dict[str, Any] = json.loads(text)
    if config.get("user_id") is not None:
        config["user_id"] = keys.get(config["user_id"], config["user_id"])
    user_id = oracle.user_key(config.get("user"))
    if user_id is not None:
        del config["user"]
        config["user_id"] = user_id
    return config


def test_a_snapshot_says_with_which_versions_and_by_which_release_it_was_written(old: OldWarehouse) -> None:
    old.sync()
    [row] = select(
        old.published,
        "SELECT tables_version, flattening_version, content_hash_version, puretalk_version FROM main.snapshot_info",
    )
    assert row[:3] == (CURRENT.tables, CURRENT.flattening, CURRENT.content_hash)
    assert row[3] == VERSION


def test_a_new_column_is_filled_from_what_was_kept_for_deleted_assistants_too(old: OldWarehouse) -> None:
    old.sync()
    assistants, voices, versions = old.rows("assistants"), old.rows("voices"), old.versions()
    old.edit(*_an_earlier_release_had_no_column("assistants", "timezone"))
    old.edit(*_an_earlier_release_had_no_column("voices", "language"))
    assert "timezone" not in [row[0] for row in select(old.published, "DESCRIBE main.assistants")]
    outcome = old.sync()
    assert outcome.exit_code == 0
    assert (outcome.run.rows_loaded, outcome.run.versions, outcome.run.silent) == (0, 0, 0)
    columns = [row[0] for row in select(old.published, "DESCRIBE main.assistants")]
    assert columns == [column.name for column in ASSISTANTS.columns], "in the order of a new warehouse"
    deleted = set(old.expected["deleted"])
    assert oracle.compare(old.expected["records"], outcome.snapshot, deleted_ids=deleted) == []
    assert len(old.rows("assistants")) == len(assistants)
    assert [sorted(map(str, row)) for row in old.rows("voices")] == [sorted(map(str, row)) for row in voices]
    assert old.versions() == versions
    zones = "SELECT assistant_id, timezone FROM main.assistants WHERE deleted_at IS NOT NULL AND timezone IS NOT NULL"
    assert len(select(old.published, zones)) == sum(row["deleted_at"] is not None for row in old.expected["assistants"])


def test_an_older_rule_of_flattening_is_applied_again_without_the_api(old: OldWarehouse) -> None:
    old.sync()
    before = {name: old.rows(name) for name in ("assistants", "assistant_variables", "assistant_llm_states")}
    versions = old.versions()
    old.edit(
        "UPDATE main.snapshot_info SET flattening_version = 0",
        "UPDATE main.assistants SET name = 'as an old rule read it'",
        "DELETE FROM main.assistant_llm_states",
        "UPDATE main.assistant_variables SET position = position + 1",
    )
    run_build(old.settings())
    assert {name: old.rows(name) for name in before} == before
    assert old.versions() == versions


def test_older_hashes_are_restated_and_no_change_is_invented(
    old: OldWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.sync()
    monkeypatch.setitem(CONTENT_HASHES, 0, lambda value: hashlib.md5(hash_json(value).encode()).hexdigest())
    hashes = "SELECT assistant_id, observed_at, content_hash FROM main.assistant_versions ORDER BY ALL"
    before, assistants, versions = select(old.published, hashes), old.rows("assistants"), old.versions()
    old.edit(
        "UPDATE main.snapshot_info SET content_hash_version = 0",
        *(f"UPDATE main.{table} SET content_hash = md5(content_hash)" for table in _HASHED),
        "UPDATE main.assistant_versions SET config = json_pretty(config)",
        "UPDATE main.rejected_records SET record_hash = md5(record_hash)",
    )
    assert select(old.published, hashes) != before
    outcome = old.sync()
    assert outcome.exit_code == 0
    assert (outcome.run.silent, outcome.run.changed, outcome.run.versions, outcome.run.rejected_new) == (0, 0, 0, 0)
    assert (outcome.run.users_changed, outcome.run.voices_changed, outcome.run.rows_loaded) == (0, 0, 0)
    assert select(old.published, hashes) == before
    assert (old.rows("assistants"), old.versions()) == (assistants, versions)
    configs = select(old.published, "SELECT count(*) FROM main.assistant_versions WHERE sha256(config) <> content_hash")
    assert configs == [(0,)]


_HASHED = ("assistants", "users", "voices", "assistant_versions")


ADA = {"name": "Ada", "dp": None, "email": None}


def test_users_without_an_email_get_a_row_and_no_change_is_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(assistants=9)
    loud, silent, moved, gone, back, odd, *_ = account.live_ids()
    for assistant_id in (loud, silent):
        account.edit(assistant_id, user=ADA)
    account.edit(moved, user={"name": "Early"})
    account.edit(gone, user={"dp": "https://example.com/gone.png", "email": ""})
    account.edit(back, user={"name": "Zoë", "email": " "})
    account.edit(odd, user={"role": "owner", "email": None})
    published = tmp_path / "data" / "puretalk.duckdb"
    with DemoApi(account, page_cap=4) as api:
        settings = settings_for(tmp_path, api.base_url)
        with monkeypatch.context() as before:
            _keep_such_users_in_configurations(before)
            assert run_sync(settings).exit_code == 0
            account.edit(loud, prompt="News.", user={**ADA, "role": "owner"})
            account.edit(silent, touch=False, prompt="Hush.")
            account.edit(moved, user={"name": "Late", "email": None})
            account.delete(gone)
            account.delete(back)
            assert run_sync(settings).exit_code == 0
            account.restore(back)
            assert run_sync(settings).run.returned == 1
            assert _without_owner(published) == {loud, silent, moved, gone, back, odd}
        history, configs = select(published, _HISTORY), select(published, _CONFIGS)
        outcome = run_sync(settings)
    assert outcome.exit_code == 0
    assert (outcome.run.rows_loaded, outcome.run.versions, outcome.run.silent, outcome.run.users_changed) == (0,) * 4
    assert oracle.compare(account.records(), published, deleted_ids={gone}) == []
    assert oracle.compare_history(account.records(), published) == []
    assert select(published, _HISTORY) == history
    assert [json.loads(config) for (config,) in select(published, _CONFIGS)] == [
        _restated(config) for (config,) in configs
    ]
    wrong = "SELECT assistant_id FROM main.assistant_versions WHERE sha256(config) <> content_hash"
    assert select(published, wrong) == []
    assert select(published, _WITHOUT_EMAIL) == [
        ("Ada", None, None, '{"role":"owner"}'),
        ("Early", None, None, None),
        ("Late", None, None, None),
        ("Zoë", None, " ", None),
        (None, "https://example.com/gone.png", "", None),
    ]
    assert _without_owner(published) == {odd}
    deviating = select(published, "SELECT assistant_id, extra FROM main.assistants WHERE extra LIKE '%_deviates%'")
    assert deviating == [(silent, '{"_deviates":{"user":{"role":null}}}')]


def test_users_that_an_earlier_release_took_for_one_are_told_apart_and_no_change_is_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(assistants=9)
    sharp, twin, gone, round_, alone, *_ = account.live_ids()
    folded = {"name": "Eva", "dp": None, "email": "EVA@STRASSE.example"}
    for assistant_id in (sharp, twin, gone):
        account.edit(assistant_id, user={**folded, "email": "eva@straße.example"})
    account.edit(alone, user={**folded, "email": "Groß@x.example"})
    published = tmp_path / "data" / "puretalk.duckdb"
    with DemoApi(account, page_cap=4) as api:
        settings = settings_for(tmp_path, api.base_url)
        with monkeypatch.context() as before:
            _fold_addresses(before)
            assert run_sync(settings).exit_code == 0
            account.edit(round_, prompt="News.", user=folded)
            account.edit(twin, touch=False, prompt="Hush.")
            account.delete(gone)
            assert run_sync(settings).exit_code == 0
            emails = select(published, "SELECT email FROM main.users WHERE name = 'Eva' ORDER BY email")
            assert emails == [("EVA@STRASSE.example",), ("Groß@x.example",)]
        history = select(published, _HISTORY)
        outcome = run_sync(settings)
    assert outcome.exit_code == 0
    assert (outcome.run.rows_loaded, outcome.run.versions, outcome.run.silent, outcome.run.users_changed) == (0,) * 4
    assert oracle.compare(account.records(), published, deleted_ids={gone}) == []
    assert oracle.compare_history(account.records(), published) == []
    assert select(published, _HISTORY) == history
    assert select(published, "SELECT assistant_id FROM main.assistants WHERE extra LIKE '%_deviates%'") == []
    assert select(published, "SELECT email FROM main.users WHERE name = 'Eva' ORDER BY email") == [
        ("EVA@STRASSE.example",),
        ("Groß@x.example",),
        ("eva@straße.example",),
    ]
    [(key,)] = select(published, "SELECT user_id FROM main.users WHERE email = 'eva@straße.example'")
    stored = select(published, "SELECT DISTINCT assistant_id, config ->> 'user_id' FROM main.assistant_versions")
    assert {assistant_id for assistant_id, user_id in stored if user_id == key} == {sharp, twin}


def _fold_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync with the rules of flattening 2, as release 0.3 did."""
    rule, read = flatten._user_key, flatten.read_shared_object.__wrapped__
    for module in (flatten, digests):  # they remember
        monkeypatch.setattr(module, "read_shared_object", read)
    monkeypatch.setattr(
        flatten, "_user_key", lambda user: rule({**user, "email": (user.get("email") or "").casefold()})
    )
    monkeypatch.setattr(digests, "READ_BY", "flattening 2")
    monkeypatch.setattr(work_file, "CURRENT", replace(CURRENT, flattening=2))
    monkeypatch.setattr(work_file, "carry_over", lambda _connection: False)


_HISTORY = """SELECT assistant_id, observed_at, updated_at, is_silent, previous_deleted_at
    FROM main.assistant_versions ORDER BY 1, 2"""
_CONFIGS = "SELECT config FROM main.assistant_versions ORDER BY assistant_id, observed_at"
_WITHOUT_EMAIL = "SELECT name, dp, email, extra FROM main.users WHERE coalesce(trim(email), '') = '' ORDER BY name"


def _without_owner(published: Path) -> set[str]:
    rows = select(published, "SELECT assistant_id FROM main.assistants WHERE user_id IS NULL")
    return {assistant_id for (assistant_id,) in rows}


def _keep_such_users_in_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync with the rules of flattening 1, as releases up to 0.2 did."""
    rule = flatten._user_key
    monkeypatch.setattr(flatten, "read_shared_object", flatten.read_shared_object.__wrapped__)  # it remembers
    monkeypatch.setattr(flatten, "_user_key", lambda user: rule({"email": user.get("email")}))
    monkeypatch.setattr(digests, "READ_BY", "flattening 1")
    monkeypatch.setattr(work_file, "CURRENT", replace(CURRENT, flattening=1))
    monkeypatch.setattr(work_file, "carry_over", lambda _connection: False)


@pytest.mark.parametrize("column", ["tables_version", "flattening_version", "content_hash_version"])
def test_a_newer_warehouse_is_refused_and_stays_as_it_is(old: OldWarehouse, column: str) -> None:
    old.sync()
    old.edit(f"UPDATE main.snapshot_info SET {column} = {column} + 1, puretalk_version = '9.8.7'")
    before = old.published.resolve()
    for act in (old.sync, lambda: run_build(old.settings())):
        with pytest.raises(WarehouseError) as raised:
            act()
        assert raised.value.message.startswith("puretalk 9.8.7 wrote this warehouse")
        assert raised.value.action.startswith("Install puretalk 9.8.7 or newer.")
    assert old.published.resolve() == before
    run_rollback(old.settings(), None)
    assert old.sync().exit_code == 0, "after a rollback to a snapshot that it knows, this release goes on"


def test_a_snapshot_of_the_release_before_is_one_that_a_rollback_can_go_to(old: OldWarehouse) -> None:
    before = old.published.resolve()
    old.sync()
    assert run_rollback(old.settings(), None).path.resolve() == before
    assert select(old.published, "SELECT count(*) FROM puretalk.assistants") == [(len(old.expected["assistants"]),)]
    run_build(old.settings())
    assert old.sync().exit_code == 0


def test_snapshots_of_the_release_before_are_listed_and_deleted_like_any_other(old: OldWarehouse) -> None:
    store = SnapshotStore(old.folder / "data")
    before = store.list_snapshots()
    assert [snapshot.is_current for snapshot in before] == [True, False]
    for number in range(3):
        old.sync()
        kept = store.list_snapshots()
        assert [snapshot.snapshot_id for snapshot in kept[-2:]] == [each.snapshot_id for each in before]
        assert len(kept) == number + 3
    store.delete_old(RetentionSettings(keep_last=1, keep_hourly=0, keep_daily=0), now=kept[0].created_at)
    assert store.list_snapshots() == kept[:2]
    assert find_leftovers(old.folder / "data") == []


def test_a_column_of_another_type_is_refused_and_named(old: OldWarehouse) -> None:
    altered = "ALTER TABLE main.assistants ALTER name TYPE BLOB USING encode(name)"
    old.edit("DROP VIEW IF EXISTS staging.stg_assistants", altered)
    before = old.published.resolve()
    with pytest.raises(WarehouseError, match=r"altered .*: assistants\.name is BLOB instead of VARCHAR") as refused:
        old.sync()
    assert (refused.value.exit_code, "puretalk rollback" in refused.value.action) == (8, True)
    assert old.published.resolve() == before


def test_a_run_that_dies_while_it_carries_over_changes_nothing(
    old: OldWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.sync()
    old.edit("UPDATE main.snapshot_info SET flattening_version = 0")
    before = old.published.resolve()
    with monkeypatch.context() as broken:
        broken.setattr("puretalk.warehouse.rewriting.flatten_config", _die)
        with pytest.raises(RuntimeError, match="in the middle"):
            old.sync()
    assert old.published.resolve() == before
    assert old.sync().exit_code == 0


def _die(*_arguments: object) -> None:
    raise RuntimeError("in the middle of carrying over")


def _an_earlier_release_had_no_column(table: str, column: str) -> list[str]:
    """What a release that did not know the field would have left: no column, and the value in `extra`."""
    merged = f"json_merge_patch(coalesce(extra, '{{}}'::JSON), json_object('{column}', {column}))"
    return [
        "UPDATE main.snapshot_info SET tables_version = 0",
        f"UPDATE main.{table} SET extra = {merged} WHERE {column} IS NOT NULL",
        f"CREATE TABLE main.rewritten AS SELECT * EXCLUDE ({column}) FROM main.{table}",
        f"DROP VIEW IF EXISTS staging.stg_{table}",
        f"DROP TABLE main.{table}",
        f"ALTER TABLE main.rewritten RENAME TO {table}",
    ]
