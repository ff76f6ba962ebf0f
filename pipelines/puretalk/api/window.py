"""How many requests may be in flight at once: never more than the setting, fewer while the API is under strain.

Three rules:

- **A 429 halves the size** (additive increase, multiplicative decrease, as in TCP). Answers to requests that were sent
  before the size last fell change nothing, so a burst of 429s halves it once.
- **Rising latency shrinks it** by the gradient rule of Netflix's concurrency-limits and Envoy's adaptive concurrency:
  size × SLOW × lowest latency / latency now, at least half. If requests take longer because they wait for each other,
  this is the size at which they take SLOW times the lowest latency; the rule need not know how fast the API is. Between
  CALM and SLOW the size is kept, so that it does not swing. As in TCP Vegas, "now" is the lowest latency of a round
  of `size` answers, here of two such rounds: a queue makes all answers slow, a pause of this machine only those that
  are in flight. The lowest latency is kept per route. With one request in flight, none of ours waits for another: its
  latency replaces the lowest one.
- **It grows by 1** after `size` successes, if that many were in flight at some moment. A size that got a 429 is tried
  again after PATIENCE times as many, and after twice as many each time that it gets another: a 429 makes the whole
  client pause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from puretalk.api.retries import Lane

LOG = logging.getLogger(__package__)

SLOW = 2.0  # times the lowest latency; beyond it, the window shrinks
CALM = 1.5  # times the lowest latency; up to it, the window grows
LEAST_LATENCY = 0.05  # seconds; a lower latency counts as this, because small times vary for many reasons
PATIENCE = 10  # times the usual successes before a size that got a 429 is tried again


class WindowSize:
    """The size, from 1 to `most`, and what changes it. It measures nothing and does not wait."""

    def __init__(self, most: int) -> None:
        self.size = most
        self.falls = 0  # how often the size fell; a request remembers the number at its start
        self._most = most
        self._refused: int | None = None  # the size at which the last 429 came, until that size is found to work
        self._patience = PATIENCE
        self._lowest: dict[str, float] = {}  # seconds, by route
        self._round: list[float] = []  # of the last answers, up to `size`: their latency / the lowest latency
        self._last_slowness = 0.0  # the least in the round before
        self._is_full = False  # whether `size` requests were in flight at some moment of this round
        self._calm_rounds = 0  # since the size last changed

    def start(self, in_flight: int) -> int:
        """A request starts; `in_flight` counts it too. The result belongs to the report of its answer."""
        self._is_full = self._is_full or in_flight >= self.size
        return self.falls

    def report_refusal(self, started: int) -> None:
        """The answer was a 429."""
        if started < self.falls:
            return
        self._patience = 2 * self._patience if self.size == self._refused else PATIENCE
        self._refused = max(self.size, 2)
        self._fall_to(self.size // 2, "the API answered HTTP 429")

    def report_success(self, started: int, route: str, *, seconds: float, waited: float) -> None:
        """The answer was useful. It took `seconds`; in `waited` of them this client did not compute."""
        if started < self.falls:
            return
        lowest = seconds if self.size == 1 else min(seconds, self._lowest.get(route, seconds))
        self._lowest[route] = lowest
        self._round.append(waited / max(lowest, LEAST_LATENCY))
        if len(self._round) < self.size:
            return
        slowness, was_full = min(self._round), self._is_full
        lasting, self._last_slowness = min(slowness, self._last_slowness), slowness
        self._start_round()
        if lasting > SLOW:
            size = min(max(int(self.size * SLOW / lasting), self.size // 2), self.size - 1)
            self._fall_to(size, f"latency is {lasting:.1f} times the lowest")
        elif slowness <= CALM and was_full:
            self._end_calm_round()

    def _end_calm_round(self) -> None:
        self._calm_rounds += 1
        if self._refused is not None and self.size >= self._refused:
            self._refused = None
        rounds = self._patience if self._refused == self.size + 1 else 1
        if self._calm_rounds >= rounds and self.size < self._most:
            self._calm_rounds = 0
            self._change(self.size + 1, f"the API keeps up with {self.size}")

    def _fall_to(self, size: int, reason: str) -> None:
        self.falls += 1
        self._calm_rounds = 0
        self._last_slowness = 0.0
        self._start_round()
        if max(size, 1) < self.size:
            self._change(max(size, 1), reason)

    def _change(self, size: int, reason: str) -> None:
        LOG.info("requests in flight at once: %d → %d, because %s", self.size, size, reason)
        self.size = size

    def _start_round(self) -> None:
        self._round.clear()
        self._is_full = False


class Window:
    """At most `size` requests in flight; the others wait, first come, first served."""

    def __init__(
        self, most: int, *, clock: Callable[[], float] = time.monotonic, busy: Callable[[], float] = time.thread_time
    ) -> None:
        """`clock` gives seconds; `busy` the seconds in which the thread of the event loop computed. What we compute
        while an answer waits to be read says nothing about the API."""
        self._size = WindowSize(most)
        self._clock = clock
        self._busy = busy
        self._slots = asyncio.Semaphore(most)
        self._surplus = 0  # slots that the semaphore has beyond `size`; they are taken away when they become free
        self._in_flight = 0

    @property
    def size(self) -> int:
        """How many requests may be in flight now."""
        return self._size.size

    @asynccontextmanager
    async def slot(self, route: str, *, lane: Lane | None = None) -> AsyncIterator[Callable[[int], None]]:
        """Wait until a request may be sent, and count it as in flight. Call the result with the answer's status.

        A new request passes the `lane` of throttled requests: as long as there are any, it waits there without a slot.
        """
        await self._take_slot()
        while lane is not None and lane.is_used:
            self._give_slot_back()
            await lane.wait()
            await self._take_slot()
        self._in_flight += 1
        started = self._size.start(self._in_flight)
        since, busy = self._clock(), self._busy()

        def report(status: int) -> None:
            before = self.size
            if status == 429:
                self._size.report_refusal(started)
            elif status == 200:
                seconds = self._clock() - since
                self._size.report_success(started, route, seconds=seconds, waited=seconds - (self._busy() - busy))
            self._surplus += before - self.size
            if self._surplus < 0:  # it grew by one, and no slot was waiting to be taken away
                self._surplus = 0
                self._slots.release()

        try:
            yield report
        finally:
            self._in_flight -= 1
            self._give_slot_back()

    async def _take_slot(self) -> None:
        await self._slots.acquire()
        while self._surplus:  # the size fell while slots were free
            self._surplus -= 1
            await self._slots.acquire()

    def _give_slot_back(self) -> None:
        if self._surplus:
            self._surplus -= 1
        else:
            self._slots.release()
