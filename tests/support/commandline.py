"""The command line as a real process, as a scheduler starts it: its own environment, another folder, no terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from support.forking import fork

from puretalk.cli.commands import main, run
from puretalk.demo import DemoApi
from puretalk.models import build

PURETALK = str(Path(sys.executable).parent / "puretalk")

#: What coverage needs to follow a process that is started with an environment of its own; empty when it does not run.
MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}


@dataclass(frozen=True)
class Ended:
    """How a command ended. `message` is what it said to stderr, line by line."""

    exit_code: int
    output: str
    error: str

    @property
    def message(self) -> list[str]:
        return self.error.splitlines()

    def json(self) -> Any:
        return json.loads(self.output)


@dataclass(frozen=True)
class CommandLine:
    """`puretalk …` with a data directory and an API. `has_models` is for tests whose claim is not about models: without
    them a sync takes half the time."""

    data_dir: Path
    home: Path
    api: DemoApi | None = None
    has_models: bool = True

    def environment(self, **more: str) -> dict[str, str]:
        environment = MEASURED | {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PURETALK_DATA_DIR": str(self.data_dir),
            "PURETALK_RETRY_BUDGET": "1",
            "COLUMNS": "200",
        }
        if self.api is not None:
            environment |= {"PURETALK_BASE_URL": self.api.base_url, "PURETALK_API_KEY": self.api.key}
        return environment | more

    def __call__(self, *arguments: str, timeout: float = 120, **more: str) -> Ended:
        """Run it in a process that is forked, which takes a second less than starting one."""
        environment = self.environment(**more)
        entry = "puretalk.cli:run" if self.has_models else "support.commandline:run_without_models"
        with open(os.devnull) as stdin, tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as error:
            process = fork(entry, [PURETALK, *arguments], environment, stdin, output, error)
            exit_code = process.wait(timeout)
            for stream in (output, error):
                stream.seek(0)
            return Ended(exit_code, output.read(), error.read())

    def as_installed(self, *arguments: str, timeout: float = 120, **more: str) -> Ended:
        """The same with the installed script: it also shows what starting and importing would say."""
        ended = subprocess.run(
            [PURETALK, *arguments],
            env=self.environment(**more),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def in_this_process(self, *arguments: str, stdin: str | bytes = "", **more: str) -> Ended:
        """The same without a process of its own, which would take a second to start: for commands that only read."""
        with contextlib.chdir("/"):
            ended = CliRunner(catch_exceptions=False).invoke(main, arguments, stdin, env=self.environment(**more))
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def forked_on_a_terminal(self, *arguments: str, **more: str) -> Ended:
        """The same as `on_a_terminal` for who types nothing, in a process that is forked."""
        controller, terminal = pty.openpty()
        environment = self.environment(**{"TERM": "dumb", "COLUMNS": "100", "LINES": "30", "PAGER": "cat", **more})
        with open(terminal, "r+b", buffering=0) as stream:
            process = fork("puretalk.cli:run", [PURETALK, *arguments], environment, stream, stream, stream)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(controller, 65536):
                shown += part
        os.close(controller)
        return Ended(process.wait(120), shown.decode().replace("\r\n", "\n"), "")

    def on_a_terminal(self, *arguments: str, typed: str = "", **more: str) -> Ended:
        """The same on a terminal of 100 columns and 30 lines; `output` is what the person sees, line ends as `\\n`."""
        controller, terminal = pty.openpty()
        environment = self.environment(**{"TERM": "dumb", "COLUMNS": "100", "LINES": "30", **more})
        process = subprocess.Popen(
            [PURETALK, *arguments], env=environment, cwd="/", stdin=terminal, stdout=terminal, stderr=terminal
        )
        os.close(terminal)
        os.write(controller, typed.encode())
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so when the last one closed the terminal
            while part := os.read(controller, 65536):
                shown += part
        os.close(controller)
        return Ended(process.wait(120), shown.decode().replace("\r\n", "\n"), "")


def run_without_models() -> None:
    """The installed script, but a sync builds no models."""
    vars(build).update(build_models=lambda *_, **__: None)
    run()
