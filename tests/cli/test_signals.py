"""Claims about SIGINT and SIGTERM: whenever they come, the run ends at once, says what is published, leaves nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.publishing import count_rows, find_leftovers
from support.stepping import SteppedRun
from support.storm import settings_for

from puretalk.demo import Account, Asked, DemoApi
from puretalk.sync.run import run_sync
from puretalk.warehouse.lock import hold_lock

pytestmark = pytest.mark.slow

#: Seconds that a run may take to end.
QUICKLY = 2.0
MORE = "More: docs/operations.md (exit code {})"
AGAIN = "Do: run the same command again whenever you like; there is nothing to repair."
NOTHING = "State: nothing was published; readers get the same snapshot as before."

#: Where a run is stopped, and what it says that it was at.
BEFORE_THE_SWAP = {
    "work: copy": "preparing",
    "walk": "reading the account",
    "load": "loading",
    "models": "building the models",
    "checks": "running the checks",
    "seal": "sealing",
    "publish: verify": "publishing",
}


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(assistants=4)


@pytest.fixture(scope="module")
def api(account: Account) -> Iterator[DemoApi]:
    with DemoApi(account) as api:
        yield api


@pytest.fixture(scope="module")
def data_dir(account: Account, api: DemoApi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that has been synced once, and an account that has changed since."""
    folder = tmp_path_factory.mktemp("signals")
    run_sync(settings_for(folder, api.base_url))
    account.edit(account.live_ids()[0], prompt="Be kind.")
    return folder / "data"


def stop(run: SteppedRun, number: int, *, lets_go: bool = False) -> tuple[int, list[str]]:
    """Send the signal and see the run end in time."""
    run.process.send_signal(number)
    started = time.monotonic()
    if lets_go:
        run.go_on()
    else:
        run.process.wait(timeout=60)  # before its stdin is closed, which would let it go on
    exit_code, message = run.end()
    assert time.monotonic() - started < QUICKLY
    return exit_code, message


@pytest.mark.parametrize("step", BEFORE_THE_SWAP)
def test_a_stopped_run_publishes_nothing_and_leaves_nothing(data_dir: Path, api: DemoApi, step: str) -> None:
    before = count_rows(data_dir / "puretalk.duckdb")
    number = signal.SIGINT if step in ("walk", "seal") else signal.SIGTERM
    exit_code, message = stop(SteppedRun(step, "sync", data_dir=data_dir, api=api), number)
    assert (exit_code, message) == (
        128 + number,
        [
            f"puretalk: stopped by {number.name} while {BEFORE_THE_SWAP[step]}.",
            NOTHING,
            AGAIN,
            MORE.format(128 + number),
        ],
    )
    assert count_rows(data_dir / "puretalk.duckdb") == before
    with hold_lock(data_dir, "test"):
        assert not (data_dir / "work").exists()


def test_a_run_that_waits_for_the_api_stops_at_once(data_dir: Path, api: DemoApi) -> None:
    asked = threading.Event()

    def note(_asked: Asked) -> bool:
        asked.set()
        return True

    api.fail("hang", when=note)
    run = SteppedRun("walk", "sync", data_dir=data_dir, api=api)
    run.go_on()
    assert asked.wait(30)
    exit_code, message = stop(run, signal.SIGTERM)
    assert (exit_code, message[1]) == (143, NOTHING)
    assert not (data_dir / "work").exists()


def test_the_swap_is_waited_for_and_said(data_dir: Path, account: Account, api: DemoApi) -> None:
    """Also: a second signal, of somebody impatient, changes nothing."""
    run = SteppedRun("publish: seal", "sync", data_dir=data_dir, api=api)
    run.process.send_signal(signal.SIGINT)
    exit_code, message = stop(run, signal.SIGINT, lets_go=True)
    assert (exit_code, message) == (
        130,
        [
            "puretalk: stopped by SIGINT while publishing.",
            "State: the new snapshot was already published.",
            AGAIN,
            MORE.format(130),
        ],
    )
    assert oracle.compare(account.records(), data_dir / "puretalk.duckdb") == []
    assert find_leftovers(data_dir) == []


def test_a_run_that_waits_for_the_lock_leaves_the_other_ones_work_alone(data_dir: Path, api: DemoApi) -> None:
    other = SteppedRun("seal", "sync", data_dir=data_dir, api=api)
    work = sorted((data_dir / "work").rglob("*"))
    waiting = SteppedRun("lock", "sync", "--wait", "60", data_dir=data_dir, api=api)
    waiting.go_on()
    exit_code, message = stop(waiting, signal.SIGTERM)
    assert (exit_code, message[1]) == (143, NOTHING)
    assert sorted((data_dir / "work").rglob("*")) == work
    other.go_on()
    assert other.end() == (0, [])


def test_the_next_sync_is_exact(data_dir: Path, account: Account, api: DemoApi) -> None:
    run_sync(settings_for(data_dir.parent, api.base_url))
    assert oracle.compare(account.records(), data_dir / "puretalk.duckdb") == []
    assert find_leftovers(data_dir) == []
