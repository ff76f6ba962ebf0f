"""An API on loopback that throttles, and a window that does not adapt, for comparison."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from puretalk.api.client import ApiClient
from puretalk.api.retries import Lane
from puretalk.api.window import Window


@dataclass
class ThrottlingApi:
    """Pages of one record each. A request that `refuses` gets a 429 at once; the others take `latency` seconds and
    `turns` of the event loop, at most `workers` of them at a time, and the rest wait in a queue. `refuses` hears how
    many requests are open, this one included. A client in the same loop has sent what it may send after some turns of
    it, on a slow machine too. Attributes can be changed at any time."""

    pages: int
    latency: float = 0.0
    turns: int = 0
    workers: int = 1000
    refuses: Callable[[int], bool] = lambda _: False
    retry_after: int | None = None
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Of the pages that were served: seconds, waiting in the queue included."""
    open: int = 0
    most_open: int = 0
    base_url: str = ""

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ThrottlingApi]:
        """Serve on a free port of loopback until the end of the block."""
        queue, connections = asyncio.Semaphore(self.workers), set[asyncio.Task[None]]()

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    number = int(parse_qs(urlsplit(head.split(b" ")[1].decode()).query)["page"][0])
                    writer.write(await self._answer(number, queue))
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
        try:
            yield self
        finally:
            server.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _answer(self, number: int, queue: asyncio.Semaphore) -> bytes:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        status, body = 200, {"count": self.pages, "next": "more" if number < self.pages else None, "results": [number]}
        try:
            if self.refuses(self.open):
                status, body = 429, {"detail": "Request was throttled."}
            else:
                arrived_at = time.monotonic()
                async with queue:
                    await asyncio.sleep(self.latency)
                    for _ in range(self.turns):
                        await asyncio.sleep(0)
                self.latencies.append(time.monotonic() - arrived_at)
        finally:
            self.open -= 1
            self.statuses[status] += 1
        text = json.dumps(body)
        wish = f"retry-after: {self.retry_after}\r\n" if status == 429 and self.retry_after is not None else ""
        return f"HTTP/1.1 {status} X\r\n{wish}content-length: {len(text)}\r\n\r\n{text}".encode()


class FixedWindow(Window):
    """Always as large as the setting."""

    @asynccontextmanager
    async def slot(self, route: str, *, lane: Lane | None = None) -> AsyncIterator[Callable[[int], None]]:
        async with super().slot(route, lane=lane):
            yield lambda _: None


def fix_window(client: ApiClient) -> ApiClient:
    """The same client, before its first request, with a window that does not adapt."""
    client.window = FixedWindow(client.settings.window)
    return client
