"""The real command line, held at the beginning of one step of a run: `python stepping.py STEP puretalk-arguments…`

Says the step when it gets there, and goes on when a line comes in. A test acts in between. The step "lock" comes before
all others: it is about to take the lock. Models are built only in a run that is held at their step or at that of the
checks: no other test that steps looks at them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.forking import ForkedProcess, fork

from puretalk.cli.commands import main
from puretalk.cli.progress import Progress
from puretalk.demo import DemoApi
from puretalk.listener import Step
from puretalk.sync import run as sync
from puretalk.warehouse.lock import hold_lock as hold


class SteppedRun:
    """`puretalk …` in a process of its own that has come to `step`. `prefix` is a command that runs it."""

    def __init__(
        self,
        step: str,
        *arguments: str,
        data_dir: Path,
        api: DemoApi,
        prefix: tuple[str, ...] = (),
        timeout: float = 120,
    ) -> None:
        self._timeout = timeout
        environment = {
            **os.environ,
            "PURETALK_DATA_DIR": str(data_dir),
            "PURETALK_BASE_URL": api.base_url,
            "PURETALK_API_KEY": api.key,
            "PURETALK_RETRY_BUDGET": "1",
        }
        self._files = ExitStack()
        self._error = self._files.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115  (`end` closes it)
        (its_input, our_input), (our_output, its_output) = os.pipe(), os.pipe()
        self._input = self._files.enter_context(os.fdopen(our_input, "w"))
        self._output = self._files.enter_context(os.fdopen(our_output))
        streams = (its_input, its_output, self._error)
        self.process: subprocess.Popen[bytes] | ForkedProcess
        if prefix:
            command = [*prefix, sys.executable, __file__, step, *arguments]
            environment["PYTHONPATH"] = str(Path(__file__).parents[1])
            stdin, stdout, stderr = streams
            self.process = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr)
        else:
            self.process = fork("support.stepping:run", ["puretalk", step, *arguments], environment, *streams)
        os.close(its_input)
        os.close(its_output)
        said = self._output.readline().strip()
        if said != step:
            raise AssertionError(f"it never came to {step!r}: {self.end()[1]}")

    def go_on(self) -> None:
        """Let it take the step."""
        self._input.write("\n")
        self._input.flush()

    def end(self) -> tuple[int, list[str]]:
        """Its exit code and the lines that it wrote to stderr, when it has ended."""
        with self._files:
            self._input.close()
            exit_code = self.process.wait(timeout=self._timeout)
            self._error.seek(0)
            return exit_code, self._error.read().splitlines()


def run() -> None:
    """The script."""
    held = sys.argv.pop(1)
    take = Progress.on_step

    def pause(name: str) -> None:
        if name == held:
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()
            sys.stdin.readline()

    def on_step(progress: Progress, step: Step) -> None:
        take(progress, step)
        if step is Step.LOAD and held not in (Step.MODELS, Step.CHECKS):
            from puretalk.models import build

            vars(build).update(build_models=lambda *_, **__: None)
        pause(step)

    def hold_lock(*arguments: Any, **options: Any) -> Any:
        pause("lock")
        return hold(*arguments, **options)

    Progress.on_step = on_step  # type: ignore[method-assign, assignment]
    vars(sync).update(hold_lock=hold_lock)
    main()


if __name__ == "__main__":
    run()
