"""Claims about a wrong clock: it is said at once, with the repair, and a right clock is said nothing about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.sync import account as account_reader
from puretalk.sync.clock import find_clock_faults
from puretalk.sync.run import run_rollback, run_sync

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SPAN = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (SPAN, None),
        (-SPAN, None),
        (None, None),
        (timedelta(minutes=6), "6 minutes ahead of"),
        (timedelta(hours=-7), "7 hours behind"),
        (timedelta(days=3000), "3000 days ahead of"),
    ],
)
def test_a_clock_that_differs_from_the_api_s_is_said(offset: timedelta | None, said: str | None) -> None:
    faults = find_clock_faults(NOW, offset=offset, newest=NOW)
    expected = [f"this machine's clock (2026-11-28 12:00 UTC) is {said} the API's"] if said else []
    assert [fault.partition(": ")[0] for fault in faults] == expected


def test_times_from_the_future_are_said_as_long_as_they_are_in_the_warehouse() -> None:
    assert find_clock_faults(NOW, offset=None, newest=NOW + SPAN) == ()
    [fault] = find_clock_faults(NOW, offset=None, newest=NOW + timedelta(days=3650))
    assert fault.startswith("the warehouse holds times up to 2036-11-25 12:00 UTC, and this machine's clock says 2026")
    assert "`puretalk rollback`" in fault


@pytest.mark.slow
def test_a_run_with_a_wrong_clock_says_so_and_so_do_the_next_ones_until_it_is_rolled_back(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_models(monkeypatch)
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        before = run_sync(settings)
        assert before.warnings == ()
        account.edit(account.live_ids()[0], name="New")
        api.date_offset = -9 * 365 * 86400
        with monkeypatch.context() as wrong:
            wrong.setattr(account_reader, "datetime", InNineYears)
            run_sync(settings)
        api.date_offset = 0
        later = run_sync(settings)
        assert (later.exit_code, later.run.rows_loaded) == (0, 0)
        [warning] = later.warnings
        assert warning.startswith("the warehouse holds times up to 2035-")
        run_rollback(settings, before.snapshot_id)
        repaired = run_sync(settings)
    assert (repaired.warnings, repaired.run.changed) == ((), 1)
    [(newest,)] = select(repaired.snapshot, "SELECT max(observed_at) FROM main.assistant_versions")
    assert abs(newest - datetime.now(UTC)) < SPAN


@pytest.mark.slow
def test_the_api_s_date_is_a_witness_against_this_machine_s_clock(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_models(monkeypatch)
    with DemoApi(account, date_offset=-86400 * 100) as api:
        [warning] = run_sync(settings_for(tmp_path, api.base_url)).warnings
    assert "is 100 days ahead of the API's: this run has wrong times" in warning


class InNineYears(datetime):
    """A machine's clock that is nine years ahead."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        assert tz is UTC
        return datetime.now(UTC) + timedelta(days=9 * 365)
