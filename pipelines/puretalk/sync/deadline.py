"""How long a run may take. A run that never ends would hold the lock, and every later run would find it at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from puretalk.errors import RetryLaterError

#: Seconds between two interrupts of a connection whose run is overdue: one that comes between two statements is lost.
_PAUSE = 0.2


@dataclass(frozen=True)
class Deadline:
    """The end of a run's time: `seconds` after `started_at` (monotonic clock); 0 seconds: no end."""

    seconds: float
    started_at: float = field(default_factory=time.monotonic)

    @property
    def remaining(self) -> float | None:
        """Seconds that are left, not below 0; None without an end."""
        return max(self.started_at + self.seconds - time.monotonic(), 0.0) if self.seconds else None

    @contextmanager
    def limit(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt what runs on the connection once the time is over; raise RetryLaterError for what then fails."""
        is_done = threading.Event()

        def watch() -> None:
            is_done.wait(self.remaining)
            while not is_done.wait(_PAUSE):
                connection.interrupt()

        watcher = threading.Thread(target=watch, daemon=True)
        if self.seconds:
            watcher.start()
        try:
            yield
        except Exception as error:
            if self.remaining == 0:
                raise RetryLaterError(
                    f"the run was stopped after {self.seconds:g} seconds (run_deadline)",
                    action="Nothing needs repair, and the next run starts over. If it happens again, `puretalk sync "
                    "-v` says which step takes so long; then raise run_deadline.",
                ) from error
            raise
        finally:
            is_done.set()
            if self.seconds:
                watcher.join()
