"""What a walk costs an API that throttles, with a fixed and with the adaptive window: `make bench-throttle ARGS=pages`.

The two walks of a line run at the same time against a server of their own, on loopback. Pauses are real. Latency is the
median that the server took for a page that it served, waiting in its queue included.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from statistics import median

from support.throttling import ThrottlingApi, fix_window

from puretalk.api.client import ApiClient
from puretalk.api.pages import fetch_pages
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import RetryLaterError
from puretalk.settings import ApiSettings

LATENCY = 0.1  # seconds of each answer


def at_most(requests: int) -> Callable[[int], bool]:
    """Refuses what is in flight beyond so many requests."""
    return lambda in_flight: in_flight > requests


def per_second(rate: int, *, until: float = float("inf")) -> Callable[[int], bool]:
    """Refuses what comes beyond so many requests per second, in the first `until` seconds."""
    first: float | None = None
    second, served = -1, 0

    def refuses(_: int) -> bool:
        nonlocal first, second, served
        now = time.monotonic()
        first = now if first is None else first
        if int(now - first) != second:
            second, served = int(now - first), 0
        served += 1
        return now - first < until and served > rate

    return refuses


def make_apis(pages: int) -> dict[str, Callable[[], ThrottlingApi]]:
    """The servers to compare, each by what it does."""
    return {
        "healthy": lambda: ThrottlingApi(pages, LATENCY),
        "429 beyond 3 in flight": lambda: ThrottlingApi(pages, LATENCY, refuses=at_most(3)),
        "429 beyond 6 in flight": lambda: ThrottlingApi(pages, LATENCY, refuses=at_most(6)),
        "429 beyond 10 per second": lambda: ThrottlingApi(pages, LATENCY, refuses=per_second(10), retry_after=1),
        "the same for 5 seconds": lambda: ThrottlingApi(pages, LATENCY, refuses=per_second(10, until=5), retry_after=1),
        "serves 2 at a time": lambda: ThrottlingApi(pages, LATENCY, workers=2),
    }


async def measure(api: ThrottlingApi, *, is_fixed: bool) -> str:
    """Walk all pages; one line of figures."""
    async with api.serving():
        client = ApiClient(ApiSettings("pt-key-of-the-benchmark", api.base_url))
        started, pages, end = time.monotonic(), 0, ""
        async with fix_window(client) if is_fixed else client:
            try:
                async with aclosing(fetch_pages(client, ENDPOINT)) as found:
                    async for _ in found:
                        pages += 1
            except RetryLaterError as error:
                end = f"  {error.message}"
        seconds = time.monotonic() - started
        return (
            f"{'fixed' if is_fixed else 'adaptive':10}{pages:6}{api.requests:10}{api.statuses[429]:6}{seconds:9.1f}"
            f"{1000 * median(api.latencies):9.0f}{client.window.size:6}{end}"
        )


async def compare(pages: int) -> None:
    """Print the table."""
    print(f"{'server':26}{'window':10}{'pages':>6}{'requests':>10}{'429s':>6}{'seconds':>9}{'ms':>9}{'end':>6}")
    for name, make in make_apis(pages).items():
        for line in await asyncio.gather(measure(make(), is_fixed=True), measure(make(), is_fixed=False)):
            print(f"{name:26}{line}", flush=True)


if __name__ == "__main__":
    asyncio.run(compare(int(sys.argv[1]) if sys.argv[1:] else 200))
