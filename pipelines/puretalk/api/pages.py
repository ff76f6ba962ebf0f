"""The pages of a list, in their order, with up to a window of them fetched ahead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.endpoint import Endpoint
from puretalk.api.transport import Reply
from puretalk.errors import ApiChangedError
from puretalk.json_values import JSONValue

#: Up to this many pages in a row with the same records, rows may have shifted; after that, the server ignores `page`.
SAME_PAGES = 10


@dataclass(frozen=True)
class Page:
    """One page of a list, as it was at `received_at` (UTC). `count` is what the API says the whole list has."""

    number: int
    records: list[JSONValue]
    count: int
    has_next: bool
    received_at: datetime


async def fetch_page(client: ApiClient, endpoint: Endpoint, number: int) -> Page | None:
    """Page `number` (from 1) of a list; None when the API says that it does not exist. A list always has a page 1."""
    query = {"page": number, "limit": client.settings.page_size}
    reply, value = await client.ask(endpoint.path, route=endpoint.path, query=query)
    if reply.status != 404:
        return _read_page(client, number, reply, value)
    if number > 1:
        return None
    raise ApiChangedError(f"{reply.address} does not exist (HTTP 404): the base URL is wrong")


async def fetch_pages(client: ApiClient, endpoint: Endpoint) -> AsyncGenerator[Page, None]:
    """The pages of a list in their order: always page 1, then those that have records.

    Page 1 is fetched alone, because it tells how many pages to expect; after that up to `window` pages are fetched
    ahead of the consumer. After the expected pages it fetches one at a time, as long as the API says that there is a
    next page and that page has new records. It always ends. Use `contextlib.aclosing` to leave it early.
    """
    first = await fetch_page(client, endpoint, 1)
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
        while number <= last and len(ahead) < client.settings.window:
            ahead.append(client.start(fetch_page(client, endpoint, number)))
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
        await client.cancel(ahead)


def _read_page(client: ApiClient, number: int, reply: Reply, value: JSONValue) -> Page:
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
        f"{reply.address} answered something other than a page (`count`, `next`, `results`): {client.describe(reply)}"
    )
