"""The PureTalk API over HTTP: pages and records of JSON, nothing about their meaning. Only this module knows httpx.

    async with ApiClient(ClientSettings(api_key)) as client:
        async with aclosing(client.fetch_pages()) as pages:
            async for page in pages:
                page.number, page.records, page.count, page.has_next

Errors that reach the caller: ConfigurationError before the first request, KeyRejectedError (401, 403), ApiChangedError
(an answer of another shape), RetryLaterError (unreachable or overloaded for longer than the retry budget). None of
them quotes the key or a query string.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import httpx

from puretalk.api.retries import PassingError, Retries, parse_http_date, parse_retry_after
from puretalk.errors import ApiChangedError, ConfigurationError, KeyRejectedError, PuretalkError
from puretalk.json_values import JSONObject, JSONValue, NotJSONError, UnusableJSONError, parse_json

KEY_HEADER = "X-API-KEY"
MAX_REDIRECTS = 5
MAX_BODY = 256 * 2**20  # bytes of one answer, unpacked
EXCERPT = 80  # characters of a body that a message may quote
#: Pages in a row with the same records that still count as rows shifting, rather than as a server that ignores `page`.
SAME_PAGES = 10


@dataclass(frozen=True)
class ClientSettings:
    api_key: str = field(repr=False)
    base_url: str = "https://api.puretalk.ai/api"
    page_size: int = 100  # records asked for a page; the API may give fewer
    window: int = 8  # requests in flight at once
    timeout: float = 30.0  # seconds, each for connecting, reading, writing
    retry_budget: float = 300.0  # seconds that all waiting of one request may take together
    max_attempts: int = 8


@dataclass(frozen=True)
class Page:
    """One page of a list, as it was at `received_at` (UTC). `count` is what the API says the whole list has."""

    number: int
    records: list[JSONValue]
    count: int
    has_next: bool
    received_at: datetime


@dataclass(frozen=True)
class Answer:
    """What the API says about one record: it is there, it is not (404), or nothing that a deletion may rest on."""

    verdict: Literal["found", "missing", "unclear"]
    record: JSONObject | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Reply:
    status: int
    url: httpx.URL
    headers: httpx.Headers
    body: bytes
    received_at: datetime


class ApiClient:
    """One account, one origin, one connection pool. Holds no more than `window` requests open, whoever asks."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        on_retry: Callable[[str, float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`on_retry(reason, seconds)` is told before each pause. Raises ConfigurationError; sends nothing yet."""
        _check_key(settings.api_key)
        _check_limits(settings)
        self._base = _check_base_url(settings.base_url)
        self._settings = settings
        self._now = now
        self._retries = Retries(
            budget=settings.retry_budget, max_attempts=settings.max_attempts, sleep=sleep, on_retry=on_retry
        )
        self._slots = asyncio.Semaphore(settings.window)
        self._slashed: set[str] = set()  # routes that the API is known to redirect to their URL with a slash
        self._prefetching: set[asyncio.Task[Page | None]] = set()
        self._http: httpx.AsyncClient | None = None
        self.requests = 0

    @property
    def retries(self) -> int:
        return self._retries.count

    async def __aenter__(self) -> Self:
        settings = self._settings
        try:
            self._http = httpx.AsyncClient(
                headers={"Accept": "application/json", "User-Agent": "puretalk"},
                timeout=settings.timeout,
                # The slots bound the connections; waiting for one is not part of any timeout.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=settings.window),
                follow_redirects=False,
                # Over https a proxy sees a tunnel; over http (loopback only) it would see the key.
                trust_env=self._base.scheme == "https",
            )
        except (ValueError, ImportError, OSError, httpx.InvalidURL):
            # The cause is left out: it quotes the address of the proxy, which may hold a password.
            raise ConfigurationError(
                "The environment's settings for proxies or certificates cannot be used",
                action="Correct HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR.",
            ) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._cancel(self._prefetching)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def fetch_page(self, number: int, *, path: str = "ai-assistants") -> Page | None:
        """Page `number` (from 1) of a list; None when the API says that there is none, which page 1 always is."""
        reply, value = await self._ask(
            f"{self._base}/{path}", route=path, query={"page": number, "limit": self._settings.page_size}
        )
        if reply.status != 404:
            return self._read_page(number, reply, value)
        if number > 1:
            return None
        raise ApiChangedError(f"{self._address(reply.url)} does not exist (HTTP 404): the base URL is wrong")

    async def fetch_pages(self, *, path: str = "ai-assistants") -> AsyncGenerator[Page, None]:
        """The pages of a list in their order, page 1 always, then those that have records.

        Page 1 comes alone and tells how many to expect; after that up to `window` pages are fetched ahead of the
        consumer. Past the expected ones it goes on page by page, as long as the API says there is a next one and
        brings something new. Ends always. Leave it early through `contextlib.aclosing`.
        """
        first = await self.fetch_page(1, path=path)
        assert first is not None
        yield first
        if not first.records:
            return
        expected = -(-first.count // len(first.records))
        furthest = 2 * expected + 10
        ahead: deque[asyncio.Task[Page | None]] = deque()
        number, previous, same = 2, first, 1

        def fetch_ahead(last: int) -> None:
            nonlocal number
            while number <= last and len(ahead) < self._settings.window:
                task = asyncio.create_task(self.fetch_page(number, path=path))
                task.add_done_callback(self._prefetching.discard)
                self._prefetching.add(task)
                ahead.append(task)
                number += 1

        try:
            while True:
                fetch_ahead(expected)
                if not ahead and previous.has_next:
                    fetch_ahead(min(number, furthest))
                if not ahead:
                    return
                page = await ahead[0]
                ahead.popleft()
                if page is None or not page.records:
                    return
                same = same + 1 if page.records == previous.records else 1
                if same > (SAME_PAGES if page.number <= expected else 1):
                    return
                fetch_ahead(expected)
                yield page
                previous = page
        finally:
            await self._cancel(ahead)

    async def fetch_record(self, assistant_id: str, *, path: str = "ai-assistants") -> Answer:
        """One record by its id; never raises a PuretalkError, as a doubt about one record is no reason to stop."""
        if not assistant_id.strip("."):
            return Answer("unclear", reason="the id is not one that a URL can hold")
        try:
            url = f"{self._base}/{path}/{quote(assistant_id, safe='')}"
            reply, value = await self._ask(url, route=f"{path}/{{id}}", query={})
        except UnicodeEncodeError:
            return Answer("unclear", reason="the id is not one that a URL can hold")
        except PuretalkError as error:
            return Answer("unclear", reason=error.message)
        if reply.status == 404:
            return Answer("missing", reason="HTTP 404")
        record = value.get("results") if isinstance(value, dict) else None
        if not isinstance(record, dict):
            return Answer("unclear", reason=f"the API answered {self._describe(reply)}")
        if record.get("assistant_id") != assistant_id:
            return Answer("unclear", reason="the API answered with another record")
        return Answer("found", record)

    async def _ask(self, url: str, *, route: str, query: dict[str, int]) -> tuple[_Reply, JSONValue]:
        """The answer to a GET with retries: 200 and its JSON, or 404 and None; everything else raises."""

        async def attempt() -> tuple[_Reply, JSONValue]:
            async with self._slots:
                reply = await self._follow(url, route=route, query=query)
            if reply.status == 404:
                return reply, None
            self._judge_status(reply)
            return reply, self._read_json(reply)

        return await self._retries.run(attempt, subject=self._address(httpx.URL(url)))

    async def _follow(self, url: str, *, route: str, query: dict[str, int]) -> _Reply:
        """The answer behind at most five redirects, none of which leads to another origin."""
        asked = httpx.URL(url + "/" if route in self._slashed else url)
        target = asked
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._send(target.copy_merge_params(query))
            if reply.status not in (301, 302, 303, 307, 308):
                if reply.status == 200 and target.path == asked.path + "/":
                    self._slashed.add(route)
                if reply.status == 404 and target.path.rstrip("/") != asked.path.rstrip("/"):
                    raise ApiChangedError(f"{self._address(asked)} redirects to a place that does not exist (HTTP 404)")
                return reply
            target = self._redirected(reply)
        raise ApiChangedError(f"{self._address(asked)} redirects more than {MAX_REDIRECTS} times")

    def _redirected(self, reply: _Reply) -> httpx.URL:
        asked = self._address(reply.url)
        try:
            target = reply.url.join(reply.headers["location"])
        except KeyError:  # one that is no URL, httpx has refused already
            raise ApiChangedError(f"{asked} redirects (HTTP {reply.status}) without saying where to") from None
        if _origin(target) == _origin(self._base):
            return target.copy_with(userinfo=b"", fragment=None)
        message = f"{asked} redirects to another origin: {self._scrub(_origin(target))}. The key was not sent there"
        if (self._base.scheme, target.scheme, self._base.host) == ("http", "https", target.host):
            raise ApiChangedError(message, action=f"Set PURETALK_BASE_URL to an address at {_origin(target)}.")
        raise ApiChangedError(message)

    async def _send(self, url: httpx.URL) -> _Reply:
        """One GET. The only place that holds the key out, and only to the configured origin."""
        if self._http is None:
            raise RuntimeError("ApiClient is an async context manager: use `async with`")
        if _origin(url) != _origin(self._base):
            raise ConfigurationError(f"{_origin(url)} is not the origin of the base URL")
        self.requests += 1
        settings = self._settings
        body = bytearray()
        try:
            # httpx bounds each read; this bounds a server that sends a byte now and then.
            async with (
                asyncio.timeout(max(settings.timeout, settings.retry_budget)),
                self._http.stream("GET", url, headers={KEY_HEADER: settings.api_key}) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise ApiChangedError(f"{self._address(url)} answered more than {MAX_BODY // 2**20} MiB")
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            raise self._classify(error) from (None if settings.api_key in str(error) else error)
        return _Reply(response.status_code, url, response.headers, bytes(body), self._now())

    def _classify(self, error: Exception) -> PassingError:
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return PassingError(f"did not answer in time ({type(error).__name__})")
        text = self._scrub(str(error)) or type(error).__name__
        if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
            return PassingError(f"cannot be reached ({text})")
        return PassingError(f"broke off its answer ({text})")

    def _judge_status(self, reply: _Reply) -> None:
        """Returns for a 200 only."""
        status, where = reply.status, self._address(reply.url)
        if status == 200:
            return
        if status == 429 or status >= 500:
            # Against the server's own clock where it shows it: ours may be wrong.
            now = parse_http_date(reply.headers.get("date")) or self._now()
            pause = parse_retry_after(reply.headers.get("retry-after"), now=now)
            raise PassingError(f"answered HTTP {status}", pause=pause, is_throttle=status == 429)
        said = f"HTTP {status}, {self._describe(reply)}"
        if status in (401, 403):
            raise KeyRejectedError(f"{where} rejected the API key ({said})")
        raise ApiChangedError(f"{where} answered {said}")

    def _read_json(self, reply: _Reply) -> JSONValue:
        try:
            return parse_json(reply.body)
        except NotJSONError as error:
            said = f"answered {self._describe(reply)} where JSON was expected: {error}"
            raise PassingError(said, error=ApiChangedError) from None
        except UnusableJSONError as error:
            raise ApiChangedError(f"{self._address(reply.url)} answered {error}") from None

    def _read_page(self, number: int, reply: _Reply, value: JSONValue) -> Page:
        if isinstance(value, dict):
            count, records, following = value.get("count"), value.get("results"), value.get("next")
            if (
                isinstance(count, int)
                and not isinstance(count, bool)
                and count >= 0
                and isinstance(records, list)
                and (following is None or isinstance(following, str))
            ):
                return Page(number, records, count, following is not None, reply.received_at)
        raise ApiChangedError(
            f"{self._address(reply.url)} answered no page (`count`, `next`, `results`) but {self._describe(reply)}"
        )

    def _describe(self, reply: _Reply) -> str:
        """What kind of body came and how it begins, fit for a message."""
        if not reply.body.strip():
            return "an empty body"
        # Scrubbed before it is cut: the rest of a key that was cut in two would not be found.
        unnamed = reply.body
        for form in _written_forms(self._settings.api_key):
            unnamed = unnamed.replace(form.encode(), b"***")
        start = self._scrub(unnamed[:4096].decode(errors="replace"))
        kind = "a body"
        if start.lstrip().startswith("<"):
            kind = "an HTML page"
        elif reply.status == 200 and start.lstrip().startswith("{"):
            kind = "a JSON object"
        elif reply.status == 200 and start.lstrip().startswith("["):
            kind = "a JSON list"
        return f"{kind} ({start[:EXCERPT]})"

    def _address(self, url: httpx.URL) -> str:
        """A URL without its query, as messages show it."""
        return self._scrub(str(url.copy_with(query=None, fragment=None)))

    def _scrub(self, text: str) -> str:
        """Without the key, which an answer may echo, and without what moves a terminal's cursor."""
        for form in _written_forms(self._settings.api_key):
            text = text.replace(form, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    @staticmethod
    async def _cancel(tasks: Iterable[asyncio.Task[Page | None]]) -> None:
        doomed = list(tasks)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)


def _written_forms(key: str) -> list[str]:
    """The key as an answer may echo it: as it is, in a URL, in JSON, whose slashes may be escaped; longest first."""
    return sorted({key, quote(key, safe=""), key.replace("/", r"\/")}, key=len, reverse=True)


def _origin(url: httpx.URL) -> str:
    """`https://host:port`, the port always spelled out, so that equal origins are equal strings."""
    port = url.port or (80 if url.scheme == "http" else 443)
    host = url.raw_host.decode()
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _check_key(key: str) -> None:
    # h11 would refuse some of these too, and quote the key in its message.
    if not key:
        raise ConfigurationError("There is no API key", action="Set PURETALK_API_KEY.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            "The API key holds a space, a line break or a character that is not ASCII",
            action="Copy the key again and set PURETALK_API_KEY to nothing but the key.",
        )


def _check_limits(settings: ClientSettings) -> None:
    for name in ("page_size", "window", "max_attempts"):
        if getattr(settings, name) < 1:
            raise ConfigurationError(f"{name} is {getattr(settings, name)}; it has to be 1 or more")
    if settings.timeout <= 0 or settings.retry_budget < 0:
        raise ConfigurationError("timeout has to be more than 0 seconds, retry_budget 0 or more")


def _check_base_url(text: str) -> httpx.URL:
    """The base URL without a slash at its end."""
    try:
        url = httpx.URL(text.rstrip("/"))
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError("The base URL is not a URL") from None
    if url.userinfo or "?" in text or "#" in text:
        raise ConfigurationError("The base URL holds a user, a password, a query or a fragment: it takes none of them")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError("The base URL has to begin with https:// and name a host")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ConfigurationError(
            f"{_origin(url)} would carry the API key unencrypted: http is for this machine only",
            action="Begin the base URL with https://.",
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
