"""An API whose answers are bytes of the test's own, in a thread: for whole syncs against what no JSON writer makes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

#: Takes the path and the query of a GET.
Answers = Callable[[str, Mapping[str, str]], "Raw"]


@dataclass(frozen=True)
class Raw:
    """An answer. Header values are sent as they are."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def page(records: Iterable[bytes], *, count: int | None = None, following: bytes = b"null") -> Raw:
    """A page of records, each the text of a JSON value."""
    records = list(records)
    number = len(records) if count is None else count
    return Raw(b'{"count":%d,"next":%b,"results":[%b]}' % (number, following, b",".join(records)))


class RawApi:
    """The server; a context manager. `answers` may be set at any time. With `tls` it speaks https."""

    def __init__(self, answers: Answers, *, tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.requests = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/api"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                api.requests += 1
                url = urlsplit(self.path)
                raw = api.answers(url.path, dict(parse_qsl(url.query)))
                self.send_response(raw.status)
                for name, value in (*raw.headers, ("Content-Length", str(len(raw.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw.body)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # the client has left, or refused our certificate
                    self.close_connection = True

        return Handler
