"""Claims about syncs of an account that keeps changing: nothing lost, nothing stale, no live assistant deleted."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from datetime import UTC, datetime
from itertools import count, groupby
from pathlib import Path
from typing import Any

import pytest
from benchmarks.busy import Puretalk, weather
from support import oracle
from support.storm import Look, Served, Storm, Witness, look_of_version, select, settings_for, skip_models

from puretalk.api.client import ApiClient
from puretalk.demo import Account, DemoApi
from puretalk.demo.account import Order
from puretalk.endpoints.assistants.flatten import flatten_assistant
from puretalk.settings import ApiSettings, DecisionSettings
from puretalk.sync.decision import Decision, decide
from puretalk.sync.known import Known
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import SyncOutcome, run_sync
from puretalk.sync.spool import Spool

pytestmark = pytest.mark.slow

#: Order of the list, how `GET /ai-assistants/{id}` answers, requests at a time.
SHORT = [("name", "missing", 8), ("unordered", "ok", 1)]
LONG = [
    (order, detail, window)
    for order in ("created", "-created", "updated", "-updated", "name", "unordered")
    for detail, window in (("ok", 1), ("ok", 8), ("error", 8))
]


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_models(monkeypatch)


@pytest.mark.usefixtures("without_models")
@pytest.mark.parametrize(("order", "detail", "window"), SHORT)
def test_a_storm_leaves_no_trace_after_one_sync_at_rest(order: str, detail: str, window: int, tmp_path: Path) -> None:
    weather_the_storm(tmp_path, order, detail, window, seed=len(order), rounds=2)


def test_the_identities_of_the_models_hold_in_a_storm_too(tmp_path: Path) -> None:
    """They are among the checks that gate publishing: a storm in which each sync publishes has broken none."""
    weather_the_storm(tmp_path, "unordered", "ok", 8, seed=3, rounds=1)


@pytest.mark.storm
@pytest.mark.usefixtures("without_models")
@pytest.mark.parametrize(("order", "detail", "window"), LONG)
def test_a_long_storm_leaves_no_trace_either(order: str, detail: str, window: int, tmp_path: Path) -> None:
    weather_the_storm(tmp_path, order, detail, window, seed=LONG.index((order, detail, window)), rounds=3)


@pytest.mark.storm
@pytest.mark.usefixtures("without_models")
@pytest.mark.parametrize("order", ["created", "-updated"])
def test_an_account_that_never_rests_is_settled_by_few_requests(order: Order) -> None:
    *busy, at_rest = weather(Puretalk, 600, 20, order)
    assert [(each.undead, each.declared) for each in busy] == [(0, 0)] * len(busy)
    assert sum(each.exit_code == 0 for each in busy) >= len(busy) - 1
    assert sum(each.requests for each in busy) <= sum(each.allowed for each in busy)
    assert (at_rest.exit_code, at_rest.walks, at_rest.differences) == (0, 1, 0)


def test_an_answer_that_was_overtaken_replaces_nothing() -> None:
    """Page 3 comes before page 2, and in between a row changes and moves from one to the other."""
    page_3_came = threading.Event()

    class Overtaken(Account):
        def page(self, order: Order = "created", start: int = 0, stop: int | None = None) -> tuple[int, list[Any]]:
            if start == 3 and not page_3_came.is_set():
                assert page_3_came.wait(timeout=10)
                self.edit(chosen, touch=False, prompt="newer")
                self.delete(self.live_ids()[0])
            return super().page(order, start, stop)

    received: list[datetime] = []

    def now() -> datetime:
        received.append(datetime.now(UTC))
        if len(received) == 3:  # the decision begins, page 1 comes alone, then page 3, as page 2 waits for it
            page_3_came.set()
        return received[-1]

    async def walk_once(base_url: str) -> Decision:
        async with ApiClient(ApiSettings("demo-key", base_url), now=now) as client:
            return await decide(client, Known(), Spool(io.BytesIO()), DecisionSettings(), now=now)

    account = Overtaken(assistants=9)
    chosen = account.live_ids()[6]
    with DemoApi(account, page_cap=3) as api:
        decision = asyncio.run(walk_once(api.base_url))
    assert chosen in decision.walks[0].doubles
    assert [version.content_hash for version in decision.comparison.news[chosen]] == [
        flatten_assistant(account.record(chosen)).content_hash
    ]


@pytest.mark.usefixtures("without_models")
def test_a_stale_copy_is_no_other_account_and_believed_on_a_full_refresh_only(account: Account, tmp_path: Path) -> None:
    with DemoApi(account) as api:
        run_sync(settings_for(tmp_path, api.base_url))
    older = [{**record, "updated_at": "2001-01-01T00:00:00Z"} for record in account.records()]
    new = account.record(account.create())
    with DemoApi(Account.of([*older, new]), detail="missing") as api:
        outcome = run_sync(settings_for(tmp_path, api.base_url))
        refreshed = run_sync(settings_for(tmp_path, api.base_url), SyncOptions(full_refresh=True))
    told = {name: getattr(outcome.run, name) for name in ("new", "older", "held", "deleted", "is_complete", "is_exact")}
    assert told == {"new": 1, "older": 7, "held": 0, "deleted": 0, "is_complete": True, "is_exact": False}
    assert oracle.compare(account.records(), outcome.snapshot) == []
    assert (refreshed.exit_code, oracle.compare([*older, new], refreshed.snapshot)) == (0, [])


@pytest.mark.usefixtures("without_models")
def test_a_sync_leaves_the_environment_of_its_process_as_it_was(account: Account, tmp_path: Path) -> None:
    """Otherwise, what it sets for dlt would decide where the next `load_settings` looks."""
    before = dict(os.environ)
    with DemoApi(account) as api:
        run_sync(settings_for(tmp_path, api.base_url))
    assert dict(os.environ) == before


@pytest.mark.usefixtures("without_models")
def test_settings_of_another_dlt_pipeline_do_not_reach_a_sync(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", "no_such_naming")
    monkeypatch.setenv("PURETALK__RESTORE_FROM_DESTINATION", "true")
    with DemoApi(account) as api:
        outcome = run_sync(settings_for(tmp_path, api.base_url))
    assert (outcome.exit_code, oracle.compare(account.records(), outcome.snapshot)) == (0, [])


def weather_the_storm(folder: Path, order: str, detail: str, window: int, *, seed: int, rounds: int) -> None:
    """At least `rounds` syncs in the storm, then one at rest and one more; every claim is checked after each. The storm
    lasts until it had each kind of change that fools a sync."""
    account = Witness(seed, assistants=40)
    storm = Storm(account, seed)
    with DemoApi(account, page_cap=5, order=order, detail=detail) as api:  # type: ignore[arg-type]
        settings = settings_for(folder, api.base_url, window=window)
        run_sync(settings)
        for number in count():
            if number >= rounds and all(storm.changes[kind] for kind in ("touch", "quiet", "swap")):
                break
            storm.force = (1.5, 0.2, 0.7)[number % 3]
            api.after_page = storm.strike
            outcome = run_sync(settings)
            api.after_page = None
            check_deletions(account, outcome)
        ever_seen = {row[0] for row in select(outcome.snapshot, "SELECT assistant_id FROM puretalk.assistants")}

        resting = run_sync(settings)
        assert (resting.exit_code, resting.run.notes) == (0, ())
        check_exact(account, resting, ever_seen)
        check_deletions(account, resting)
        check_history(account, resting, is_sequential=window == 1)

        quiet = run_sync(settings)
        assert (quiet.exit_code, quiet.run.rows_loaded, quiet.run.walks) == (0, 0, 1)
        check_exact(account, quiet, ever_seen)


def check_exact(account: Witness, outcome: SyncOutcome, ever_seen: set[str]) -> None:
    """0 missing, 0 extra, 0 stale, in every table."""
    records = account.records()
    gone = ever_seen - set(account.live_ids())
    assert oracle.compare(records, outcome.snapshot, deleted_ids=gone) == []
    assert oracle.compare_history(records, outcome.snapshot) == []


def check_deletions(account: Witness, outcome: SyncOutcome) -> None:
    """Every assistant with a deleted_at was missing from the account while the sync that wrote it ran."""
    rows = select(
        outcome.snapshot,
        """SELECT assistant_id, started_at, deleted_at FROM puretalk.assistants
           JOIN puretalk.sync_runs ON deleted_at BETWEEN started_at AND finished_at""",
    )
    [(deleted,)] = select(outcome.snapshot, "SELECT count(deleted_at) FROM puretalk.assistants")
    assert len(rows) == deleted
    assert [row for row in rows if not account.was_away(*row)] == []


def check_history(account: Witness, outcome: SyncOutcome, *, is_sequential: bool) -> None:
    """Each version is an answer that the API gave during the sync that wrote it; where answers came one at a time,
    every change that a walk saw has its version, in its order."""
    runs = select(outcome.snapshot, "SELECT started_at, finished_at FROM puretalk.sync_runs ORDER BY started_at")
    versions = select(
        outcome.snapshot,
        """SELECT assistant_id, observed_at, updated_at, config FROM puretalk.assistant_versions
           ORDER BY assistant_id, observed_at""",
    )
    answers: dict[str, list[Served]] = {}
    for answer in account.served:
        answers.setdefault(answer.assistant_id, []).append(answer)
    for assistant_id, life in groupby(versions, key=lambda version: version[0]):
        given = answers[assistant_id]
        looks: list[Look] = []
        for _, observed_at, updated_at, config in life:
            look = look_of_version(config, updated_at)
            [started_at] = [start for start, end in runs if start <= observed_at <= end]
            assert any(started_at <= one.at <= observed_at and one.look == look for one in given), (
                f"the API never served this version of {assistant_id}: {observed_at}"
            )
            if looks[-1:] != [look]:
                looks.append(look)
        if is_sequential:
            seen_on_pages = [look for look, _ in groupby(one.look for one in given if one.is_page)]
            assert is_subsequence(seen_on_pages, looks), f"a version of {assistant_id} was seen and not kept"


def is_subsequence(few: list[Look], many: list[Look]) -> bool:
    """Whether `many` holds all of `few`, in this order."""
    rest = iter(many)
    return all(one in rest for one in few)
