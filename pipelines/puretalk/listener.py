"""Who wants to know how a run goes on: its steps, the pages that arrive, the requests that are repeated."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """A step of a run, announced before it is taken. The value is its name in the run log."""

    START = "start"
    SWEEP = "work: sweep"
    COPY = "work: copy"
    CARRY_OVER = "work: carry over"
    LOAD = "load"
    MODELS = "models"
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
