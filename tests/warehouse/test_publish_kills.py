"""Claims about `kill -9` at every step that publishing announces: the list of steps is taken from a run.

test_crash.py kills whole syncs, also inside dlt; here a new step needs no new test. Run as a script, this file forks a
process that publishes and dies for each line `[DATA_DIR, STEP]` that comes in, and answers with its status.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.crash_child import MOMENTS, OF_MODELS
from support.publishing import Steps, count_rows, find_leftovers, publish_rows
from support.storm import settings_for, skip_models

from puretalk.demo import DemoApi
from puretalk.listener import Listener, Step
from puretalk.sync.run import run_sync
from puretalk.warehouse import work_file as warehouse_module
from puretalk.warehouse.work_file import Warehouse

pytestmark = pytest.mark.slow

ROWS = 5
TESTS = str(Path(__file__).parents[1])


@contextmanager
def deadly_publishes() -> Iterator[subprocess.Popen[str]]:
    """The process that forks: importing takes longer than publishing."""
    environment = os.environ | {"PYTHONPATH": TESTS}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, __file__], env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def publish_and_die(process: subprocess.Popen[str], data_dir: Path, step: str) -> int:
    """Publish in a process of its own that kills itself at the step; gives its exit status."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{json.dumps([str(data_dir), step])}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def compacting(data_dir: Path) -> Warehouse:
    """A warehouse that compacts each time, so that this step happens too."""
    warehouse_module._COMPACT_SIZE, warehouse_module._COMPACT_SHARE = 0, -1.0
    data_dir.mkdir(exist_ok=True)
    return Warehouse(data_dir)


@pytest.fixture
def _as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_COMPACT_SIZE", "_COMPACT_SHARE"):
        monkeypatch.setattr(warehouse_module, name, getattr(warehouse_module, name))


@pytest.mark.usefixtures("_as_usual")
@pytest.mark.parametrize("is_first", [False, pytest.param(True, marks=pytest.mark.storm)])
def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, is_first: bool) -> None:
    steps = Steps()
    for _ in range(1 if is_first else 2):  # only a later one has something to carry over
        publish_rows(compacting(tmp_path / "rehearsal"), ROWS, listener=steps)
    steps = Steps(dict.fromkeys(steps))
    assert {"work: copy", "compact", "publish: swap", "publish: seal"} <= {*steps}
    warehouse = compacting(tmp_path / "data")
    rows = 0
    with deadly_publishes() as publishes:
        for step in steps:
            if is_first:
                warehouse = compacting(tmp_path / step.replace(": ", "-"))
                rows = 0
            status = publish_and_die(publishes, warehouse.data_dir, step)
            assert status == -signal.SIGKILL, f"nothing comes to {step!r}"
            if warehouse.snapshots.current() is not None:
                _, seen, _ = count_rows(warehouse.snapshots.published)
                assert seen in (rows, rows + ROWS)
                rows = seen
            else:
                assert rows == 0, f"killed at {step!r}, the snapshot is gone"
            publish_rows(warehouse, ROWS)
            rows += ROWS
            assert count_rows(warehouse.snapshots.published)[1] == rows
            assert find_leftovers(warehouse.data_dir) == [], f"killed at {step!r}"


def test_every_step_of_a_sync_is_among_the_moments_at_which_syncs_are_killed(
    tmp_path: Path, api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_models(monkeypatch)
    steps = Steps()
    for _ in range(2):
        run_sync(settings_for(tmp_path, api.base_url), listener=steps)
    assert {*steps} - {*MOMENTS} <= {*OF_MODELS}


def _serve() -> None:
    for line in sys.stdin:
        data_dir, moment = json.loads(line)
        process_id = os.fork()
        if process_id == 0:
            try:
                _publish_and_die(Path(data_dir), moment)
            finally:
                os._exit(1)
        _, status = os.waitpid(process_id, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _publish_and_die(data_dir: Path, moment: str) -> None:
    class Deadly(Listener):
        def on_step(self, step: Step) -> None:
            if step == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    publish_rows(compacting(data_dir), ROWS, listener=Deadly())


if __name__ == "__main__":
    _serve()
