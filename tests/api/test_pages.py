"""Claims about pages: each is split into the bytes of its records, and only records that are not known are parsed; a
later walk gets pages of another size, if the API gives them."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page, fetch_pages
from puretalk.demo import Account, DemoApi
from puretalk.demo.server import Asked
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.json_values import parse_json
from puretalk.settings import ApiSettings

ODD_NUMBER = float("nan")


def page_of(*records: Any, known: frozenset[bytes] = frozenset()) -> Page:
    """Page 1 of an account that has these records."""
    account = Account(empty=True)
    for place, record in enumerate(records):
        account.put_raw(place, record)

    async def fetch(api: DemoApi) -> Page | None:
        async with ApiClient(ApiSettings(api.key, api.base_url)) as client:
            return await fetch_page(client, ENDPOINT, 1, known=known)

    with DemoApi(account) as api:
        page = asyncio.run(fetch(api))
    assert page is not None
    return page


def test_a_record_has_its_bytes_their_digest_keyed_with_the_key_and_its_value() -> None:
    values = [{"assistant_id": "a", "prompt": "Grüß Gott, \U0001f44b\x00"}, [1.50, -0.0, 2**70], None, "x"]
    page = page_of(*values)
    assert [record.value for record in page.records] == values
    assert [parse_json(bytes(record.body)) for record in page.records] == values
    assert [record.digest for record in page.records] == [
        hmac.digest(b"demo-key", bytes(record.body), "sha256") for record in page.records
    ]


def test_a_record_with_a_known_digest_is_not_parsed() -> None:
    first, second = page_of({"assistant_id": "a"}, {"assistant_id": "b"}).records
    page = page_of({"assistant_id": "a"}, {"assistant_id": "b"}, known=frozenset([first.digest]))
    assert [(record.digest, record.value) for record in page.records] == [
        (first.digest, None),
        (second.digest, {"assistant_id": "b"}),
    ]


@pytest.mark.parametrize("odd", [ODD_NUMBER, "\ud800", {"deep": [float("inf")]}], ids=["NaN", "half", "infinity"])
def test_a_page_that_cannot_be_split_is_parsed_as_a_whole_and_has_no_digests(odd: Any) -> None:
    page = page_of({"assistant_id": "a", "odd": odd}, {"assistant_id": "b"})
    assert [record.digest for record in page.records] == [b"", b""]
    assert page.records[1].value == {"assistant_id": "b"}
    assert [record.value for record in page.records] == [parse_json(bytes(record.body)) for record in page.records]
    assert json.loads(json.dumps(page.records[0].value))["assistant_id"] == "a"


def sizes_of(api: DemoApi, *, other_than: int | None) -> list[int]:
    """The records on each page of a walk that asks for 4 records a page, after a walk with that many."""

    async def no_pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    async def walk() -> list[int]:
        settings = ApiSettings(api.key, api.base_url, page_size=4, max_attempts=2)
        async with (
            ApiClient(settings, sleep=no_pause) as client,
            aclosing(fetch_pages(client, ENDPOINT, other_than=other_than)) as pages,
        ):
            return [len(page.records) async for page in pages]

    return asyncio.run(walk())


def is_above(limit: int) -> Callable[[Asked], bool]:
    return lambda asked: int(asked.query["limit"]) > limit


def test_a_later_walk_gets_larger_pages() -> None:
    with DemoApi(Account(seed=3, assistants=30)) as api:
        assert sizes_of(api, other_than=None)[:2] == [4, 4]
        assert sizes_of(api, other_than=4) == [16, 14]
        assert sizes_of(api, other_than=16) == [30]


def test_a_later_walk_gets_smaller_pages_where_the_api_caps_them() -> None:
    with DemoApi(Account(seed=3, assistants=10), page_cap=4) as api:
        assert sizes_of(api, other_than=4) == [3, 3, 3, 1]
        assert sizes_of(api, other_than=3) == [4, 4, 2]


@pytest.mark.parametrize("fault", ["404", "503", "html"])
def test_a_later_walk_gets_smaller_pages_where_the_api_refuses_larger_ones_or_fails_at_them(fault: Any) -> None:
    with DemoApi(Account(seed=3, assistants=10)) as api:
        api.fail(fault, times=None, when=is_above(4))
        assert sizes_of(api, other_than=4) == [3, 3, 3, 1]


def test_a_later_walk_gets_the_same_pages_where_the_api_has_no_smaller_ones() -> None:
    with DemoApi(Account(seed=3, assistants=10), page_cap=1) as api:
        assert sizes_of(api, other_than=1) == [1] * 10


def test_a_record_that_has_a_name_twice_keeps_both_values() -> None:
    """`json.dumps` writes the keys 1 and "1" as one name."""
    inner: dict[Any, Any] = {"voice_id": "v", 1: ["first"], "1": "last"}
    [record] = page_of({"assistant_id": "a", "voice": inner}).records
    assert bytes(record.body).count(b'"1"') == 2
    assert record.value == {
        "assistant_id": "a",
        "voice": {"voice_id": "v", "1": "last", "_repeated": {"1": [["first"]]}},
    }
