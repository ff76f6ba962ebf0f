"""The pages of a list, in their order, with up to a window of them fetched ahead.

A page is split into the bytes of its records, and each record has the SHA-256 of its bytes. A record whose digest the
caller knows is not parsed: parsing costs ten times as much as splitting and hashing. A page whose digest the caller
knows is not even split.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

import msgspec

from puretalk.api.client import ApiClient
from puretalk.api.endpoint import Endpoint
from puretalk.api.transport import Reply
from puretalk.errors import ApiChangedError, RetryLaterError
from puretalk.json_values import JSONValue, parse_json

#: Up to this many pages in a row with the same records, rows may have shifted; after that, the server ignores `page`.
SAME_PAGES = 10


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it came: its bytes, their SHA-256, and its value; the value is None where the digest was known.

    A record that was not split from a page has an empty digest, and so has one that held the API key: its value is
    without the key, and its bytes must not become known, or the next sync would not tell of it."""

    digest: bytes
    body: bytes | msgspec.Raw
    value: JSONValue
    held_key: bool = False

    @classmethod
    def of(cls, value: JSONValue, *, held_key: bool = False) -> Self:
        """The record of a value."""
        return cls(b"", json.dumps(value).encode("ascii"), value, held_key)


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page as an earlier walk read it: the SHA-256 of its body, those of its records, and what else it said."""

    digest: bytes
    records: tuple[bytes, ...]
    count: int
    has_next: bool


@dataclass(frozen=True)
class Page:
    """One page of a list, as it was at `received_at` (UTC). `count` is what the API says the whole list has. `digest`:
    the SHA-256 of its body.

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
        records = _read_envelope(client, self.body, known).records if self.body else None
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

    def read(body: bytes) -> tuple[bytes, KnownPage | _Envelope]:
        digest = hashlib.sha256(body).digest()
        if known_page is not None and digest == known_page.digest:
            return digest, known_page
        return digest, _read_envelope(client, body, known)

    reply, found = await client.ask(endpoint.path, route=endpoint.path, query=query, read=read)
    if reply.status != 404:
        digest, what = found or (b"", _Envelope())
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


@dataclass(frozen=True)
class _Envelope:
    """The fields of a page as they came, with its records split; `records` is None where there is no list of them."""

    count: JSONValue = None
    records: list[Record] | None = None
    following: JSONValue = None


class _Split(msgspec.Struct):
    """A page as msgspec splits it: each record is a view of its bytes."""

    results: list[msgspec.Raw]
    count: Any = None
    next: Any = None


_SPLIT = msgspec.json.Decoder(_Split)


def _read_envelope(client: ApiClient, body: bytes, known: Container[bytes]) -> _Envelope:
    """What a body says as a page, without the key. Raises the errors of `parse_json`."""
    try:
        split = _SPLIT.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # msgspec is stricter than `parse_json`, which reads NaN, a byte order mark and lone surrogates too.
        value = parse_json(body)
        if not isinstance(value, dict):
            return _Envelope()
        results = value.get("results")
        parsed: list[Record] | None = None
        if isinstance(results, list):
            redacted = [client.redact(each, body) for each in results]
            parsed = [Record.of(each, held_key=held_key) for each, held_key in redacted]
        return _Envelope(value.get("count"), parsed, value.get("next"))
    digests = [hashlib.sha256(each).digest() for each in split.results]
    # Known bytes were searched when they became known. A page is searched as a whole: that takes half the time.
    is_suspect = any(digest not in known for digest in digests) and client.holds_key(body)
    records: list[Record] = []
    for digest, each in zip(digests, split.results, strict=True):
        value, held_key = (None, False) if digest in known else (parse_json(bytes(each)), False)
        if is_suspect and digest not in known:
            value, held_key = client.redact(value, bytes(each))
        records.append(Record.of(value, held_key=True) if held_key else Record(digest, each, value))
    return _Envelope(split.count, records, split.next)


def _read_page(client: ApiClient, number: int, reply: Reply, digest: bytes, envelope: _Envelope) -> Page:
    count, records, following = envelope.count, envelope.records, envelope.following
    if (
        isinstance(count, int)
        and not isinstance(count, bool)
        and count >= 0
        and records is not None
        and (following is None or isinstance(following, str))
    ):
        return Page(number, records, count, following is not None, reply.received_at, digest)
    raise ApiChangedError(
        f"{reply.address} answered something other than a page (`count`, `next`, `results`): {client.describe(reply)}"
    )
