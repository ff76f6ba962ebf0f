"""Claims about the lock: one run at a time, who holds it and since when; it is free after its holder died."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.stepping import SteppedRun
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import WarehouseBusyError, WarehouseError
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import run_sync
from puretalk.warehouse.lock import hold_lock

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Iterator[DemoApi]:
    with DemoApi(Account(assistants=2)) as api:
        yield api


def test_a_second_run_ends_at_once_and_says_who_holds_the_lock_since_when(tmp_path: Path, api: DemoApi) -> None:
    data_dir = tmp_path / "data"
    holder = SteppedRun("work: copy", "sync", data_dir=data_dir, api=api)
    second = SteppedRun("lock", "sync", data_dir=data_dir, api=api)
    started = time.monotonic()
    second.go_on()
    exit_code, message = second.end()
    assert (exit_code, time.monotonic() - started < 2) == (7, True)
    pattern = (
        rf"puretalk: another run is at work: `puretalk sync` with process id {holder.process.pid}, since (.{{19}}Z)\."
    )
    told = re.fullmatch(pattern, message[0])
    assert told, message[0]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(told[1])).total_seconds()) < 120
    assert message[1:] == [
        "State: nothing has been published yet; nothing was changed.",
        "Do: Nothing to do: the other run will publish. `--wait SECONDS` waits for it.",
        "More: docs/operations.md (exit code 7)",
    ]
    with pytest.raises(WarehouseBusyError):  # in one process, too
        run_sync(settings_for(tmp_path, api.base_url))

    waiting = SteppedRun("lock", "sync", "--wait", "60", data_dir=data_dir, api=api)
    waiting.go_on()
    holder.go_on()
    assert holder.end() == (0, [])
    assert waiting.end() == (0, [])
    assert {path.name for path in data_dir.iterdir()} - {"logs"} == {"puretalk.duckdb", "snapshots", "sync.lock"}


def test_waiting_ends_when_the_time_is_up(tmp_path: Path, api: DemoApi) -> None:
    with hold_lock(tmp_path / "data", "rollback"):
        started = time.monotonic()
        with pytest.raises(WarehouseBusyError, match="`puretalk rollback` with process id"):
            run_sync(settings_for(tmp_path, api.base_url), SyncOptions(wait=0.3))
        assert 0.3 <= time.monotonic() - started < 5


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path, api: DemoApi) -> None:
    data_dir = tmp_path / "data"
    holder = SteppedRun("work: copy", "sync", data_dir=data_dir, api=api)
    holder.process.kill()
    assert holder.end() == (-9, [])
    assert json.loads((data_dir / "sync.holder.json").read_text())["pid"] == holder.process.pid
    with hold_lock(data_dir, "test"):
        assert json.loads((data_dir / "sync.holder.json").read_text())["pid"] == os.getpid()
    assert not (data_dir / "sync.holder.json").exists()


def test_a_lock_that_cannot_be_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sync.lock").mkdir()
    with (
        pytest.raises(WarehouseError, match=r"the lock .*sync\.lock cannot be taken"),
        hold_lock(tmp_path / "data", "sync"),
    ):
        pass
