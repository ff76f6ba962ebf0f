"""One walk over all pages of a list, and whether it was complete.

The API pages by offset: a record that is created, deleted or re-ordered during the walk shifts the others, so that a
walk can show a record twice or never. A walk is complete when it saw exactly as many distinct records as the API
counted, when that count stayed the same, and when no record came twice. `Walk.doubts` lists what was not so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from puretalk.api.client import ApiClient
from puretalk.api.endpoint import Endpoint
from puretalk.api.pages import KnownPage, Page, fetch_pages
from puretalk.api.splitting import Record
from puretalk.errors import ApiChangedError
from puretalk.listener import SILENT, Listener

LOG = logging.getLogger(__package__)

_ENDLESS = (
    "Nothing was loaded, and the warehouse is as it was. If the account is really that large, raise max_pages and "
    "max_records. Otherwise the API, or a proxy in front of it, sends a list without an end: its operator has to act."
)
#: Values of `count` that a message shows.
_MOST_SHOWN = 10

#: Takes a record and when its page was received (UTC); gives the record's id, or None when it cannot be used.
Observer = Callable[[Record, datetime], str | None]


@dataclass
class Allowance:
    """How much one sync may read, all walks together. A list that never ends, or claims not to, ends here."""

    max_pages: int
    max_records: int
    pages: int = 0
    records: int = 0

    def take(self, page: Page) -> None:
        """Count a page. Raises ApiChangedError when it is too much, or when the API announces too much."""
        self.pages += 1
        self.records += len(page.records)
        if page.count > self.max_records:
            raise ApiChangedError(
                f"the API counts {page.count:,} records; a sync reads at most {self.max_records:,} (max_records)",
                action=_ENDLESS,
            )
        if self.records > self.max_records:
            raise ApiChangedError(
                f"the API showed more than {self.max_records:,} records in one sync (max_records), and counts "
                f"{page.count:,}",
                action=_ENDLESS,
            )
        if self.pages > self.max_pages:
            raise ApiChangedError(
                f"the API showed more than {self.max_pages:,} pages in one sync (max_pages), and counts {page.count:,} "
                "records",
                action=_ENDLESS,
            )


@dataclass
class Walk:
    """What one walk saw. `page_size`: records on page 1. `counts`: the values of `count` in the order in which they
    came, a value that did not change once. `seen`: its pages, in their order. `is_known`: it saw what an earlier walk
    saw, byte for byte, and nothing else; then no record was shown to the observer."""

    seen: list[KnownPage] = field(default_factory=list, compare=False)
    is_known: bool = False
    pages: int = 0
    page_size: int = 0
    records: int = 0
    rejected: int = 0
    ids: set[str] = field(default_factory=set)
    doubles: set[str] = field(default_factory=set)
    counts: list[int] = field(default_factory=list)

    @property
    def doubts(self) -> list[str]:
        """Why the walk cannot be called complete; empty when it can."""
        doubts = []
        if len(self.counts) > 1:
            some = [*self.counts[:_MOST_SHOWN], "…"] if len(self.counts) > _MOST_SHOWN else self.counts
            doubts.append(f"the number of records moved during the walk ({' → '.join(map(str, some))})")
        if self.doubles:
            doubts.append(f"{len(self.doubles)} records came twice")
        distinct = self.records if self.is_known else len(self.ids) + self.rejected
        if self.counts and distinct != self.counts[-1]:
            doubts.append(f"{distinct} distinct records came, the API counts {self.counts[-1]}")
        return doubts

    @property
    def is_complete(self) -> bool:
        """Whether every record of the account was seen, each exactly once."""
        return bool(self.counts) and not self.doubts

    def find_miscount(self, *, found: int, gone: int) -> str | None:
        """Why the API's `count` does not agree with the records that are accounted for; None where it agrees. Those are
        the records that came, `found` others that the walk missed, and perhaps `gone` more that were deleted before it
        ended.

        When the walk began, the API had as many records as the first `count` says. If fewer are accounted for, an
        unknown one may have slipped through. If more are there although nothing moved, `count` is wrong.
        """
        accounted = len(self.ids) + self.rejected + found
        is_at_rest = len(self.counts) == 1 and not self.doubles
        if accounted + gone < self.counts[0] or (is_at_rest and accounted > self.counts[0]):
            return f"{accounted} records are accounted for, the API counted {self.counts[0]} when the walk began"
        return None


async def walk_pages(
    client: ApiClient,
    endpoint: Endpoint,
    observe: Observer,
    *,
    known: Container[bytes] = frozenset(),
    known_pages: Mapping[int, KnownPage] = MappingProxyType({}),
    other_than: int | None = None,
    allowance: Allowance | None = None,
    listener: Listener = SILENT,
) -> Walk:
    """Walk every page once and show each record to `observe`. Records whose digest is in `known` are not parsed.
    `other_than`: records per page of the walk before, see `fetch_pages`. `allowance`: what may still be read;
    None for no bound.

    `known_pages`: all pages of an earlier walk, by number. As long as the pages are these, their records are held back:
    `observe` gets them, without bytes and value, when a page differs. Their digests have to be in `known`.

    Errors of the client pass through."""
    walk = Walk()
    held_back: list[Page] = []

    def show(page: Page) -> None:
        for record in page.records:
            record_id = observe(record, page.received_at)
            if record_id is None:
                walk.rejected += 1
            elif record_id in walk.ids:
                walk.doubles.add(record_id)
            else:
                walk.ids.add(record_id)

    def show_held_back() -> None:
        for page in held_back:
            show(page)
        held_back.clear()

    found = fetch_pages(client, endpoint, known=known, known_pages=known_pages, other_than=other_than)
    async with aclosing(found) as pages:
        async for page in pages:
            if allowance is not None:
                allowance.take(page)
            walk.pages += 1
            walk.page_size = walk.page_size or len(page.records)
            walk.records += len(page.records)
            if not walk.counts or walk.counts[-1] != page.count:
                walk.counts.append(page.count)
            if page.body and len(held_back) == walk.pages - 1:
                held_back.append(replace(page, body=b""))
            else:
                show_held_back()
                show(page.split(client, known))
            digests = tuple(record.digest for record in page.records)
            walk.seen.append(KnownPage(page.digest, digests, page.count, page.has_next))
            listener.on_page(walk.pages, max(walk.pages, -(-page.count // walk.page_size) if walk.page_size else 1))
    walk.is_known = 0 < len(held_back) == len(known_pages)
    if not walk.is_known:
        show_held_back()
    result = "complete" if walk.is_complete else f"not complete: {'; '.join(walk.doubts)}"
    how = ", all as they were before" if walk.is_known else ""
    LOG.info("walk of %s: %d pages, %d records, %s%s", endpoint.path, walk.pages, walk.records, result, how)
    return walk
