"""A run as the person at the terminal sees it, and how a signal ends it.

The work is done in a thread of its own: dlt would otherwise catch the signals and finish its work first. As the
published snapshot is the only state, a run may be ended at any moment; only the swap of the link itself is waited for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from puretalk.cli.messages import print_failure
from puretalk.listener import Step, StepTimer
from puretalk.settings import Settings
from puretalk.warehouse.lock import forget_holder
from puretalk.warehouse.snapshots import SnapshotStore, swap_guard

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_log = logging.getLogger("puretalk.run")

Result = TypeVar("Result")
_WORDS = {
    Step.START: "waiting to start",
    Step.SWEEP: "preparing",
    Step.COPY: "preparing",
    Step.CARRY_OVER: "carrying over an older warehouse",
    Step.WALK: "reading the account",
    Step.LOAD: "loading",
    Step.MODELS: "building the models",
    Step.CHECKS: "running the checks",
    Step.SEAL: "sealing",
}


class Progress(StepTimer):
    """A listener of `run_sync`: a bar on a terminal, nothing elsewhere."""

    def __init__(self, settings: Settings, *, has_bar: bool = True) -> None:
        super().__init__()
        self._settings = settings
        self._bar = _make_bar() if has_bar and sys.stderr.isatty() else None
        self._task = self._bar.add_task("starting", total=None) if self._bar else None
        self._before: str | None = None
        self.on_stop: Callable[[str, int], None] = lambda _message, _exit_code: None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def on_step(self, step: Step) -> None:
        """Show the step."""
        super().on_step(step)
        if self._bar and self._task is not None:
            self._bar.refresh()  # a short walk would never be seen complete
            self._bar.reset(self._task, total=None, description=_WORDS.get(step, "publishing"))

    def end_step(self) -> float:
        """Log the time of the step that is over."""
        seconds = super().end_step()
        _log.info("%s took %.3f s", self._step, seconds)
        return seconds

    def on_page(self, pages: int, expected: int) -> None:
        """Move the bar."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=pages, total=expected)

    def on_retry(self, reason: str, seconds: float) -> None:
        """Say why it takes longer; the next page overwrites it."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=f"{reason}, asking again in {seconds:.0f} s")

    def run(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, which a SIGINT or SIGTERM ends at once, cleanly and with a message."""
        self._before = _read_link(self._settings)
        result: Future[Result] = Future()

        def target() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001  (it is raised again in the main thread)
                result.set_exception(error)

        former = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            thread = threading.Thread(target=target, name="puretalk", daemon=True)
            thread.start()
            while thread.is_alive():
                thread.join(0.2)  # a signal that the kernel gave to another thread does not interrupt a wait
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        return result.result()

    def _stop(self, number: int, _frame: FrameType | None) -> Any:
        """End the process. The kernel releases the lock; the work folder is private, so it is removed."""
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # a second signal must not interrupt this
        swap_guard.acquire()
        if self._bar:
            self._bar.stop()
        published = _read_link(self._settings) != self._before
        _remove_work(self._settings.data_dir / "work")
        forget_holder(self._settings.data_dir)
        name, exit_code = signal.Signals(number).name, 128 + number
        state = (
            "the new snapshot was already published"
            if published
            else "nothing was published; readers get the same snapshot as before"
        )
        print_failure(
            f"stopped by {name} while {_WORDS.get(self._step, 'publishing')}",
            f"{state}.",
            "run the same command again whenever you like; there is nothing to repair.",
            exit_code,
        )
        sys.stderr.flush()
        self.on_stop(f"stopped by {name}; {state}", exit_code)
        os._exit(exit_code)


def _make_bar() -> Bar:
    """The bar on a terminal. Its library takes a while to import, and a scheduled run shows no bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _read_link(settings: Settings) -> str | None:
    published = SnapshotStore(settings.data_dir).published
    return os.readlink(published) if published.is_symlink() else None


def _remove_work(folder: Path) -> None:
    """Remove the work folder of this process, and of no other: it may only have waited for the lock. The thread is
    still writing into it, so once may not be enough; what is left all the same is swept by the next run."""
    if folder.is_symlink():
        return
    own = folder / f"{os.getpid()}"
    for _ in range(20):
        shutil.rmtree(own, ignore_errors=True)
        if not own.exists():
            break
    with contextlib.suppress(OSError):
        folder.rmdir()
