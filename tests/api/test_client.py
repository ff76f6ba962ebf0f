"""The client against real servers on loopback: what is sent, what is retried, what ends, and what is never shown."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import json
import logging
import math
import re
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.byte_server import (
    CUT_OFF,
    EMPTY_PAGE,
    HTML,
    KEY,
    NOON,
    Handler,
    Naps,
    Request,
    answer,
    client_of,
    fetch_first,
    in_turn,
    listing,
    page_of,
    run,
    serving,
)

from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page, fetch_pages
from puretalk.api.records import Answer, fetch_record
from puretalk.api.retries import parse_retry_after
from puretalk.api.transport import FOREIGN_LOGGERS
from puretalk.demo import Account, DemoApi
from puretalk.demo.server import Fault
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import ApiChangedError, ConfigurationError, KeyRejectedError, PuretalkError, RetryLaterError
from puretalk.json_values import JSONValue, NotJSONError, UnusableJSONError, parse_json
from puretalk.listener import Listener
from puretalk.settings import ApiSettings

# --- what the tests ask -----------------------------------------------------------------------------------------------


class Hears(Listener):
    """Calls a function before each repeated request."""

    def __init__(self, on_retry: Callable[[str, float], object]) -> None:
        self._on_retry = on_retry

    def on_retry(self, reason: str, seconds: float) -> None:
        self._on_retry(reason, seconds)


async def pages_of(client: ApiClient) -> list[Page]:
    async with aclosing(fetch_pages(client, ENDPOINT)) as pages:
        return [page async for page in pages]


def values_of(page: Page) -> list[JSONValue]:
    return [record.value for record in page.records]


def told(page: Page | PuretalkError | None) -> tuple[int, list[JSONValue], int, bool, datetime]:
    """Everything that a page says."""
    assert isinstance(page, Page)
    return page.number, values_of(page), page.count, page.has_next, page.received_at


async def records_of(client: ApiClient) -> list[JSONValue]:
    return [value for page in await pages_of(client) for value in values_of(page)]


# --- the walk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "size"), [(0, 10), (1, 10), (10, 10), (11, 10), (95, 10), (250, 10)])
def test_every_record_comes_once_and_in_order(total: int, size: int) -> None:
    records = [{"assistant_id": str(n)} for n in range(total)]

    async def main() -> None:
        async with serving(listing(records, size)) as server, client_of(server) as client:
            pages = await pages_of(client)
            assert [value for page in pages for value in values_of(page)] == records
            assert [page.number for page in pages] == list(range(1, max(math.ceil(total / size), 1) + 1))
            assert {page.count for page in pages} == {total}
            assert [page.has_next for page in pages] == [True] * (len(pages) - 1) + [False]
            assert {page.received_at for page in pages} == {NOON}
            assert sorted(server.pages) == list(range(1, len(pages) + 1)), "no page twice, none beyond the end"
            assert client.requests == len(pages)
            assert client.retries == 0

    run(main)


def test_page_and_limit_are_asked_and_the_real_page_size_is_respected() -> None:
    async def main() -> None:
        async with serving(listing(list(range(30)), 10)) as server, client_of(server, page_size=77) as client:
            assert await records_of(client) == list(range(30))
            assert {request.query["limit"] for request in server.requests} == {"77"}
            assert {request.path for request in server.requests} == {"/api/ai-assistants"}

    run(main)


def test_order_is_kept_although_the_answers_come_in_reverse_order() -> None:
    answered: list[int] = []

    async def main() -> None:
        gates = {n: asyncio.Event() for n in range(2, 11)}
        gates[9].set()

        async def handle(request: Request) -> bytes:
            # pages 2..9 are in flight together, each waits for the one after it
            if 2 <= request.page <= 9:
                await gates[request.page].wait()
                gates[request.page - 1 if request.page > 2 else 10].set()
            answered.append(request.page)
            return page_of(list(range(10)), request.page, 1)

        async with serving(handle) as server, client_of(server, window=8) as client:
            assert await records_of(client) == list(range(10))

    run(main)
    assert answered == [1, 9, 8, 7, 6, 5, 4, 3, 2, 10]


def test_the_window_is_filled_and_never_exceeded() -> None:
    async def main() -> None:
        full = asyncio.Event()

        async def handle(request: Request) -> bytes:
            if request.page > 1:
                if server.open == 4:
                    full.set()
                await full.wait()
                await asyncio.sleep(0.002)  # a fifth request would have time to show itself
            return page_of(list(range(40)), request.page, 1)

        async with serving(handle) as server, client_of(server, window=4) as client:
            records = asyncio.create_task(records_of(client))
            others = [fetch_page(client, ENDPOINT, n) for n in range(5, 15)]
            await asyncio.gather(*others)
            assert await records == list(range(40))
            assert server.most_open == 4

    run(main)


def test_page_one_is_fetched_alone() -> None:
    async def main() -> None:
        asked, go = asyncio.Event(), asyncio.Event()

        async def handle(request: Request) -> bytes:
            asked.set()
            await go.wait()
            return page_of(list(range(9)), request.page, 3)

        async with serving(handle) as server, client_of(server) as client:
            records = asyncio.create_task(records_of(client))
            await asked.wait()
            assert server.pages == [1]
            go.set()
            assert await records == list(range(9))

    run(main)


def test_a_slow_consumer_finds_at_most_a_window_of_pages_waiting() -> None:
    async def main() -> None:
        async with serving(listing(list(range(60)), 1)) as server, client_of(server, window=3) as client:
            async with aclosing(fetch_pages(client, ENDPOINT)) as pages:
                async for page in pages:
                    await asyncio.sleep(0.01)
                    assert max(server.pages) <= page.number + 3
            assert page.number == 60

    run(main)


def test_a_consumer_that_leaves_early_leaves_nothing_in_flight() -> None:
    async def main() -> None:
        async def handle(request: Request) -> bytes:
            if request.page > 2:
                await asyncio.Event().wait()
            return page_of(list(range(50)), request.page, 1)

        async with serving(handle) as server, client_of(server) as client:
            before = asyncio.all_tasks()
            async with aclosing(fetch_pages(client, ENDPOINT)) as pages:
                async for page in pages:
                    if page.number == 2:
                        break
            assert {t for t in asyncio.all_tasks() - before if "fetch_page" in repr(t)} == set()
            assert await fetch_page(client, ENDPOINT, 2) is not None, "the client is still good"

    run(main)


def test_closing_the_client_ends_what_a_forgotten_iterator_has_in_flight() -> None:
    async def main() -> None:
        async def handle(request: Request) -> bytes:
            if request.page > 2:
                await asyncio.Event().wait()
            return page_of(list(range(50)), request.page, 1)

        async with serving(handle) as server:
            async with client_of(server) as client:
                pages = fetch_pages(client, ENDPOINT)
                assert [(await anext(pages)).number for _ in range(2)] == [1, 2]
            assert [t for t in asyncio.all_tasks() if "fetch_page" in repr(t)] == []
            await pages.aclose()

    run(main)


@pytest.mark.parametrize("stuck", ["answer", "pause"])
def test_a_cancelled_walk_ends_at_once(stuck: str) -> None:
    async def main() -> None:
        reached = asyncio.Event()

        async def handle(request: Request) -> bytes:
            if request.page == 1:
                return page_of(list(range(50)), 1, 1)
            if stuck == "pause":
                return answer(503)
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError

        def on_retry(_: str, __: float) -> None:
            reached.set()

        async with (
            serving(handle) as server,
            client_of(server, sleep=lambda _: asyncio.Event().wait(), listener=Hears(on_retry)) as client,
        ):
            walk = asyncio.create_task(pages_of(client))
            await reached.wait()
            walk.cancel()
            async with asyncio.timeout(1):
                with pytest.raises(asyncio.CancelledError):
                    await walk
            assert [t for t in asyncio.all_tasks() if "fetch_page" in repr(t)] == []

    run(main)


def test_an_error_on_one_page_ends_the_walk_and_the_other_requests() -> None:
    async def main() -> None:
        async def handle(request: Request) -> bytes:
            if request.page == 3:
                return answer(401, {"detail": "Key revoked."})
            if request.page > 3:
                await asyncio.Event().wait()
            return page_of(list(range(50)), request.page, 1)

        async with serving(handle) as server, client_of(server) as client:
            with pytest.raises(KeyRejectedError):
                await pages_of(client)
            assert [t for t in asyncio.all_tasks() if "fetch_page" in repr(t)] == []

    run(main)


def test_the_demo_account_arrives_whole_through_a_storm_of_faults() -> None:
    account = Account(assistants=60)
    kinds: tuple[Fault, ...] = ("500", "502", "503", "504", "429", "html", "truncated", "not_json", "reset")

    async def main() -> None:
        with DemoApi(account, key=KEY, page_cap=7, slash_redirect=True) as api:
            for kind in kinds:
                api.fail(kind)
            settings = ApiSettings(KEY, api.base_url, max_attempts=20)  # page 1 alone may meet all of them
            async with ApiClient(settings, sleep=Naps()) as client:
                records = await records_of(client)
                assert sorted(json.dumps(r) for r in records) == sorted(json.dumps(r) for r in account.records())
                assert client.retries == len(kinds)
                some = account.live_ids()[0]
                assert await fetch_record(client, ENDPOINT, some) == Answer("found", account.record(some))
                account.delete(some)
                assert (await fetch_record(client, ENDPOINT, some)).status == "missing"

    run(main)


# --- lists that lie ---------------------------------------------------------------------------------------------------


def walk_of(handler: Handler, **settings: Any) -> tuple[list[JSONValue], list[int]]:
    """The records of a walk and the page numbers that the server was asked for."""

    async def main() -> tuple[list[JSONValue], list[int]]:
        async with serving(handler) as server, client_of(server, **settings) as client:
            return await records_of(client), sorted(server.pages)

    return run(main)


def test_next_is_null_on_page_one_but_count_says_more_so_it_goes_on() -> None:
    async def handle(request: Request) -> bytes:
        return page_of(list(range(30)), request.page, 10, next=None)

    assert walk_of(handle) == (list(range(30)), [1, 2, 3])


def test_an_account_that_grew_is_followed_by_next_past_the_expected_pages() -> None:
    async def handle(request: Request) -> bytes:
        return page_of(list(range(20 if request.page == 1 else 45)), request.page, 10)

    assert walk_of(handle) == (list(range(45)), [1, 2, 3, 4, 5])


def test_a_count_that_is_too_small_is_no_reason_to_stop() -> None:
    async def handle(request: Request) -> bytes:
        return page_of(list(range(45)), request.page, 10, count=1)

    assert walk_of(handle) == (list(range(45)), [1, 2, 3, 4, 5])


def test_a_page_past_the_end_ends_the_walk_when_rows_were_deleted() -> None:
    async def handle(request: Request) -> bytes:
        return page_of(list(range(100 if request.page == 1 else 35)), request.page, 10)

    records, asked = walk_of(handle, window=2)
    assert records == list(range(35))
    assert asked[-1] <= 7, "a window beyond the first missing page at most"


def test_an_empty_page_ends_the_walk_and_is_not_handed_out() -> None:
    async def handle(request: Request) -> bytes:
        if request.page > 3:
            return answer(200, {"count": 1000, "next": "x", "results": []})
        return page_of(list(range(30)), request.page, 10, count=1000, next="x")

    records, asked = walk_of(handle, window=2)
    assert records == list(range(30))
    assert asked[-1] <= 6


def test_an_endless_next_that_repeats_the_last_page_ends_without_repeating_it() -> None:
    async def handle(request: Request) -> bytes:
        return page_of(list(range(30)), min(request.page, 3), 10, next="again")

    assert walk_of(handle) == (list(range(30)), [1, 2, 3, 4])


def test_an_endless_next_with_ever_new_records_ends_at_a_hard_bound() -> None:
    async def handle(request: Request) -> bytes:
        return answer(200, {"count": 3, "next": "more", "results": [request.page]})

    assert walk_of(handle) == (list(range(1, 17)), list(range(1, 17)))


def test_a_server_that_ignores_page_ends() -> None:
    async def handle(_: Request) -> bytes:
        return page_of(list(range(30)), 1, 10)

    assert walk_of(handle) == (list(range(10)) * 3, [1, 2, 3, 4])


def test_a_server_that_ignores_page_and_claims_millions_ends_soon() -> None:
    async def handle(_: Request) -> bytes:
        return page_of([1], 1, 1, count=10**9, next="more")

    records, asked = walk_of(handle)
    assert records == [1] * 10
    assert len(asked) < 25


def test_a_page_that_shifting_rows_made_the_same_as_the_one_before_does_not_end_the_walk() -> None:
    async def handle(request: Request) -> bytes:
        return page_of([0, 0, 0, 1, 2, 3], request.page, 1)

    assert walk_of(handle) == ([0, 0, 0, 1, 2, 3], [1, 2, 3, 4, 5, 6])


def test_a_page_past_the_end_is_none() -> None:
    async def main() -> None:
        async with serving(listing([1, 2], 1)) as server, client_of(server) as client:
            assert told(await fetch_page(client, ENDPOINT, 2)) == (2, [2], 2, False, NOON)
            assert await fetch_page(client, ENDPOINT, 3) is None
            assert len(server.requests) == 2

    run(main)


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        ([], "it has no `count`"),
        (None, "it has no `count`"),
        ("text", "it has no `count`"),
        (7, "it has no `count`"),
        ({"detail": "no"}, "it has no `count`"),
        ({"next": None, "results": []}, "it has no `count`"),
        ({"count": True, "next": None, "results": []}, "`count` is a boolean, not a whole number"),
        ({"count": "5", "next": None, "results": []}, "`count` is a string, not a whole number"),
        ({"count": 5.0, "next": None, "results": []}, "`count` is a number, not a whole number"),
        ({"count": [], "next": None, "results": []}, "`count` is a list, not a whole number"),
        ({"count": -1, "next": None, "results": []}, "`count` is negative"),
        ({"count": 2**63, "results": []}, "`count` is more than 9,223,372,036,854,775,807"),
        ({"count": 10**40, "results": []}, "`count` is more than 9,223,372,036,854,775,807"),
        ({"count": 5, "next": None, "results": {}}, "`results` is no list"),
        ({"count": 5, "next": None}, "`results` is no list"),
        ({"count": 5, "next": 7, "results": []}, "`next` is a number"),
    ],
)
def test_json_of_another_shape_says_that_the_api_changed_and_what_came(body: Any, flaw: str) -> None:
    error = fetch_first(in_turn(answer(200, body)))
    assert type(error) is ApiChangedError
    assert json.dumps(body) in error.message
    assert error.message.endswith(f"; {flaw}")


def test_a_missing_next_is_a_null_next() -> None:
    assert told(fetch_first(in_turn(answer(200, {"count": 1, "results": [7]})))) == (1, [7], 1, False, NOON)


def test_a_wrong_base_url_is_named_on_page_one() -> None:
    error = fetch_first(in_turn(answer(404, {"detail": "Not found."})))
    assert type(error) is ApiChangedError
    assert "/api/ai-assistants does not exist (HTTP 404)" in error.message


def test_what_a_message_quotes_is_short_clean_and_without_the_key() -> None:
    body = b"<html>\x1b[2J\n" + b" " * 5000 + b"</html>"
    error = fetch_first(in_turn(answer(200, body)))
    assert isinstance(error, ApiChangedError)
    assert "an HTML page (<html> [2J)" in error.message

    echo = b'{"detail": "' + b"x" * 60 + KEY.encode() + b'"}'
    for status in (200, 400, 401):
        error = fetch_first(in_turn(answer(status, echo)))
        assert isinstance(error, PuretalkError)
        assert "***" in error.message
        assert KEY[:5] not in error.message

    error = fetch_first(in_turn(answer(400, b"no" + b" " * (4094 - len(KEY) // 2) + KEY.encode())))
    assert isinstance(error, ApiChangedError)
    assert KEY[:5] not in error.message, "a key that is cut in two is still the key"

    error = fetch_first(in_turn(answer(418, b"~" * 10_000)))
    assert isinstance(error, ApiChangedError)
    assert error.message.count("~") == 80


def test_odd_json_is_carried_as_it_is() -> None:
    body = b'\xef\xbb\xbf{"count": 1, "next": null, "results": [NaN, -Infinity, 1e999, 0.5, "\\ud800\\u0000"]}'
    page = fetch_first(in_turn(answer(200, body)))
    assert isinstance(page, Page)
    assert values_of(page) == ["NaN", "-Infinity", "1e999", 0.5, "\ud800\x00"]


def test_a_compressed_answer_is_unpacked() -> None:
    body = gzip.compress(b'{"count": 1, "next": null, "results": [1]}')
    page = fetch_first(in_turn(answer(200, body, content_encoding="gzip")))
    assert isinstance(page, Page)
    assert values_of(page) == [1]


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"9" * 5000, "an integer of thousands of digits"), (b"[" * 200_000 + b"]" * 200_000, "nested too deeply")],
)
def test_a_page_around_its_records_that_python_cannot_hold_is_said_at_once(value: bytes, why: str) -> None:
    naps = Naps()
    error = fetch_first(in_turn(answer(200, b'{"results": [], "count": ' + value + b"}")), sleep=naps)
    assert type(error) is ApiChangedError
    assert why in error.message
    assert naps.seconds == []


def test_parse_json_tells_what_may_pass_from_what_will_not() -> None:
    for text in (b"", b"<html>", b'{"a": 1', b'"\xff"', '{"a": "ü"}'.encode("latin-1"), '{"a":1}'.encode("utf-16")):
        with pytest.raises(NotJSONError):
            parse_json(text)
    with pytest.raises(UnusableJSONError):
        parse_json(b"-" + b"1" * 4301)


def test_an_answer_without_an_end_is_cut() -> None:
    error = fetch_first(in_turn(answer(200, b" " * (2**20 + 1))), max_body=2**20)
    assert type(error) is ApiChangedError
    assert "more than 1 MiB" in error.message


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (answer(429), "HTTP 429"),
        (answer(500, {"detail": "x"}), "HTTP 500"),
        (answer(502, b"<html>"), "HTTP 502"),
        (answer(503), "HTTP 503"),
        (answer(504), "HTTP 504"),
        (HTML, "an HTML page"),
        (answer(200, b""), "an empty body"),
        (answer(200, b'{"count": 1, "res'), "not JSON"),
        (CUT_OFF, "broke off"),
        (b"not http\r\n\r\n", "broke off"),
        (b"connection: close", "broke off"),
        (answer(200, b"not gzip", content_encoding="gzip"), "broke off"),
    ],
)
def test_what_may_pass_is_asked_again(fault: bytes, reason: str) -> None:
    async def main() -> None:
        naps, reasons = Naps(), []

        async with (
            serving(in_turn(fault, fault, EMPTY_PAGE)) as server,
            client_of(server, sleep=naps, listener=Hears(lambda *told: reasons.append(told))) as client,
        ):
            assert told(await fetch_page(client, ENDPOINT, 1)) == (1, [], 0, False, NOON)
            assert (client.requests, client.retries, len(server.requests)) == (3, 2, 3)
        assert all(reason in why and KEY not in why for why, _ in reasons)
        # 0.5 and 1 second, each with up to a second of jitter
        assert [seconds for _, seconds in reasons] == pytest.approx(naps.seconds, abs=0.05)
        assert 0.5 <= reasons[0][1] <= 1.5
        assert 1.0 <= reasons[1][1] <= 2.0

    run(main)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, KeyRejectedError), (403, KeyRejectedError), (400, ApiChangedError), (404, ApiChangedError)],
)
def test_what_will_not_pass_is_not_asked_again(status: int, kind: type[PuretalkError]) -> None:
    async def main() -> None:
        async with serving(in_turn(answer(status, {"detail": "No."}))) as server, client_of(server) as client:
            with pytest.raises(PuretalkError) as caught:
                await fetch_page(client, ENDPOINT, 1)
            assert type(caught.value) is kind
            assert f"HTTP {status}" in caught.value.message
            assert len(server.requests) == 1

    run(main)


@pytest.mark.parametrize(
    ("fault", "kind"), [(answer(503), RetryLaterError), (CUT_OFF, RetryLaterError), (HTML, ApiChangedError)]
)
def test_attempts_are_bounded(fault: bytes, kind: type[PuretalkError]) -> None:
    naps = Naps()
    error = fetch_first(in_turn(fault), sleep=naps, max_attempts=5)
    assert type(error) is kind
    assert "tried 5 times" in error.message
    assert len(naps.seconds) == 4


def test_backoff_grows_to_thirty_seconds_and_no_further() -> None:
    naps = Naps()
    fetch_first(in_turn(answer(503)), sleep=naps, max_attempts=12, retry_budget=10_000)
    least = [0.5, 1, 2, 4, 8, 16, 29, 29, 29, 29, 29]
    assert all(low <= seconds <= low + 1 for low, seconds in zip(least, naps.seconds, strict=True))
    assert len({seconds % 1 for seconds in naps.seconds}) > 5, "jitter"


def test_the_seconds_of_all_pauses_are_bounded() -> None:
    naps = Naps()
    error = fetch_first(in_turn(answer(503)), sleep=naps, max_attempts=1000, retry_budget=100)
    assert type(error) is RetryLaterError
    assert 60 < sum(naps.seconds) <= 100


def test_the_seconds_that_attempts_take_count_too() -> None:
    async def hang(_: Request) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    error = fetch_first(hang, timeout=0.2, retry_budget=0.3)
    assert type(error) is RetryLaterError
    assert "did not answer in time" in error.message
    assert "tried once" in error.message


def test_a_server_that_drips_is_given_up() -> None:
    async def main() -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n")
            try:
                while not reader.at_eof():
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            except ConnectionError:
                pass
            finally:
                writer.close()

        listener = await asyncio.start_server(drip, "127.0.0.1", 0)
        base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        settings = ApiSettings(KEY, base_url, timeout=0.1, retry_budget=0.2)
        async with ApiClient(settings) as client:
            with pytest.raises(RetryLaterError, match="did not answer in time"):
                await fetch_page(client, ENDPOINT, 1)
        listener.close()
        await asyncio.sleep(0.05)

    run(main)


def test_an_unreachable_host_is_retried_and_then_named() -> None:
    async def main() -> None:
        async with serving(in_turn(EMPTY_PAGE)) as server:
            gone = server.base_url
        naps = Naps()
        async with ApiClient(ApiSettings(KEY, gone, max_attempts=3), sleep=naps) as client:
            with pytest.raises(RetryLaterError) as caught:
                await fetch_page(client, ENDPOINT, 1)
        assert caught.value.message.startswith(f"{gone}/ai-assistants cannot be reached")
        assert len(naps.seconds) == 2

    run(main)


def test_real_waits_between_attempts() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            serving(in_turn(answer(503), EMPTY_PAGE)) as server,
            client_of(server, sleep=asyncio.sleep) as client,
        ):
            since = loop.time()
            assert await fetch_page(client, ENDPOINT, 1) is not None
            assert 0.5 <= loop.time() - since < 5

    run(main)


def http_date(moment: datetime) -> str:
    return email.utils.format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "40"},
        {"retry_after": http_date(NOON + timedelta(seconds=40))},
        {"retry_after": http_date(NOON + timedelta(hours=1, seconds=40)), "date": http_date(NOON + timedelta(hours=1))},
    ],
    ids=["seconds", "date", "date by a clock that is wrong"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_even_beyond_the_backoff(status: int, headers: dict[str, str]) -> None:
    naps = Naps()
    assert isinstance(fetch_first(in_turn(answer(status, **headers), EMPTY_PAGE), sleep=naps), Page)
    assert naps.seconds == pytest.approx([40.0], abs=0.2)


def test_a_retry_after_beyond_the_budget_fails_at_once_and_says_how_long() -> None:
    naps = Naps()
    error = fetch_first(in_turn(answer(429, retry_after="3600")), sleep=naps)
    assert type(error) is RetryLaterError
    assert "HTTP 429 and asks to wait 3600 seconds" in error.message
    assert naps.seconds == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("9" * 5000, math.inf),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 99 Nov 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_in_every_form(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, now=NOON) == seconds


def test_a_tight_rate_limit_slows_the_walk_and_does_not_break_it() -> None:
    """One request per 20 ms for a window of 8: if all retried at once, some page would run out of attempts."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        free_at, seen = 0.0, Counter[int]()

        async def handle(request: Request) -> bytes:
            nonlocal free_at
            if loop.time() < free_at:
                seen[request.page] += 1
                return answer(429, retry_after="1")
            free_at = loop.time() + 0.02
            return page_of(list(range(60)), request.page, 1)

        async with (
            serving(handle) as server,
            client_of(server, sleep=lambda seconds: asyncio.sleep(seconds / 50)) as client,
        ):
            assert await records_of(client) == list(range(60))
            assert max(seen.values()) <= 4
            assert client.retries == seen.total() > 8

    run(main)


# --- redirects and the key --------------------------------------------------------------------------------------------


def slash_redirecting(records: list[Any], size: int) -> Handler:
    async def handle(request: Request) -> bytes:
        if not request.path.endswith("/"):
            query = "&".join(f"{k}={v}" for k, v in request.query.items())
            return answer(301, location=f"{request.path}/?{query}" if query else f"{request.path}/")
        if request.query:
            return page_of(records, request.page, size)
        found = request.path.split("/")[-2]
        return answer(200, {"results": {"assistant_id": found}}) if found in records else answer(404, {})

    return handle


def test_a_redirect_to_the_slash_costs_one_request_per_client() -> None:
    async def main() -> None:
        async with serving(slash_redirecting(list("abcdefgh"), 1)) as server, client_of(server) as client:
            assert await records_of(client) == list("abcdefgh")
            assert client.requests == len(server.requests) == 9
            assert await fetch_record(client, ENDPOINT, "a") == Answer("found", {"assistant_id": "a"})
            assert await fetch_record(client, ENDPOINT, "b") == Answer("found", {"assistant_id": "b"})
            assert (await fetch_record(client, ENDPOINT, "z")).status == "missing"
            assert client.requests == 9 + 2 + 1 + 1
            assert {request.headers["x-api-key"] for request in server.requests} == {KEY}

    run(main)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed_and_page_and_limit_travel_along(status: int) -> None:
    async def handle(request: Request) -> bytes:
        if request.path == "/api/ai-assistants":
            return answer(status, location="/v2/ai-assistants?tenant=7")
        assert request.query == {"tenant": "7", "page": "1", "limit": "100"}
        return EMPTY_PAGE

    assert told(fetch_first(handle)) == (1, [], 0, False, NOON)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_is_never_sent_to_another_origin(status: int) -> None:
    async def main() -> None:
        async with serving(in_turn(EMPTY_PAGE)) as foreign:
            location = f"{foreign.origin}/api/ai-assistants/?token=secret"
            handler = in_turn(answer(status, location=location))
            async with serving(handler) as server, client_of(server) as client:
                with pytest.raises(ApiChangedError) as caught:
                    await fetch_page(client, ENDPOINT, 1)
                assert foreign.origin in caught.value.message
                assert "token" not in caught.value.message
                assert foreign.requests == []
                assert len(server.requests) == 1
                assert (await fetch_record(client, ENDPOINT, "a")).status == "unclear"
                assert foreign.requests == []

    run(main)


def test_a_next_link_to_another_origin_is_never_followed() -> None:
    async def main() -> None:
        async with serving(in_turn(EMPTY_PAGE)) as foreign:

            async def handle(request: Request) -> bytes:
                return page_of([1, 2, 3], request.page, 1, next=f"{foreign.origin}/?page={request.page + 1}")

            async with serving(handle) as server, client_of(server) as client:
                assert await records_of(client) == [1, 2, 3]
            assert foreign.requests == []

    run(main)


def test_a_redirect_to_https_on_the_same_host_says_which_setting_to_change() -> None:
    error = fetch_first(in_turn(answer(301, location="https://127.0.0.1/api/ai-assistants")))
    assert type(error) is ApiChangedError
    assert "PURETALK_BASE_URL" in error.action
    assert "https://127.0.0.1:443" in error.action


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ({"location": "/api/ai-assistants?again=1"}, "more than 5 times"),
        ({}, "without saying where to"),
        ({"location": "ftp://127.0.0.1/"}, "another origin"),
        ({"location": "//evil.example/x"}, "another origin: http://evil.example:80"),
    ],
)
def test_a_redirect_to_nowhere_is_a_change_of_the_api(location: dict[str, str], why: str) -> None:
    error = fetch_first(in_turn(answer(302, **location)))
    assert type(error) is ApiChangedError
    assert why in error.message


ODD_LOCATIONS = [
    *("http://[::1", "http://127.0.0.1:port/", "https://", "javascript:alert(1)", "?" * 66_000, "http://xn--/"),
    *("/" * 60_000, "mailto:x@y", "data:,x", "\x7f", "http://user@/", "//[v1.x]/", "http://256.1.1.1/", "a:b"),
    *("http://\xe2\x80\x8b", "http://" + "\xe9" * 70),
]


@pytest.mark.parametrize("location", ODD_LOCATIONS, ids=lambda location: repr(location[:20]))
def test_a_redirect_to_what_is_no_address_is_a_change_of_the_api_and_not_asked_again(location: str) -> None:
    naps = Naps()
    head = b"HTTP/1.1 302 X\r\ncontent-length: 0\r\nlocation: " + location.encode("latin-1") + b"\r\n\r\n"
    error = fetch_first(in_turn(head), sleep=naps)
    assert type(error) is ApiChangedError
    assert "redirects to something that is no address of a page (" in error.message
    assert len(error.message) < 250
    assert naps.seconds == []


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:99999/", "http://127.0.0.1\\@evil/", "http://127.0.0.1:-1/", "http://" + "a" * 60_000, "//a..b"],
    ids=lambda location: repr(location[:30]),
)
def test_a_redirect_to_an_odd_origin_is_another_origin(location: str) -> None:
    error = fetch_first(in_turn(answer(302, location=location)))
    assert type(error) is ApiChangedError
    assert "redirects to another origin: " in error.message
    assert len(error.message) < 250


def test_no_proxy_sees_the_key_on_loopback_and_no_netrc_adds_a_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    async def main() -> None:
        async with serving(in_turn(EMPTY_PAGE)) as proxy, serving(in_turn(EMPTY_PAGE)) as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.origin)
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            async with client_of(server) as client:
                await fetch_page(client, ENDPOINT, 1)
            assert proxy.requests == []
            assert server.requests[0].headers["x-api-key"] == KEY
            assert "authorization" not in server.requests[0].headers
            assert KEY not in str(server.requests[0].query) + server.requests[0].path

    run(main)


def test_broken_proxy_settings_are_a_matter_of_configuration_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://me:proxy-secret@proxy.example")

    async def main() -> None:
        with pytest.raises(ConfigurationError) as caught:
            async with ApiClient(ApiSettings(KEY)):
                raise AssertionError
        assert "proxy-secret" not in "".join(traceback.format_exception(caught.value))

    run(main)


def our_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of our loggers, with every number of seconds as N."""
    ours = [record for record in caplog.records if record.name.startswith("puretalk")]
    assert {(record.name, record.levelname) for record in ours} <= {("puretalk.api", "INFO")}
    return [re.sub(r"\d+\.\d+ s", "N s", record.getMessage()) for record in ours]


def test_every_request_and_every_retry_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "puretalk")

    async def main() -> str:
        handler = in_turn(answer(503), CUT_OFF, answer(301, location="/api/v2?tenant=7"), EMPTY_PAGE)
        async with serving(handler) as server, client_of(server) as client:
            await fetch_page(client, ENDPOINT, 1)
            await fetch_record(client, ENDPOINT, "a")
            return server.base_url

    url = run(main)
    broken = (
        "broke off its answer (peer closed connection without sending complete message body "
        "(received 13 bytes, expected 9000))"
    )
    assert our_lines(caplog) == [
        f"GET {url}/ai-assistants page=1 limit=100: HTTP 503, 0 bytes, N s",
        f"retry 1 of {url}/ai-assistants page=1 limit=100 in N s: it answered HTTP 503",
        f"GET {url}/ai-assistants page=1 limit=100: {broken}, N s",
        f"retry 2 of {url}/ai-assistants page=1 limit=100 in N s: it {broken}",
        f"GET {url}/ai-assistants page=1 limit=100: HTTP 301, 0 bytes, N s",
        f"GET {url}/v2 page=1 limit=100: HTTP 200, 41 bytes, N s",
        f"GET {url}/ai-assistants/a: HTTP 200, 41 bytes, N s",
    ]


@pytest.mark.parametrize(
    "echo",
    [
        answer(401, {"detail": KEY}),
        answer(503, KEY.encode(), x_echo=KEY, retry_after=KEY),
        answer(302, location=f"/api/{KEY}/x?key={KEY}"),
        answer(302, location=f"https://{KEY}.example/{KEY}"),
        answer(200, f"<html>{KEY}".encode()),
        f"HTTP/1.1 {KEY}\r\n\r\n".encode(),
        f"HTTP/1.1 200 {KEY}\r\ncontent-length: 0\r\n\r\n".encode(),
    ],
    ids=["body", "header", "redirect", "redirect to another origin", "page", "broken head", "phrase"],
)
def test_no_log_line_of_any_logger_at_any_level_holds_the_key(echo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fetch_first(in_turn(echo), max_attempts=2)
    assert our_lines(caplog)
    assert {record.name for record in caplog.records} >= {"httpcore.http11"}
    assert KEY not in caplog.text


def test_a_key_in_the_base_url_or_in_an_id_is_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with serving(in_turn(EMPTY_PAGE)) as server:
            async with client_of(server, base_url=f"{server.base_url}/{KEY}") as client:
                await fetch_page(client, ENDPOINT, 1)
                await fetch_record(client, ENDPOINT, f"{KEY}/x")
            [*_, last] = server.requests
            assert last.path == f"/api/{KEY}/ai-assistants/{KEY}/x"

    run(main)
    assert len(our_lines(caplog)) == 2
    assert all("/***/ai-assistants" in line for line in our_lines(caplog))
    assert KEY not in caplog.text


def test_other_loggers_are_left_as_they_were() -> None:
    fetch_first(in_turn(EMPTY_PAGE))
    assert [logging.getLogger(name).filters for name in FOREIGN_LOGGERS] == [[]] * len(FOREIGN_LOGGERS)


def test_neither_the_client_nor_its_settings_show_the_key() -> None:
    settings = ApiSettings(KEY)
    assert KEY not in repr(settings) + str(settings) + repr(ApiClient(settings)) + repr(vars(ApiClient(settings)))


@pytest.mark.parametrize("echo", [f"HTTP/1.1 {KEY}\r\n\r\n".encode(), f"{KEY}\r\n\r\n".encode()])
def test_a_broken_answer_that_echoes_the_key_does_not_get_it_into_the_traceback(echo: bytes) -> None:
    assert type(fetch_first(in_turn(echo), max_attempts=2)) is RetryLaterError


@pytest.mark.parametrize("key", ["", "with space", "line\n", "tab\t", "ümlaut", "nul\x00", "\x7f", "\u200bhidden"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ApiClient(ApiSettings(key))
    assert not key or key not in caught.value.message + caught.value.action


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.puretalk.ai",
        "ftp://api.puretalk.ai",
        "https://",
        "http://api.puretalk.ai/api",
        "http://10.0.0.1/api",
        "http://localhost.example/api",
        "http://127.0.0.1.example/api",
        "https://me:pass-word@api.puretalk.ai/api",
        "https://api.puretalk.ai/api?token=pass-word",
        "https://api.puretalk.ai/api#pass-word",
        "https://api.puretalk.ai:port/pass-word",
        "https://[::1",
    ],
)
def test_a_base_url_that_could_give_the_key_away_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ApiClient(ApiSettings(KEY, base_url))
    assert "pass-word" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.puretalk.ai/api",
        "https://x.example:8443/",
        "http://127.8.9.1:80",
        "http://[::1]:9/api",
        "http://localhost",
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_accepted(base_url: str) -> None:
    ApiClient(ApiSettings(KEY, base_url))


@pytest.mark.parametrize(
    "wrong", [{"page_size": 0}, {"window": 0}, {"max_attempts": 0}, {"timeout": 0.0}, {"retry_budget": -1.0}]
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ApiClient(ApiSettings(KEY, **wrong))


# --- one record -------------------------------------------------------------------------------------------------------


def answer_to(handler: Handler, assistant_id: str = "a-1", **settings: Any) -> Answer:
    async def main() -> Answer:
        async with serving(handler) as server, client_of(server, **settings) as client:
            return await fetch_record(client, ENDPOINT, assistant_id)

    return run(main)


def test_a_record_is_found_by_its_id() -> None:
    record: dict[str, JSONValue] = {"assistant_id": "a-1", "name": "Front desk"}

    async def handle(request: Request) -> bytes:
        assert (request.path, request.query) == ("/api/ai-assistants/a-1", {})
        assert request.headers["x-api-key"] == KEY
        return answer(200, {"msg": "ok", "err": None, "results": record})

    assert answer_to(handle) == Answer("found", record)


def test_a_record_is_missing_on_404_only() -> None:
    assert answer_to(in_turn(answer(404, {"detail": "Not found."}))) == Answer("missing", reason="HTTP 404")


@pytest.mark.parametrize(
    "reply",
    [
        answer(401),
        answer(403),
        answer(400),
        answer(410),
        answer(429),
        answer(500),
        HTML,
        CUT_OFF,
        answer(200, []),
        answer(200, {"results": None}),
        answer(200, {"results": [{"assistant_id": "a-1"}]}),
        answer(200, {"results": {"assistant_id": "a-2"}}),
        answer(200, {"results": {}}),
        answer(302, location="http://127.0.0.1:1/"),
    ],
)
def test_everything_else_about_a_record_is_unclear(reply: bytes) -> None:
    result = answer_to(in_turn(reply), max_attempts=2)
    assert (result.status, result.record) == ("unclear", None)
    assert result.reason
    assert KEY not in result.reason


def test_a_record_behind_a_burst_of_errors_is_found() -> None:
    found = answer(200, {"results": {"assistant_id": "a-1"}})
    assert answer_to(in_turn(answer(503), HTML, found)) == Answer("found", {"assistant_id": "a-1"})


def test_a_404_behind_a_redirect_to_another_place_is_no_proof_of_a_deletion() -> None:
    async def handle(request: Request) -> bytes:
        return answer(404) if request.path == "/login" else answer(302, location="/login")

    assert answer_to(handle).status == "unclear"


@pytest.mark.parametrize("assistant_id", ["", ".", "..", "\ud800", "\U0001f600" * 4_001])
def test_an_id_that_no_url_can_hold_is_unclear_without_a_request(assistant_id: str) -> None:
    async def refuse(_: Request) -> bytes:
        raise AssertionError

    assert answer_to(refuse, assistant_id).status == "unclear"


@pytest.mark.parametrize("assistant_id", ["a/../b", "a?page=2", "a#b", "ü %41", "//evil.example/x"])
def test_an_id_stays_one_segment_of_the_path(assistant_id: str) -> None:
    async def handle(request: Request) -> bytes:
        assert request.path == f"/api/ai-assistants/{assistant_id}"
        return answer(200, {"results": {"assistant_id": assistant_id}})

    assert answer_to(handle, assistant_id).status == "found"
