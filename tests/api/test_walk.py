"""Claims about one walk: what it sees, and whether it knows when it did not see everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from puretalk.api.client import ApiClient
from puretalk.api.pages import KnownPage
from puretalk.api.splitting import Record
from puretalk.api.walk import Walk, walk_pages
from puretalk.demo import Account, DemoApi
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.json_values import JSONValue
from puretalk.listener import Listener
from puretalk.settings import ApiSettings


def identity(record: Record, _: datetime) -> str | None:
    found = record.value.get("assistant_id") if isinstance(record.value, dict) else None
    return found if isinstance(found, str) else None


def walk(api: DemoApi, observe: Callable[[Record, datetime], str | None] = identity, **options: Any) -> Walk:
    """One walk; pages are asked for one after the other, so that a hook changes what the next one holds."""

    async def run() -> Walk:
        async with ApiClient(ApiSettings(api.key, api.base_url, window=1)) as client:
            return await walk_pages(client, ENDPOINT, observe, **options)

    return asyncio.run(run())


def once_after(page: int, change: Callable[[], Any]) -> Callable[[int], None]:
    """A hook that does something the first time that a page was read."""
    done: list[int] = []

    def hook(number: int) -> None:
        if number == page and not done:
            done.append(number)
            change()

    return hook


def test_a_quiet_account_is_walked_completely(account: Account, api: DemoApi) -> None:
    seen = walk(api)
    assert seen == Walk(pages=3, page_size=3, records=7, ids=set(account.live_ids()), counts=[7])
    assert seen.is_complete
    assert seen.doubts == []


def test_an_empty_account_is_walked_completely() -> None:
    with DemoApi(Account(empty=True)) as api:
        seen = walk(api)
    assert seen == Walk(pages=1, counts=[0])
    assert seen.is_complete


def test_a_walk_that_saw_nothing_at_all_is_not_complete() -> None:
    assert not Walk().is_complete


def test_the_page_size_is_what_the_first_page_gave(account: Account) -> None:
    with DemoApi(account, page_cap=2) as api:
        assert walk(api) == Walk(pages=4, page_size=2, records=7, ids=set(account.live_ids()), counts=[7])


@pytest.mark.parametrize(
    ("walk", "found", "gone", "agrees"),
    [
        (Walk(ids={"a", "b"}, counts=[2]), 0, 0, True),
        (Walk(ids={"a"}, rejected=1, counts=[2]), 0, 0, True),
        (Walk(ids={"a"}, counts=[2]), 1, 0, True),
        (Walk(ids={"a"}, counts=[2]), 0, 1, True),
        (Walk(ids={"a"}, counts=[2]), 0, 0, False),
        (Walk(ids={"a"}, counts=[2, 1]), 0, 0, False),  # perhaps an unknown one was deleted, perhaps it slipped through
        (Walk(ids={"a", "b"}, counts=[1]), 0, 0, False),
        (Walk(ids={"a", "b"}, counts=[1, 2]), 0, 0, True),
        (
            Walk(ids={"a", "b"}, doubles={"a"}, counts=[1]),
            0,
            0,
            True,
        ),  # it moved: one came, and one that was shown went
    ],
)
def test_count_agrees_with_the_records_that_are_accounted_for_or_a_walk_says_so(
    walk: Walk, found: int, gone: int, agrees: bool
) -> None:
    assert (walk.find_miscount(found=found, gone=gone) is None) is agrees


def test_each_record_is_shown_with_the_time_its_page_came(account: Account, api: DemoApi) -> None:
    shown: list[tuple[JSONValue, datetime]] = []

    def observe(record: Record, received_at: datetime) -> str | None:
        shown.append((record.value, received_at))
        return identity(record, received_at)

    before = datetime.now(UTC)
    walk(api, observe)
    assert [record for record, _ in shown] == account.records()
    moments = [received_at for _, received_at in shown]
    assert before <= moments[0]
    assert moments == sorted(moments)
    assert len(set(moments)) == 3


def test_progress_is_told_after_each_page(api: DemoApi) -> None:
    told: list[tuple[int, int]] = []

    class Hears(Listener):
        def on_page(self, pages: int, expected: int) -> None:
            told.append((pages, expected))

    walk(api, listener=Hears())
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_row_created_during_the_walk_makes_it_incomplete(account: Account, api: DemoApi) -> None:
    api.after_page = once_after(1, account.create)
    assert walk(api).doubts == ["the number of records moved during the walk (7 → 8)"]


def test_a_row_deleted_before_the_cursor_hides_another(account: Account, api: DemoApi) -> None:
    first, *_ = account.live_ids()
    api.after_page = once_after(1, lambda: account.delete(first))
    seen = walk(api)
    assert len(seen.ids) == 6
    assert seen.doubts == ["the number of records moved during the walk (7 → 6)"]


def test_a_row_that_is_shown_twice_makes_the_walk_incomplete(account: Account) -> None:
    with DemoApi(account, page_cap=3, order="-updated") as api:
        # Its edit moves another row to the front: the last of page 1 is the first of page 2.
        edited = account.records("updated")[0]["assistant_id"]
        api.after_page = once_after(1, lambda: account.edit(edited, prompt="newer"))
        seen = walk(api)
    assert seen.counts == [7]
    assert len(seen.doubles) == 1
    assert seen.doubts == ["1 records came twice", "6 distinct records came, the API counts 7"]


@pytest.mark.parametrize("lie", [-1, 1, 100])
def test_a_count_that_lies_is_not_believed(account: Account, api: DemoApi, lie: int) -> None:
    api.count_lie = lie
    seen = walk(api)
    assert seen.ids == set(account.live_ids())
    assert seen.doubts == [f"7 distinct records came, the API counts {7 + lie}"]


def test_a_count_of_zero_beside_records_is_not_believed(api: DemoApi) -> None:
    api.count_lie = -7
    assert not walk(api).is_complete


@pytest.mark.parametrize("lie", ["endless", "early", "missing"])
def test_next_alone_neither_ends_a_walk_nor_keeps_it_going(account: Account, api: DemoApi, lie: Any) -> None:
    api.next_lie = lie
    seen = walk(api)
    assert seen.ids == set(account.live_ids())
    assert seen.is_complete


def test_a_server_that_always_serves_the_first_page_is_noticed(api: DemoApi) -> None:
    api.repeat_page = True
    seen = walk(api)
    assert len(seen.ids) == 3
    assert "3 distinct records came, the API counts 7" in seen.doubts


def test_a_404_in_the_middle_ends_the_walk_and_is_a_doubt(account: Account, api: DemoApi) -> None:
    api.after_page = once_after(2, lambda: [*map(account.delete, account.live_ids()[4:])])
    seen = walk(api)
    assert seen.pages == 2
    assert seen.doubts == ["6 distinct records came, the API counts 7"]


def test_a_record_that_cannot_be_used_is_counted_as_seen(account: Account, api: DemoApi) -> None:
    account.put_raw(2, {"name": "no id"})
    seen = walk(api)
    assert (seen.records, len(seen.ids), seen.rejected) == (7, 6, 1)
    assert seen.is_complete


def test_the_same_id_twice_at_rest_is_never_complete() -> None:
    record = Account(assistants=1).records()[0]
    with DemoApi(Account.of([record, dict(record)])) as api:
        assert walk(api).doubts == ["1 records came twice", "1 distinct records came, the API counts 2"]


def test_each_walk_is_a_line_of_the_log_that_says_what_to_doubt(api: DemoApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "puretalk")
    walk(api)
    api.count_lie = 1
    walk(api)
    assert [record.getMessage() for record in caplog.records if record.getMessage().startswith("walk")] == [
        "walk of ai-assistants: 3 pages, 7 records, complete",
        "walk of ai-assistants: 3 pages, 7 records, not complete: 7 distinct records came, the API counts 8",
    ]
    assert {(record.name, record.levelname) for record in caplog.records} == {("puretalk.api", "INFO")}
    assert api.key not in caplog.text


def known_pages(api: DemoApi) -> dict[int, KnownPage]:
    """The pages of the account as a walk reads them now."""
    return dict(enumerate(walk(api).seen, start=1))


def digests_of(pages: dict[int, KnownPage]) -> frozenset[bytes]:
    return frozenset(digest for page in pages.values() for digest in page.records)


class Shown(list[Record]):
    """An observer that keeps every record; it takes the digest for the id."""

    def __call__(self, record: Record, _: datetime) -> str:
        self.append(record)
        return record.digest.hex()


def test_a_walk_that_shows_known_pages_only_shows_no_record(api: DemoApi) -> None:
    pages, shown = known_pages(api), Shown()
    seen = walk(api, shown, known=digests_of(pages), known_pages=pages)
    assert (seen.is_known, seen.is_complete, seen.doubts, shown) == (True, True, [], [])
    assert (seen.pages, seen.records, seen.counts, seen.seen) == (3, 7, [7], [*pages.values()])


@pytest.mark.parametrize("changed", [1, 2, 3])
def test_known_pages_before_the_first_other_page_are_shown_by_digest_and_those_after_it_with_bytes(
    account: Account, api: DemoApi, changed: int
) -> None:
    """Those after it may contradict what the other page said; then they are read."""
    pages, shown = known_pages(api), Shown()
    account.edit(account.live_ids()[3 * (changed - 1)], prompt="Say yes.")
    known = digests_of(pages)
    seen = walk(api, shown, known=known, known_pages=pages)
    assert not seen.is_known
    assert [record.digest for record in shown] == [digest for page in seen.seen for digest in page.records]
    first = 3 * (changed - 1)
    assert [bool(record.body) for record in shown] == [place >= first for place in range(7)]
    assert [place for place, record in enumerate(shown) if record.value is not None] == [first]


def test_a_walk_that_ends_before_the_last_known_page_shows_what_it_saw(api: DemoApi) -> None:
    pages, shown = known_pages(api), Shown()
    longer = pages | {4: KnownPage(b"another", (b"record",), 7, False)}
    seen = walk(api, shown, known=digests_of(pages), known_pages=longer)
    assert (seen.is_known, len(shown), seen.is_complete) == (False, 7, True)


def test_a_walk_with_a_page_behind_the_known_ones_shows_all(account: Account, api: DemoApi) -> None:
    pages, shown = known_pages(api), Shown()
    known = {number: page for number, page in pages.items() if number < 3}
    seen = walk(api, shown, known=digests_of(pages), known_pages=known)
    assert (seen.is_known, len(shown), len(seen.ids)) == (False, len(account.live_ids()), 7)
