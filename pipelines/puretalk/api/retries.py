"""When to ask again, how long to wait before that, and when to give up."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from puretalk.errors import ApiChangedError, PuretalkError, RetryLaterError
from puretalk.listener import SILENT, Listener

T = TypeVar("T")

LOG = logging.getLogger(__package__)

FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 30.0  # seconds; a Retry-After may ask for more
JITTER = 1.0  # seconds at most, within the longest wait


class PassingError(Exception):
    """An attempt failed in a way that may pass. `Retries.run` turns it into a PuretalkError.

    `reason` continues a sentence that begins with the address ("… answered HTTP 503"); `pause` is what the API asked to
    wait (seconds), if it did; `error` is what is raised when the attempts are used up.
    """

    def __init__(
        self,
        reason: str,
        *,
        error: type[RetryLaterError] | type[ApiChangedError] = RetryLaterError,
        pause: float | None = None,
        is_throttle: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.pause = pause
        self.is_throttle = is_throttle


class Lane:
    """Where requests that got a 429 take their turns, one at a time, in the order in which they got it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._requests = 0

    @property
    def is_used(self) -> bool:
        """Whether a request has its turn or waits for it."""
        return self._requests > 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The turn of a request that got a 429."""
        self._requests += 1
        try:
            async with self._lock:
                yield
        finally:
            self._requests -= 1

    async def wait(self) -> None:
        """Wait for the requests that use the lane now. Others may use it when the wait ends."""
        async with self._lock:
            pass


class Retries:
    """Retries of one client: exponential backoff with jitter, bounded in attempts and in time.

    A 429 limits the whole client. So requests that got one continue one at a time in the `lane`, and new requests queue
    behind them. If each retried on its own, they would use up the allowed requests of each
    other until one of them had no attempts left, and a walk needs all of its pages.
    """

    def __init__(
        self,
        *,
        budget: float,
        max_attempts: int,
        sleep: Callable[[float], Awaitable[None]],
        listener: Listener = SILENT,
    ) -> None:
        self.count = 0
        self._budget = budget
        self._max_attempts = max_attempts
        self._sleep = sleep
        self._listener = listener
        self.lane = Lane()
        self._backoff = wait_exponential(FIRST_WAIT, LONGEST_WAIT - JITTER) + wait_random(0, JITTER)

    async def run(self, attempt: Callable[[], Awaitable[T]], *, subject: str, label: str) -> T:
        """The first result of `attempt` that is not a PassingError.

        When there is none, `subject` begins the message; `label` names the request in the log line of each retry.
        Raises what `attempt` raises, and RetryLaterError or ApiChangedError (the last PassingError says which) when the
        attempts or the seconds are used up.
        """
        async with AsyncExitStack() as turn:
            is_throttled = is_alone = False

            async def pause(seconds: float) -> None:
                nonlocal is_alone
                if is_throttled and not is_alone:
                    since = time.monotonic()
                    await turn.enter_async_context(self.lane.turn())
                    is_alone = True
                    seconds -= time.monotonic() - since
                elif is_alone and not is_throttled:
                    await turn.aclose()
                    is_alone = False
                if seconds > 0:
                    await self._sleep(seconds)

            async def ask() -> T:
                nonlocal is_throttled
                try:
                    return await attempt()
                except PassingError as setback:
                    is_throttled = setback.is_throttle
                    raise

            retrying = AsyncRetrying(
                sleep=pause,
                retry=retry_if_exception_type(PassingError),
                wait=self._wait,
                stop=lambda state: stop_after_attempt(self._max_attempts)(state) or self._is_overdrawn(state),
                before_sleep=lambda state: self._report(state, label),
                retry_error_callback=lambda state: self._give_up(state, subject),
            )
            return await retrying(ask)

    def _wait(self, state: RetryCallState) -> float:
        return max(self._backoff(state), _setback(state).pause or 0.0)

    def _spent(self, state: RetryCallState) -> float:
        # Attempts count as well as pauses: eight timeouts of 30 seconds are four minutes of waiting.
        return max(state.seconds_since_start or 0.0, state.idle_for)

    def _is_overdrawn(self, state: RetryCallState) -> bool:
        return self._spent(state) + state.upcoming_sleep > self._budget

    def _report(self, state: RetryCallState, label: str) -> None:
        self.count += 1
        LOG.info("retry %d of %s in %.1f s: it %s", state.attempt_number, label, state.upcoming_sleep, _setback(state))
        self._listener.on_retry(_setback(state).reason, state.upcoming_sleep)

    def _give_up(self, state: RetryCallState, subject: str) -> NoReturn:
        setback = _setback(state)
        left = max(self._budget - self._spent(state), 0.0)
        if setback.pause is not None and setback.pause > left and state.attempt_number < self._max_attempts:
            message = (
                f"{subject} {setback.reason} and asks to wait {setback.pause:.0f} seconds; "
                f"{left:.0f} of the {self._budget:.0f} seconds for retries are left"
            )
        else:
            times = "once" if state.attempt_number == 1 else f"{state.attempt_number} times"
            message = f"{subject} {setback.reason} (tried {times} in {self._spent(state):.0f} seconds)"
        error: PuretalkError = setback.error(message)
        raise error from setback.__cause__


def _setback(state: RetryCallState) -> PassingError:
    setback = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(setback, PassingError):
        raise TypeError("only a PassingError is retried")
    return setback


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks to wait; it comes as seconds or as an HTTP date.

    None when it is missing or cannot be understood; 0 when the date has passed.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    moment = parse_http_date(text)
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def parse_http_date(text: str | None) -> datetime | None:
    """An HTTP date, in UTC even where it names no time zone; None when it cannot be understood."""
    try:
        moment = email.utils.parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
