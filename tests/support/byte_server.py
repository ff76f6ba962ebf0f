"""A small server whose answers are bytes, and a client of it. `DemoApi` serves an account; this one serves anything."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import PuretalkError
from puretalk.listener import SILENT, Listener
from puretalk.settings import ApiSettings

T = TypeVar("T")

KEY = "pt-key-4711-do-not-show"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def page(self) -> int:
        return int(self.query["page"])


Handler = Callable[[Request], Awaitable[bytes]]


class Server:
    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.origin = ""
        self.requests: list[Request] = []
        self.open = self.most_open = 0
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"{self.origin}/api"

    @property
    def pages(self) -> list[int]:
        return [request.page for request in self.requests]

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                target = urlsplit(head[0].split(" ")[1])
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                request = Request(unquote(target.path), dict(parse_qsl(target.query)), headers)
                self.requests.append(request)
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                try:
                    answer = await self.handler(request)
                finally:
                    self.open -= 1
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer[:500]:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def stop(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    server = Server(handler)
    listener = await asyncio.start_server(server.connect, "127.0.0.1", 0)
    server.origin = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


def answer(status: int, body: Any = b"", **headers: str) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    if "content_length" not in headers:
        lines.append(f"content-length: {len(payload)}")
    return "\r\n".join([*lines, "", ""]).encode() + payload


def page_of(records: list[Any], number: int, size: int, **lies: Any) -> bytes:
    start = (number - 1) * size
    if number > 1 and start >= len(records):
        return answer(404, {"detail": "Invalid page."})
    following = f"https://api.puretalk.ai/api/ai-assistants/?page={number + 1}"
    results = records[start : start + size]
    shown = {"count": len(records), "next": following if start + size < len(records) else None, "results": results}
    return answer(200, shown | lies)


def listing(records: list[Any], size: int) -> Handler:
    async def handle(request: Request) -> bytes:
        return page_of(records, request.page, size)

    return handle


def in_turn(*answers: bytes) -> Handler:
    """Gives each answer once, then always the last one."""
    left = list(answers)

    async def handle(_: Request) -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return handle


EMPTY_PAGE = answer(200, {"count": 0, "next": None, "results": []})
CUT_OFF = answer(200, b'{"count": 0, ', content_length="9000", connection="close")
HTML = answer(200, b"<!DOCTYPE html><title>502 Bad Gateway</title>")


class Naps:
    """A sleep that takes no time and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def client_of(server: Server, *, sleep: Any = None, listener: Listener = SILENT, **settings: Any) -> ApiClient:
    settings = {"api_key": KEY, "base_url": server.base_url} | settings
    return ApiClient(ApiSettings(**settings), sleep=sleep or Naps(), listener=listener, now=lambda: NOON)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(bounded())


def fetch_first(handler: Handler, **settings: Any) -> Page | PuretalkError:
    """What page 1 gives, or the error; and no error ever shows the key."""

    async def main() -> Page | PuretalkError:
        async with serving(handler) as server, client_of(server, **settings) as client:
            try:
                page = await fetch_page(client, ENDPOINT, 1)
            except PuretalkError as error:
                shown = "".join(traceback.format_exception(error)) + repr(error) + error.action
                assert KEY not in shown
                assert "page=1" not in shown
                return error
            assert page is not None
            return page

    return run(main)
