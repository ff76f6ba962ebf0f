"""What a command costs as a whole process, and the account server as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.sync.account_server import Phase

TESTS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """Wall seconds; CPU seconds, user and system; the most memory that the process or one of its children held, in
    MB of 10^6 bytes. CPU and memory include the children that the process waited for. Linux counts the memory of the
    process that starts the command too, so this one stays small: it imports neither dlt nor duckdb."""

    wall: float
    cpu: float
    peak: float


class CommandFailedError(Exception):
    """A command that is measured did not exit with 0."""


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Cost:
    """Run the command in `folder`, its output in `log`. Raises CommandFailedError with the end of that output."""
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandFailedError(f"{' '.join(command)} exited with {process.returncode}:\n{said}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


class ServerProcess:
    """The account server; it is ready when the constructor returns, and `with` ends it."""

    def __init__(self, assistants: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sync.account_server", str(assistants)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().strip()
        if not self.base_url:
            raise CommandFailedError(f"the account server exited with {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()  # closes its input, with which it ends

    def set(self, phase: Phase, latency: float) -> None:
        """What it serves from now on; `latency` in milliseconds before each answer."""
        with urllib.request.urlopen(f"{self.base_url.removesuffix('/api')}/set?phase={phase}&latency={latency}"):
            pass
