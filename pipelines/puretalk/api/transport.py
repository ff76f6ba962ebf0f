"""One GET with its redirects. The only file that sends the key.

Every request is one line of the logger `puretalk.api`, at INFO: its address, status, bytes (unpacked) and seconds.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import httpx

from puretalk.api.body import ACCEPTED_ENCODING, BodyTooLargeError, BrokenBodyError, is_readable, read_body
from puretalk.api.origin import check_base_url, check_key, origin_of, trusted_authorities
from puretalk.api.retries import PassingError
from puretalk.errors import ApiChangedError, ConfigurationError
from puretalk.scrubbing import LogScrubber, Scrubber

KEY_HEADER = "X-API-KEY"
MAX_REDIRECTS = 5
_LOCATION = "puretalk_location"
_ADDRESSES = 256  # that are read and scrubbed once

#: What to do about an answer that is too large to be read.
TOO_LARGE = (
    "If the account's pages are really that large, lower page_size or raise max_body. Otherwise the API, or a proxy in "
    "front of it, sends something that is no page: its operator has to act."
)

#: What to do about a certificate that cannot be verified. Nothing switches the verification off.
DISTRUSTED = (
    "Check base_url and this machine's clock. If a proxy or a virus scanner between here and the API replaces its "
    "certificates, or the API has one of a private authority, name that authority's PEM file: ca_bundle "
    "(PURETALK_CA_BUNDLE). Where you expect neither, somebody may intercept the connection."
)

LOG = logging.getLogger(__package__)
#: Loggers of httpx that write addresses (at INFO) or headers (at DEBUG) unscrubbed.
FOREIGN_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


@dataclass(frozen=True)
class Reply:
    """An answer that is not a redirect. `address` has no query and is scrubbed; names of `headers` ignore case."""

    status: int
    address: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class Transport:
    """GETs below one base URL, with one connection pool. The key goes to the origin of the base URL and to no other."""

    def __init__(
        self,
        key: str,
        base_url: str,
        *,
        timeout: float,
        deadline: float,
        max_body: int,
        ca_bundle: str,
        connections: int,
        now: Callable[[], datetime],
    ) -> None:
        """`timeout` (seconds) bounds each connect, read and write, `deadline` (seconds) a whole answer with its
        redirects, `max_body` the bytes of one body, unpacked; `ca_bundle` names a file of certificates that are
        trusted besides the usual ones; `connections` are kept open between requests. Raises ConfigurationError; sends
        nothing yet."""
        check_key(key)
        self._key = key
        self._base = check_base_url(base_url)
        self._timeout = timeout
        self._deadline = deadline
        self._max_body = max_body
        self._ca_bundle = ca_bundle
        self._connections = connections
        self._now = now
        self._http: httpx.AsyncClient | None = None
        self._slashed: set[str] = set()  # routes that the API is known to redirect to their URL with a slash
        self.scrubber = Scrubber(key)
        self._log_scrubber = LogScrubber(self.scrubber)
        # Of the pages of a list only the query differs, and reading an address takes as long as sending a request.
        self._url = lru_cache(_ADDRESSES)(self._read_address)
        self._show = lru_cache(_ADDRESSES)(self._scrub_address)
        self.requests = 0

    def open(self) -> None:
        """Make the connection pool. Raises ConfigurationError; sends nothing yet."""
        # Over https a proxy sees a tunnel; over http (loopback only) it would see the key.
        trust_env = self._base.scheme == "https"
        try:
            trusted = self._trusted_authorities()
            self._http = httpx.AsyncClient(
                verify=trusted,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": ACCEPTED_ENCODING,
                    "User-Agent": "puretalk",
                },
                timeout=self._timeout,
                # The client limits the requests in flight, so waiting for a connection is not part of any timeout.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=self._connections),
                follow_redirects=False,
                trust_env=trust_env,
                event_hooks={"response": [_take_location]},
            )
        except (ValueError, ImportError, OSError, httpx.InvalidURL):
            # The cause is left out: it quotes the address of the proxy, which may hold a password.
            raise ConfigurationError(
                "the environment's settings for proxies or certificates cannot be used",
                action="Correct HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE or SSL_CERT_DIR.",
            ) from None
        for name in FOREIGN_LOGGERS:
            logging.getLogger(name).addFilter(self._log_scrubber)

    def _trusted_authorities(self) -> ssl.SSLContext:
        if self._base.scheme == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; reading the public ones takes 20 ms
        return trusted_authorities(self._ca_bundle)

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None
        for name in FOREIGN_LOGGERS:
            logging.getLogger(name).removeFilter(self._log_scrubber)

    def digest(self, body: bytes) -> bytes:
        """HMAC-SHA256 of bytes, with the API key as its key."""
        return hmac.digest(self._key.encode(), body, "sha256")

    def address(self, path: str) -> str:
        """The URL of a path as messages show it."""
        return self._show(self._url(path))

    def label(self, path: str, query: Mapping[str, int]) -> str:
        """The same with the parameters that we send, as log lines show it."""
        return _label(self.address(path), query)

    async def get(self, path: str, *, route: str, query: Mapping[str, int]) -> Reply:
        """The answer to a GET, after at most five redirects, none of which leads to another origin.

        `route` is the path without the id of a record: a redirect of one path is expected for all paths of its route.
        Raises PassingError when there was no whole answer, ApiChangedError for redirects that cannot be followed.
        """
        asked = self._url(path + "/" if route in self._slashed else path)
        target = asked
        ends_at = asyncio.get_running_loop().time() + self._deadline
        for _ in range(MAX_REDIRECTS + 1):
            response, body = await self._send(target, query, ends_at)
            if response.status_code not in (301, 302, 303, 307, 308):
                if response.status_code == 200 and target.path == asked.path + "/":
                    self._slashed.add(route)
                if response.status_code == 404 and target.path.rstrip("/") != asked.path.rstrip("/"):
                    raise ApiChangedError(f"{self._show(asked)} redirects to a place that does not exist (HTTP 404)")
                return Reply(response.status_code, self._show(target), response.headers, body, self._now())
            target = self._redirected(target, response)
        raise ApiChangedError(f"{self._show(asked)} redirects more than {MAX_REDIRECTS} times")

    def _redirected(self, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        """Where a redirect leads. Raises ApiChangedError when that is another origin, or missing."""
        asked, location = self._show(url), response.extensions[_LOCATION]
        if location is None:
            raise ApiChangedError(f"{asked} redirects (HTTP {response.status_code}) without saying where to")
        try:
            target = url.join(location)
            has_host = bool(target.host)
            place = self.scrubber.excerpt(origin_of(target).encode())
        except (httpx.InvalidURL, ValueError):
            has_host = False
        if not has_host:
            shown = self.scrubber.excerpt(location.encode(errors="replace"))
            raise ApiChangedError(f"{asked} redirects to something that is no address of a page ({shown})")
        if origin_of(target) == origin_of(self._base):
            return target.copy_with(userinfo=b"", fragment=None)
        message = f"{asked} redirects to another origin: {place}. The key was not sent there"
        if (self._base.scheme, target.scheme, self._base.host) == ("http", "https", target.host):
            raise ApiChangedError(message, action=f"Set PURETALK_BASE_URL to an address at {place}.")
        raise ApiChangedError(message)

    async def _send(self, url: httpx.URL, query: Mapping[str, int], ends_at: float) -> tuple[httpx.Response, bytes]:
        """One request: the answer's head and its body, limited in size and in time (`ends_at` by the loop's clock)."""
        if self._http is None:
            raise RuntimeError("ApiClient is an async context manager: use `async with`")
        if origin_of(url) != origin_of(self._base):
            raise ConfigurationError(f"{origin_of(url)} is not the origin of the base URL")
        self.requests += 1
        result, started = "not read to its end", time.monotonic()
        try:
            # httpx limits each read; the deadline limits a server that sends a byte now and then.
            async with (
                asyncio.timeout_at(ends_at),
                self._http.stream("GET", url.copy_merge_params(query), headers={KEY_HEADER: self._key}) as response,
            ):
                body = await self._read(url, response)
            result = f"HTTP {response.status_code}, {len(body):,} bytes"
        except (httpx.TransportError, BrokenBodyError, TimeoutError) as error:
            if distrust := _find_distrust(error):
                result = f"its certificate is not trusted ({distrust})"
                raise ConfigurationError(
                    f"{origin_of(url)} cannot be trusted: its certificate is not valid here ({distrust}). The key was "
                    "not sent",
                    action=DISTRUSTED,
                ) from error
            setback = self._classify(error)
            result = setback.reason
            raise setback from (None if self.scrubber.holds_secret(str(error)) else error)
        finally:
            LOG.info("GET %s: %s, %.3f s", _label(self._show(url), query), result, time.monotonic() - started)
        return response, body

    async def _read(self, url: httpx.URL, response: httpx.Response) -> bytes:
        """The body, unpacked. httpx is not asked to unpack it, because it would unpack without a bound."""
        encoding = response.headers.get("content-encoding", "")
        if not is_readable(encoding):
            if response.status_code != 200:
                return b""  # the status says enough
            shown = self.scrubber.excerpt(encoding.encode())
            raise ApiChangedError(
                f"{self._show(url)} answered with the Content-Encoding `{shown}`, which puretalk does not accept",
                action="The operator of the API, or of a proxy in front of it, has to send JSON plain, or packed once "
                "with gzip: puretalk asks for nothing else.",
            )
        try:
            return await read_body(response.aiter_raw(), encoding, self._max_body)
        except BodyTooLargeError:
            raise ApiChangedError(
                f"{self._show(url)} answered more than {_size(self._max_body)} (max_body)", action=TOO_LARGE
            ) from None

    def _classify(self, error: Exception) -> PassingError:
        if isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return PassingError(f"did not answer in time ({type(error).__name__})")
        text = self.scrubber.scrub(str(error)) or type(error).__name__
        if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
            return PassingError(f"cannot be reached ({text})")
        return PassingError(f"broke off its answer ({text})")

    def _read_address(self, path: str) -> httpx.URL:
        return httpx.URL(f"{self._base}/{path}")

    def _scrub_address(self, url: httpx.URL) -> str:
        """A URL without its query, as messages show it."""
        return self.scrubber.scrub(str(url.copy_with(query=None, fragment=None)))


def _find_distrust(error: BaseException) -> str | None:
    """Why the certificate of the other side was refused, where that is what happened."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return " ".join(seen.verify_message.split()).rstrip(".")
        seen = seen.__cause__ or seen.__context__
    return None


async def _take_location(response: httpx.Response) -> None:
    """Keep the place to which a redirect leads from httpx, which reads it even where it does not follow: what it cannot
    read, it reports as a broken connection."""
    response.extensions[_LOCATION] = response.headers.pop("location", None)


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count % 2**20 == 0 else f"{count:,} bytes"


def _label(address: str, query: Mapping[str, int]) -> str:
    return " ".join([address, *(f"{name}={value}" for name, value in query.items())])
