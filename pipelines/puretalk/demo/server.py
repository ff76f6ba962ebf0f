"""The demo account behind a real HTTP/1.1 server that works, and fails, as services of this kind do.

    with DemoApi(account, page_cap=10) as api:
        api.fail("502", times=2)                      # the next two requests
        api.after_page = lambda page: account.edit(…)  # drift in the middle of a walk
        …
        assert [seen.status for seen in api.requests] == [502, 502, 200]

Knobs are attributes; set them at any time, also while requests run.
"""

from __future__ import annotations

import json
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType, TracebackType
from typing import Any, Final, Literal, Self, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from puretalk.demo.account import ORDERS, Account, Order

DEFAULT_PAGE_SIZE: Final = 25
API_PATH: Final = "/api"
LIST_PATH: Final = f"{API_PATH}/ai-assistants"
LOOP_PATH: Final = f"{API_PATH}/round-and-round/"
PUBLIC_BASE: Final = "https://api.puretalk.ai/api"
INTERNAL_BASE: Final = "http://puretalk-web.internal:8000/api"

LinkStyle = Literal["public", "own", "internal"]
NextLie = Literal["endless", "early", "missing"]
Detail = Literal["ok", "missing", "error", "forbidden"]
Shape = Literal["list", "no_results", "null", "results_not_a_list"]
Fault = Literal[
    "401", "403", "404", "429", "500", "502", "503", "504",
    "html", "truncated", "not_json", "reset", "redirect_foreign", "redirect_loop", "wrong_shape", "hang",
]  # fmt: skip

_KNOBS: Final[dict[str, tuple[object, ...]]] = {
    "order": ORDERS,
    "link_style": get_args(LinkStyle),
    "next_lie": (None, *get_args(NextLie)),
    "detail": get_args(Detail),
}
_HTML: Final = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
_REASONS: Final = {
    "401": "Authentication credentials were not provided.",
    "403": "Invalid API key.",
    "404": "Not found.",
    "429": "Request was throttled.",
    "500": "Internal server error.",
    "502": "Bad gateway.",
    "503": "Service unavailable.",
    "504": "Gateway timeout.",
}


@dataclass(frozen=True)
class Asked:
    """A list or detail request, for the `when` of a fault."""

    path: str
    query: Mapping[str, str]
    page: int | None
    """The page asked for (1 by default); None for a detail request and a page that is not a number."""
    assistant_id: str | None
    """None for a list request."""


@dataclass(frozen=True)
class Seen:
    """A request that arrived, and the status of the answer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    status: int
    """0 if there was no answer (reset, hang)."""
    received_at: float
    """Seconds of `time.monotonic()`."""


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    end: Literal["whole", "truncated", "reset", "hang"] = "whole"
    page: int | None = None
    """Its number if it is a list page; None otherwise (then no hook is called)."""


@dataclass
class _Planned:
    kind: Fault
    left: int | None
    when: Callable[[Asked], bool] | None
    answer: Callable[[str], _Answer]
    """Takes the query string of the request, because a redirect keeps it."""


class DemoApi:
    """The server; a context manager. An error of a handler or hook is raised again where the `with` ends.

    Knobs
        latency           seconds before each answer
        page_cap          most records in a page; a larger `limit` is cut silently
        order             of the list: an `Order`
        slash_redirect    URLs without a final slash answer a relative 301 (before the key is checked)
        link_style        the base of the addresses in `next` and `previous`
        detail            how `GET /ai-assistants/{id}` answers
        count_lie         added to `count`
        next_lie          "endless": always a next page; "early": never a next page; "missing": no such field
        date_offset       seconds added to the time in the `Date` header
        repeat_page       `page` is ignored: every request gets the first page
        before_page(n)    called before list page n is read
        after_page(n)     called after page n is read and before it is sent: all later requests see what it changes.
                          Hooks run one at a time.
    """

    def __init__(
        self,
        account: Account,
        key: str = "demo-key",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
        page_cap: int = 100,
        order: Order = "created",
        slash_redirect: bool = False,
        link_style: LinkStyle = "public",
        detail: Detail = "ok",
        count_lie: int | None = None,
        next_lie: NextLie | None = None,
        date_offset: float = 0.0,
        repeat_page: bool = False,
        before_page: Callable[[int], None] | None = None,
        after_page: Callable[[int], None] | None = None,
    ) -> None:
        self.account = account
        self.key = key
        self.latency = latency
        self.page_cap = page_cap
        self.order: Order = order
        self.slash_redirect = slash_redirect
        self.link_style: LinkStyle = link_style
        self.detail: Detail = detail
        self.count_lie = count_lie
        self.next_lie: NextLie | None = next_lie
        self.date_offset = date_offset
        self.repeat_page = repeat_page
        self.before_page = before_page
        self.after_page = after_page
        self.peak_in_flight = 0
        self._in_flight = 0
        self._lock = threading.RLock()
        self._hooks = threading.RLock()
        self._closing = threading.Event()
        self._planned: list[_Planned] = []
        self._requests: list[Seen] = []
        self._raised: list[BaseException] = []
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="demo-api", daemon=True)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _KNOBS and value not in _KNOBS[name]:
            raise ValueError(f"{name} is one of {_KNOBS[name]}, not {value!r}")
        super().__setattr__(name, value)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()
        if self._raised and error is None:
            raise self._raised[0]

    @property
    def origin(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}{API_PATH}"

    @property
    def requests(self) -> list[Seen]:
        """Every request so far, in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    def forget_requests(self) -> None:
        with self._lock:
            self._requests.clear()
            self.peak_in_flight = self._in_flight

    def fail(
        self,
        kind: Fault,
        times: int | None = 1,
        *,
        when: Callable[[Asked], bool] | None = None,
        retry_after: float | str | datetime | None = None,
        html: bool = False,
        location: str | None = None,
        shape: Shape = "list",
    ) -> None:
        """Make the next `times` list or detail requests for which `when` is true fail (None: all, until `heal`).

        Faults planned earlier go first. `retry_after` is for 429 and 503: seconds, "date" (an HTTP date one to two
        seconds ahead), a datetime, or any text. `html` gives an error status an HTML body. `location` is the target of
        redirect_foreign.
        """
        if kind not in get_args(Fault):
            raise ValueError(f"fault {kind!r} is none of {', '.join(get_args(Fault))}")
        if shape not in get_args(Shape):
            raise ValueError(f"shape {shape!r} is none of {', '.join(get_args(Shape))}")
        foreign = location or "https://elsewhere.example/api/ai-assistants/"

        def answer(query: str) -> _Answer:
            if kind in _REASONS:
                return _error(kind, html=html, headers=_retry_after(retry_after))
            if kind == "html":
                return _Answer(200, _HTML.format("Please sign in").encode(), "text/html; charset=utf-8")
            if kind == "not_json":
                return _Answer(200, b'{"count": 120, "next": null, "results": [{"assistant_id": "3c9')
            if kind == "wrong_shape":
                return _json(200, _SHAPES[shape])
            if kind == "redirect_foreign":
                return _redirect(302, foreign, query)
            if kind == "redirect_loop":
                return _redirect(302, LOOP_PATH, query)
            if kind == "truncated":
                return _Answer(200, b'{"count": 120, "next": null, "results": [', end="truncated")
            return _Answer(0, end="reset" if kind == "reset" else "hang")

        with self._lock:
            self._planned.append(_Planned(kind, times, when, answer))

    def heal(self) -> None:
        """Forget the faults that are still planned."""
        with self._lock:
            self._planned.clear()

    # Answering

    def _arrived(self) -> None:
        with self._lock:
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)

    def _left(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def _saw(self, seen: Seen) -> None:
        with self._lock:
            self._requests.append(seen)

    def _answer(self, target: str, headers: Mapping[str, str]) -> _Answer:
        if self.latency:
            self._closing.wait(self.latency)
        url = urlsplit(target)
        if url.path == LOOP_PATH:
            return _redirect(302, LOOP_PATH, url.query)
        asked = _asked(url.path, dict(parse_qsl(url.query, keep_blank_values=True)))
        if asked is None:
            return _error("404")
        if self.slash_redirect and not url.path.endswith("/"):
            return _redirect(301, f"{url.path}/", url.query)
        fault = self._due(asked)
        if fault:
            return fault.answer(url.query)
        given = headers.get("x-api-key")
        if not given:
            return _error("401")
        if given != self.key:
            return _error("403")
        return self._page(asked.query) if asked.assistant_id is None else self._one(asked.assistant_id)

    def _due(self, asked: Asked) -> _Planned | None:
        with self._lock:
            for planned in self._planned:
                if planned.when is None or planned.when(asked):
                    if planned.left is not None:
                        planned.left -= 1
                        if planned.left <= 0:
                            self._planned.remove(planned)
                    return planned
        return None

    def _page(self, query: Mapping[str, str]) -> _Answer:
        page = 1 if self.repeat_page else _page_number(query)
        if page is None or page < 1:
            return _json(404, {"detail": "Invalid page."})
        size = min(_positive(query.get("limit")) or DEFAULT_PAGE_SIZE, self.page_cap)
        self._call(self.before_page, page)
        count, results = self.account.page(self.order, (page - 1) * size, page * size)
        last = max(1, -(-count // size))
        if page > last:
            if self.next_lie != "endless":
                return _json(404, {"detail": "Invalid page."})
            count, results = self.account.page(self.order, (last - 1) * size, last * size)
        has_next = page < last if self.next_lie != "endless" else True
        body: dict[str, Any] = {
            "count": max(0, count + (self.count_lie or 0)),
            "next": self._link(query, page + 1) if has_next and self.next_lie != "early" else None,
            "previous": self._link(query, page - 1) if page > 1 else None,
            "results": results,
        }
        if self.next_lie == "missing":
            del body["next"]
        answer = _json(200, body, page)
        self._call(self.after_page, page)
        return answer

    def _one(self, assistant_id: str) -> _Answer:
        if self.detail == "error":
            return _error("500")
        if self.detail == "forbidden":
            return _json(403, {"detail": "You do not have permission to perform this action."})
        try:
            record = self.account.record(assistant_id) if self.detail == "ok" else None
        except KeyError:
            record = None
        if record is None:
            return _error("404")
        return _json(200, {"msg": "Assistant retrieved successfully.", "err": None, "results": record})

    def _link(self, query: Mapping[str, str], page: int) -> str:
        base = {"public": PUBLIC_BASE, "own": self.base_url, "internal": INTERNAL_BASE}[self.link_style]
        rest = {name: value for name, value in query.items() if name != "page"}
        return f"{base}/ai-assistants/?{urlencode({'page': page, **rest})}"

    def _call(self, hook: Callable[[int], None] | None, page: int) -> None:
        if hook:
            with self._hooks:
                hook(page)


def serve(
    account: Account,
    host: str = "127.0.0.1",
    port: int = 8080,
    key: str = "demo-key",
    *,
    ready: Callable[[DemoApi], None] | None = None,
    **knobs: Any,
) -> None:
    """Serve until SIGINT or SIGTERM. Main thread only: it replaces the handlers of the two signals and restores them.
    `ready` is called with the running API. OSError when the port is taken."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with DemoApi(account, key, host=host, port=port, **knobs) as api:
            if ready:
                ready(api)
            stopped.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# Reading requests, writing answers

_SHAPES: Final[dict[Shape, object]] = {
    "list": [],
    "no_results": {"count": 1, "next": None, "previous": None},
    "null": None,
    "results_not_a_list": {"count": 1, "next": None, "previous": None, "results": {"0": {}}},
}


def _asked(path: str, query: dict[str, str]) -> Asked | None:
    if path.rstrip("/") == LIST_PATH:
        return Asked(path, query, _page_number(query), None)
    head, _, assistant_id = path.rstrip("/").rpartition("/")
    return Asked(path, query, None, assistant_id) if head == LIST_PATH else None


def _page_number(query: Mapping[str, str]) -> int | None:
    try:
        return int(query.get("page") or 1)
    except ValueError:
        return None


def _positive(text: str | None) -> int | None:
    try:
        number = int(text or "")
    except ValueError:
        return None
    return number if number > 0 else None


def _json(status: int, body: object, page: int | None = None) -> _Answer:
    """ASCII, so that NUL characters and lone surrogates in a record can be served."""
    return _Answer(status, json.dumps(body, separators=(",", ":")).encode("ascii"), page=page)


def _error(status: str, *, html: bool = False, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    if html:
        body = _HTML.format(f"{status} {_REASONS[status]}").encode()
        return _Answer(int(status), body, "text/html", headers)
    return _Answer(int(status), json.dumps({"detail": _REASONS[status]}).encode(), headers=headers)


def _redirect(status: int, location: str, query: str) -> _Answer:
    return _Answer(status, headers=(("Location", f"{location}?{query}" if query else location),))


def _retry_after(value: float | str | datetime | None) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if value == "date":
        value = datetime.now(UTC) + timedelta(seconds=2)
    text = format_datetime(value.astimezone(UTC), usegmt=True) if isinstance(value, datetime) else str(value)
    return (("Retry-After", text),)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: DemoApi) -> None:
        self.api = api
        self._open: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own method looks up the host's name, which can take seconds
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def opened(self, connection: socket.socket) -> None:
        with self._guard:
            self._open[threading.current_thread()] = connection
            if self.api._closing.is_set():
                _shut(connection)

    def closed(self) -> None:
        with self._guard:
            self._open.pop(threading.current_thread(), None)

    def end_connections(self) -> None:
        """Close the kept-alive connections and wait until their threads end."""
        with self._guard:
            still = dict(self._open)
            for connection in still.values():
                _shut(connection)
        for thread in still:
            thread.join(timeout=5)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that disconnects is not an error; any other error of a handler is kept for `DemoApi.__exit__`."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.api._raised.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "puretalk-demo"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.closed()

    def do_GET(self) -> None:
        received_at = time.monotonic()
        api = self.server.api
        api._arrived()
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = api._answer(self.path, headers)
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            api._saw(Seen("GET", url.path, query, headers, answer.status, received_at))
        finally:
            api._left()
        self._send(answer)

    def _send(self, answer: _Answer) -> None:
        if answer.end == "hang":
            self.server.api._closing.wait()
        if answer.end in ("hang", "reset"):
            _reset(self.connection)
            self.close_connection = True
            return
        length = len(answer.body) + (1000 if answer.end == "truncated" else 0)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(length))
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.end == "truncated":
            self.close_connection = True
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.server.api.date_offset)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to stderr: `DemoApi.requests` is the log."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client closed it first


def _reset(connection: socket.socket) -> None:
    """Close with RST. The descriptor is detached from the socket first: while the handler's files hold the socket, its
    own `close` would wait for them and end with FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close(connection.detach())
