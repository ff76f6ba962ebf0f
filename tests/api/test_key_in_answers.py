"""Claims about answers that hold the API key: their records come without it, however they are asked for and read."""

from __future__ import annotations

import asyncio
import json

import pytest

from puretalk.api.client import ApiClient
from puretalk.api.pages import fetch_page
from puretalk.api.records import fetch_record
from puretalk.demo import Account, DemoApi
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.scrubbing import HIDDEN
from puretalk.settings import ApiSettings

KEY = "pk-9F8e7D6c5B4a39281706"


@pytest.mark.parametrize("odd", [None, float("nan")])  # what the fast parser refuses is read in another way
def test_a_record_comes_without_the_key_on_a_page_and_from_its_own_address(odd: float | None) -> None:
    account = Account(assistants=3)
    first, second, _ = account.live_ids()
    account.edit(first, prompt=f"Say {KEY}.", odd=odd)

    async def ask(api: DemoApi) -> None:
        async with ApiClient(ApiSettings(KEY, api.base_url)) as client:
            page = await fetch_page(client, ENDPOINT, 1)
            assert page is not None
            [held] = [record for record in page.records if record.held_key]
            assert (held.digest, KEY in json.dumps(held.value)) == (b"", False)
            assert isinstance(held.value, dict)
            assert (held.value["assistant_id"], held.value["prompt"]) == (first, f"Say {HIDDEN}.")
            assert KEY.encode() not in bytes(held.body)
            answer = await fetch_record(client, ENDPOINT, first)
            assert answer.record is not None
            assert (answer.held_key, answer.record["prompt"]) == (True, f"Say {HIDDEN}.")
            assert not (await fetch_record(client, ENDPOINT, second)).held_key

    with DemoApi(account, key=KEY) as api:
        asyncio.run(ask(api))


def test_the_key_is_found_in_the_one_record_of_a_page_that_is_not_known() -> None:
    account = Account(assistants=3)
    changed, *others = account.live_ids()

    async def ask(api: DemoApi) -> None:
        async with ApiClient(ApiSettings(KEY, api.base_url)) as client:
            before = await fetch_page(client, ENDPOINT, 1)
            assert before is not None
            account.edit(changed, prompt=f"Say {KEY}.")
            known = frozenset(record.digest for record in before.records)
            page = await fetch_page(client, ENDPOINT, 1, known=known)
            assert page is not None
            [held] = [record for record in page.records if record.held_key]
            assert isinstance(held.value, dict)
            assert (held.value["assistant_id"], held.value["prompt"]) == (changed, f"Say {HIDDEN}.")
            assert [record.value for record in page.records if record is not held] == [None] * len(others)

    with DemoApi(account, key=KEY) as api:
        asyncio.run(ask(api))
