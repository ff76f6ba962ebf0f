"""Who wants to know how a run goes on: its steps, the pages that arrive, the requests that are repeated."""

from __future__ import annotations

import time
from enum import StrEnum


class Step(StrEnum):
    """A step of a run, announced before it is taken. The value is its name in the run log."""

    START = "start"
    SWEEP = "work: sweep"
    COPY = "work: copy"
    CARRY_OVER = "work: carry over"
    FORGET = "forget"
    WALK = "walk"
    LOAD = "load"
    MODELS = "models"
    CHECKS = "checks"
    SEAL = "seal"
    COMPACT = "compact"
    PUBLISH_SYNC = "publish: sync"
    PUBLISH_MOVE = "publish: move"
    PUBLISH_VERIFY = "publish: verify"
    PUBLISH_SWAP = "publish: swap"
    PUBLISH_SEAL = "publish: seal"
    PUBLISH_DONE = "publish: done"


class Listener:
    """Does nothing; override what you want to hear. Its methods are called from several threads."""

    def on_step(self, step: Step) -> None:
        """A step begins."""

    def on_page(self, pages: int, expected: int) -> None:
        """A page arrived: pages received in this walk so far, and pages expected."""

    def on_retry(self, reason: str, seconds: float) -> None:
        """A request will be repeated after so many seconds."""


#: For callers who do not listen.
SILENT = Listener()


class StepTimer(Listener):
    """Takes the time of each step and passes on what it hears. The first step, START, begins when the timer is made.

    `durations`: wall seconds by step, of the steps that are over."""

    def __init__(self, listener: Listener = SILENT) -> None:
        self.durations: dict[Step, float] = {}
        self._listener = listener
        self._step, self._since = Step.START, time.monotonic()

    def end_step(self) -> float:
        """The step that was announced last is over; returns the wall seconds that it took."""
        moment = time.monotonic()
        seconds = moment - self._since
        self.durations[self._step] = self.durations.get(self._step, 0.0) + seconds
        self._since = moment
        return seconds

    def on_step(self, step: Step) -> None:
        self.end_step()
        self._step = step
        self._listener.on_step(step)

    def on_page(self, pages: int, expected: int) -> None:
        self._listener.on_page(pages, expected)

    def on_retry(self, reason: str, seconds: float) -> None:
        self._listener.on_retry(reason, seconds)
