"""Claims about the times of a sync: its row of sync_runs holds them, and completing the row touches no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.listener import Listener, Step, StepTimer
from puretalk.sync.run import SyncOutcome, run_sync

pytestmark = pytest.mark.slow

PARTS = ("walk_seconds", "load_seconds", "models_seconds", "checks_seconds")
TIMES = (*PARTS, "total_seconds")
#: Times are stored in milliseconds: five of them may be wrong by half of one each.
ROUNDING = 0.0025


def times_of(database: Path, run_id: str, names: tuple[str, ...] = TIMES) -> tuple[Any, ...]:
    [row] = select(database, f"SELECT {', '.join(names)} FROM puretalk.sync_runs WHERE run_id = '{run_id}'")
    return row


def check_times(outcome: SyncOutcome) -> None:
    """The published row is that of the outcome, and its parts do not exceed the whole."""
    times = times_of(outcome.snapshot, outcome.run.run_id)
    assert times == tuple(getattr(outcome.run, name) for name in TIMES)
    assert all(seconds >= 0 for seconds in times)
    assert sum(times[:-1]) <= times[-1] + ROUNDING
    assert times[-1] <= outcome.seconds + ROUNDING


def test_every_sync_publishes_its_times_and_the_mart_shows_them(tmp_path: Path, account: Account, api: DemoApi) -> None:
    settings = settings_for(tmp_path, api.base_url)
    first = run_sync(settings)
    check_times(first)
    account.edit(account.live_ids()[0], prompt="Say yes.")
    second = run_sync(settings)
    check_times(second)
    quiet = run_sync(settings)
    check_times(quiet)
    health = select(
        quiet.snapshot, f"SELECT is_quiet, {', '.join(TIMES)} FROM marts.rpt_sync_health ORDER BY started_at"
    )
    assert health == [
        (False, *times_of(quiet.snapshot, first.run.run_id)),
        (False, *times_of(quiet.snapshot, second.run.run_id)),
        (True, *times_of(quiet.snapshot, quiet.run.run_id)),
    ]


@pytest.mark.parametrize("is_quiet", [True, False])
def test_a_sync_adds_times_to_its_own_row_only(
    synced_data: Path, account: Account, api: DemoApi, monkeypatch: pytest.MonkeyPatch, is_quiet: bool
) -> None:
    skip_models(monkeypatch)
    settings = settings_for(synced_data.parent, api.base_url)
    [before] = select(synced_data / "puretalk.duckdb", "SELECT * FROM main.sync_runs")
    if not is_quiet:
        account.edit(account.live_ids()[0], prompt="Say yes.")
    second = run_sync(settings)
    assert (second.run.rows_loaded == 0) == is_quiet
    rows = select(second.snapshot, "SELECT * FROM main.sync_runs ORDER BY run_id")
    assert (len(rows), rows[0]) == (2, before)
    assert None not in times_of(second.snapshot, second.run.run_id, ("walk_seconds", "load_seconds", "total_seconds"))


def test_a_sync_announces_the_walk_the_load_the_models_and_the_checks_in_this_order(
    synced_data: Path, account: Account, api: DemoApi
) -> None:
    account.edit(account.live_ids()[0], prompt="Say yes.")
    steps: list[Step] = []

    class Hears(Listener):
        def on_step(self, step: Step) -> None:
            steps.append(step)

    run_sync(settings_for(synced_data.parent, api.base_url), listener=Hears())
    named = [step for step in steps if step in (Step.WALK, Step.LOAD, Step.MODELS, Step.CHECKS, Step.SEAL)]
    assert named == [Step.WALK, Step.LOAD, Step.MODELS, Step.CHECKS, Step.SEAL]


def test_a_timer_passes_on_what_it_hears_and_adds_up_steps_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []

    class Hears(Listener):
        def on_step(self, step: Step) -> None:
            heard.append(step)

        def on_page(self, pages: int, expected: int) -> None:
            heard.append((pages, expected))

        def on_retry(self, reason: str, seconds: float) -> None:
            heard.append((reason, seconds))

    moments = iter((0.0, 1.0, 3.0, 7.0, 15.0, 31.0))
    monkeypatch.setattr("puretalk.listener.time.monotonic", lambda: next(moments))
    timer = StepTimer(Hears())
    for step in (Step.WALK, Step.LOAD, Step.WALK):
        timer.on_step(step)
    timer.on_page(2, 3)
    timer.on_retry("HTTP 503", 1.5)
    assert heard == [Step.WALK, Step.LOAD, Step.WALK, (2, 3), ("HTTP 503", 1.5)]
    assert timer.end_step() == 8.0
    assert timer.durations == {Step.START: 1.0, Step.WALK: 10.0, Step.LOAD: 4.0}
    timer.on_step(Step.SEAL)
    assert timer.durations == {Step.START: 1.0, Step.WALK: 26.0, Step.LOAD: 4.0}
