"""An account's requests: it limits how many are in flight, retries where that may help, and checks the answers.

    async with ApiClient(ApiSettings(api_key)) as client:
        async with aclosing(fetch_pages(client, endpoint)) as pages:
            async for page in pages:
                page.number, page.records, page.count, page.has_next

Errors that reach the caller: ConfigurationError before the first request, KeyRejectedError (401, 403), ApiChangedError
(an answer of another shape), RetryLaterError (unreachable or overloaded for longer than the retry budget). None of
them quotes the key or a query string.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from puretalk.api.body import BYTES_PER_VALUE, has_more_values
from puretalk.api.retries import Lane, PassingError, Retries, parse_http_date, parse_retry_after
from puretalk.api.transport import TOO_LARGE, Reply, Transport
from puretalk.api.window import Window
from puretalk.errors import ApiChangedError, KeyRejectedError
from puretalk.json_values import JSONValue, NotJSONError, UnusableJSONError
from puretalk.listener import SILENT, Listener
from puretalk.settings import ApiSettings, check_bounds

T = TypeVar("T")


class ApiClient:
    """One account, one origin, one connection pool, and one `window` of requests in flight for all callers together."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        listener: Listener = SILENT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        quotes_bodies: bool = True,
    ) -> None:
        """`listener.on_retry` is told before each pause. `quotes_bodies`: messages may show how a body begins, which
        may be data of the account. Raises ConfigurationError; sends nothing yet."""
        check_bounds(settings)
        self.settings = settings
        self._now = now
        self._quotes_bodies = quotes_bodies
        self._transport = Transport(
            settings.api_key,
            settings.base_url,
            timeout=settings.timeout,
            deadline=max(settings.timeout, settings.retry_budget),
            max_body=settings.max_body,
            ca_bundle=settings.ca_bundle,
            connections=settings.window,
            now=now,
        )
        self._retries = Retries(
            budget=settings.retry_budget, max_attempts=settings.max_attempts, sleep=sleep, listener=listener
        )
        self.window = Window(settings.window)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._clock_offset: timedelta | None = None

    @property
    def clock_offset(self) -> timedelta | None:
        """How far this machine's clock is ahead of the API's: the smallest of all answers, because a cache may give an
        old `Date`. None where no answer had one."""
        return self._clock_offset

    @property
    def requests(self) -> int:
        """Requests that were sent, repeated and redirected ones included."""
        return self._transport.requests

    @property
    def retries(self) -> int:
        """Requests that had to be repeated."""
        return self._retries.count

    async def __aenter__(self) -> Self:
        self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cancel(self._tasks)
        await self._transport.close()

    async def ask(
        self, path: str, *, route: str, query: Mapping[str, int], read: Callable[[bytes], T]
    ) -> tuple[Reply, T | None]:
        """The answer to a GET with retries: 200 and what `read` makes of the body, or 404 and None; everything else
        raises. `read` may raise NotJSONError and UnusableJSONError."""

        lane: Lane | None = self._retries.lane  # for the first attempt only: others have waited already

        async def attempt() -> tuple[Reply, T | None]:
            nonlocal lane
            async with self.window.slot(route, lane=lane) as report:
                lane = None
                reply = await self._transport.get(path, route=route, query=query)
                report(reply.status)
            self._compare_clocks(reply)
            if reply.status == 404:
                return reply, None
            self._judge_status(reply)
            return reply, self._read(reply, read)

        subject, label = self._transport.address(path), self._transport.label(path, query)
        return await self._retries.run(attempt, subject=subject, label=label)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the work as a task. Closing the client cancels it if it still runs."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._tasks.discard)
        self._tasks.add(task)
        return task

    def digest(self, body: bytes | msgspec.Raw) -> bytes:
        """HMAC-SHA256 of bytes that came, with the API key as its key. So what came to another key is not known, and is
        searched for this one; and a stored digest tests no guess of the key for whoever has not the bytes."""
        return self._transport.digest(body)

    def holds_key(self, body: bytes) -> bool:
        """Whether a body may hold the API key, in any spelling."""
        return self._transport.scrubber.holds_key(body)

    def redact(self, value: JSONValue, body: bytes) -> tuple[JSONValue, bool]:
        """The value of a body without the API key, and whether it held the key."""
        return self._transport.scrubber.redact(value) if self.holds_key(body) else (value, False)

    @staticmethod
    async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel the tasks and wait for their end."""
        doomed = list(tasks)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)

    def describe(self, reply: Reply) -> str:
        """What kind of body came and, where that may be said, how it begins; fit for a message."""
        if not reply.body.strip():
            return "an empty body"
        start = self._transport.scrubber.excerpt(reply.body)
        kind = "a body"
        if start.startswith("<"):
            kind = "an HTML page"
        elif reply.status == 200 and start.startswith("{"):
            kind = "a JSON object"
        elif reply.status == 200 and start.startswith("["):
            kind = "a JSON list"
        return f"{kind} ({start})" if self._quotes_bodies else kind

    def _compare_clocks(self, reply: Reply) -> None:
        date = parse_http_date(reply.headers.get("date"))
        if date is not None:
            offset = datetime.now(UTC) - date
            if self._clock_offset is None or abs(offset) < abs(self._clock_offset):
                self._clock_offset = offset

    def _judge_status(self, reply: Reply) -> None:
        """Raise an error for every status except 200."""
        if reply.status == 200:
            return
        if reply.status == 429 or reply.status >= 500:
            # The server's clock counts where its answer shows it, because ours may be wrong.
            now = parse_http_date(reply.headers.get("date")) or self._now()
            pause = parse_retry_after(reply.headers.get("retry-after"), now=now)
            raise PassingError(f"answered HTTP {reply.status}", pause=pause, is_throttle=reply.status == 429)
        said = f"HTTP {reply.status}, {self.describe(reply)}"
        if reply.status in (401, 403):
            raise KeyRejectedError(f"{reply.address} rejected the API key ({said})")
        raise ApiChangedError(f"{reply.address} answered {said}")

    def _read(self, reply: Reply, read: Callable[[bytes], T]) -> T:
        if has_more_values(reply.body, self.settings.max_body // BYTES_PER_VALUE):
            raise ApiChangedError(
                f"{reply.address} answered more than {self.settings.max_body // BYTES_PER_VALUE:,} values "
                f"(max_body / {BYTES_PER_VALUE}): {self.describe(reply)}",
                action=TOO_LARGE,
            )
        try:
            return read(reply.body)
        except NotJSONError as error:
            said = f"answered {self.describe(reply)} where JSON was expected: {error}"
            raise PassingError(said, error=ApiChangedError) from None
        except UnusableJSONError as error:
            raise ApiChangedError(f"{reply.address} answered {error}") from None
