"""Claims about the memory of a sync. Bounds leave room for other versions of libraries; `make bench` measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import PURETALK, CommandLine
from support.storm import settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.listener import Listener, Step
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

#: Runs a command, and prints the most memory that it held, in MB. Linux counts the memory of the process that starts a
#: command too, and the process of these tests is large.
_MEASURE = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(usage.ru_maxrss * 1024 / 1e6)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def large_account(assistants: int, characters: int) -> Account:
    """Assistants whose prompts differ, and do not compress to nothing."""
    account = Account(empty=True)
    for number in range(assistants):
        words = " ".join(f"{(number * 7919 + place * 104729) % 999983:x}" for place in range(characters // 6))
        account.create(name=f"Assistant {number}", prompt=words, llm_states=[], variables=[])
    return account


def test_records_of_100_kilobytes_need_no_more_memory_than_a_bound(tmp_path: Path) -> None:
    with DemoApi(large_account(assistants=450, characters=100_000)) as api:
        environment = CommandLine(tmp_path / "data", tmp_path, api).environment()
        command = [sys.executable, "-c", _MEASURE, PURETALK, "sync"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) < 900


def test_what_is_loaded_goes_into_the_work_file_and_does_not_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_models(monkeypatch)
    logs: list[int] = []

    class Watch(Listener):
        def on_step(self, step: Step) -> None:
            if step is Step.MODELS:
                logs.extend(path.stat().st_size for path in tmp_path.glob("**/work/*/*.wal"))

    with DemoApi(large_account(assistants=150, characters=400_000)) as api:
        run_sync(settings_for(tmp_path, api.base_url), listener=Watch())
    assert sum(logs) < 2**26  # of 120 MB
