"""The pages of a list, in their order, with up to a window of them fetched ahead.

A record whose digest the caller knows is not parsed: parsing costs ten times as much as splitting and hashing. A page
whose digest the caller knows is not even split.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from puretalk.api.client import ApiClient
from puretalk.api.endpoint import Endpoint
from puretalk.api.splitting import Envelope, Record, read_envelope
from puretalk.api.transport import Reply
from puretalk.errors import ApiChangedError, RetryLaterError
from puretalk.json_values import kind_of

#: Up to this many pages in a row with the same records, rows may have shifted; after that, the server ignores `page`.
SAME_PAGES = 10
#: The largest `count` that a column of the warehouse can hold.
MOST_COUNTED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page as an earlier walk read it: the digest of its body, those of its records, and what else it said."""

    digest: bytes
    records: tuple[bytes, ...]
    count: int
    has_next: bool


@dataclass(frozen=True)
class Page:
    """One page of a list, as it was at `received_at` (UTC). `count` is what the API says the whole list has. `digest`:
    that of its body (`ApiClient.digest`).

    `body` is kept only where the page is known, and not split: then the records have their digest, and neither bytes
    nor a value."""

    number: int
    records: Sequence[Record]
    count: int
    has_next: bool
    received_at: datetime
    digest: bytes
    body: bytes = b""

    def split(self, client: ApiClient, known: Container[bytes]) -> Page:
        """The same page with the bytes of its records, and the values of those that are not in `known`."""
        records = read_envelope(client, self.body, known, is_bounded=False).records if self.body else None
        return replace(self, records=records, body=b"") if records is not None else self


async def fetch_page(
    client: ApiClient,
    endpoint: Endpoint,
    number: int,
    *,
    page_size: int | None = None,
    known: Container[bytes] = frozenset(),
    known_pages: Mapping[int, KnownPage] = MappingProxyType({}),
) -> Page | None:
    """Page `number` (from 1) of a list; None when the API says that it does not exist. A list always has a page 1.

    `page_size`: records to ask for; None for the setting. Records whose digest is in `known` are not parsed, and a page
    that is what it is in `known_pages` is not split."""
    query = {"page": number, "limit": page_size or client.settings.page_size}
    known_page = known_pages.get(number)

    def read(body: bytes) -> tuple[bytes, KnownPage | Envelope]:
        digest = client.digest(body)
        if known_page is not None and digest == known_page.digest:
            return digest, known_page
        return digest, read_envelope(client, body, known)

    reply, found = await client.ask(endpoint.path, route=endpoint.path, query=query, read=read)
    if reply.status != 404:
        digest, what = found or (b"", Envelope())
        if isinstance(what, KnownPage):
            records = [Record(each, b"", None) for each in what.records]
            return Page(number, records, what.count, what.has_next, reply.received_at, digest, reply.body)
        return _read_page(client, number, reply, digest, what)
    if number > 1:
        return None
    raise ApiChangedError(f"{reply.address} does not exist (HTTP 404): the base URL is wrong")


async def fetch_pages(
    client: ApiClient,
    endpoint: Endpoint,
    *,
    known: Container[bytes] = frozenset(),
    known_pages: Mapping[int, KnownPage] = MappingProxyType({}),
    other_than: int | None = None,
) -> AsyncGenerator[Page, None]:
    """The pages of a list in their order: always page 1, then those that have records.

    Page 1 is fetched alone, because it tells how many pages to expect; after that up to `window` pages are fetched
    ahead of the consumer. After the expected pages it fetches one at a time, as long as the API says that there is a
    next page and that page has new records. It always ends. Use `contextlib.aclosing` to leave it early. Records whose
    digest is in `known` are not parsed, `known_pages` are not split. `other_than`: records per page of the walk before;
    the pages get another size, so that they begin and end at other records, as far as the API allows it.
    """
    page_size, first = await _fetch_first_page(client, endpoint, known, known_pages, other_than)
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
            page = fetch_page(client, endpoint, number, page_size=page_size, known=known, known_pages=known_pages)
            ahead.append(client.start(page))
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
            same = same + 1 if _is_same(page, previous) else 1
            if same > (SAME_PAGES if page.number <= expected else 1):
                return
            fetch_ahead(expected)
            yield page
            previous = page
    finally:
        await client.cancel(ahead)


async def _fetch_first_page(
    client: ApiClient,
    endpoint: Endpoint,
    known: Container[bytes],
    known_pages: Mapping[int, KnownPage],
    other_than: int | None,
) -> tuple[int, Page]:
    """Page 1 and the size that was asked for: larger than that of the walk before, because larger pages cost fewer
    requests; smaller where the API does not give that, refuses it or fails at it."""
    sizes = [4 * other_than, max(1, 3 * other_than // 4)] if other_than else []
    for page_size in sizes:
        try:
            page = await fetch_page(client, endpoint, 1, page_size=page_size, known=known)
        except (ApiChangedError, RetryLaterError):
            continue
        if page is not None and (len(page.records) != other_than or len(page.records) >= page.count):
            return page_size, page
    page_size = client.settings.page_size
    first = await fetch_page(client, endpoint, 1, page_size=page_size, known=known, known_pages=known_pages)
    assert first is not None
    return page_size, first


def _is_same(page: Page, other: Page) -> bool:
    return [each.digest or each.body for each in page.records] == [each.digest or each.body for each in other.records]


def _read_page(client: ApiClient, number: int, reply: Reply, digest: bytes, envelope: Envelope) -> Page:
    count, records, following = envelope.count, envelope.records, envelope.following
    if count is None:
        flaw = "it has no `count`"
    elif not isinstance(count, int) or isinstance(count, bool):
        flaw = f"`count` is {kind_of(count)}, not a whole number"
    elif not 0 <= count <= MOST_COUNTED:
        flaw = "`count` is negative" if count < 0 else f"`count` is more than {MOST_COUNTED:,}"
    elif records is None:
        flaw = "`results` is no list"
    elif not (following is None or isinstance(following, str)):
        flaw = f"`next` is {kind_of(following)}"
    else:
        return Page(number, records, count, following is not None, reply.received_at, digest)
    raise ApiChangedError(
        f"{reply.address} answered something other than a page (`count`, `next`, `results`): {client.describe(reply)}; "
        + flaw
    )
