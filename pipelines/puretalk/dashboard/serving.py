"""The written page over HTTP, for a browser that cannot open files: one page, read again for each request."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

#: What only a header can say; the rest of the policy is in the page.
_HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve_dashboard(
    path: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the page until interrupted (KeyboardInterrupt); port 0 takes a free one.

    `on_ready` gets the address as soon as the server answers. Every user of this machine reaches the port, and the file
    is for its owner only: so the address holds a token, which is another one after each start. A refreshed file is
    served from the next request on. On a loopback address, requests under any other host name are refused: a foreign
    page cannot reach the data by pointing a name of its own here.
    """
    loopback = {"127.0.0.1", "localhost", "[::1]"}
    token = secrets.token_urlsafe(24)

    class _Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "puretalk"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def _answer(self) -> None:
            name = (self.headers.get("Host") or "").rsplit(":", 1)[0]
            if host in {"127.0.0.1", "localhost", "::1"} and name not in loopback:
                self._send(HTTPStatus.MISDIRECTED_REQUEST, b"This server answers to its own name only.\n", "text/plain")
                return
            _, given, *rest = [*self.path.partition("?")[0].split("/"), ""]
            # In the path, not in a cookie: a cookie would go to every other port of this machine too.
            if not hmac.compare_digest(given.encode(), token.encode()):
                self._send(HTTPStatus.FORBIDDEN, b"Use the address that `puretalk dashboard` printed.\n", "text/plain")
            elif any(rest):
                self._send(HTTPStatus.NOT_FOUND, b"There is one page here.\n", "text/plain")
            else:
                try:
                    body = path.read_bytes()
                except OSError:
                    self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"The page has not been written yet.\n", "text/plain")
                else:
                    self._send(HTTPStatus.OK, body, "text/html")

        def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: the address holds the token."""

    with ThreadingHTTPServer((host, port), _Page) as server:
        server.daemon_threads = True
        if on_ready is not None:
            shown_host = f"[{host}]" if ":" in host else host
            on_ready(f"http://{shown_host}:{server.server_address[1]}/{token}/")
        server.serve_forever()
