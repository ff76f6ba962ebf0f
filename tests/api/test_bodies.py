"""Bodies that would take all memory or all time: each ends soon, with an error that says who has to act."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import subprocess
import sys
import zlib
from typing import Any

import pytest
from support.byte_server import KEY, Naps, answer, client_of, fetch_first, in_turn, page_of, run, serving

from puretalk.api.body import has_more_values
from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page
from puretalk.api.records import fetch_record
from puretalk.api.transport import MAX_REDIRECTS
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import ApiChangedError, PuretalkError, RetryLaterError
from puretalk.settings import ApiSettings

PAGE = b'{"count": 1, "next": null, "results": [1]}'
MIB = 2**20


def told(reply: bytes, **settings: Any) -> list[Any] | tuple[type[PuretalkError], str]:
    """The values of the records on page 1, or the kind and the text of the error."""
    page = fetch_first(in_turn(reply), **settings)
    if isinstance(page, Page):
        return [record.value for record in page.records]
    return type(page), f"{page.message}. {page.action}"


def test_gzip_is_asked_for_and_nothing_else() -> None:
    async def main() -> None:
        async with serving(in_turn(answer(200, PAGE))) as server, client_of(server) as client:
            await fetch_page(client, ENDPOINT, 1)
            assert [request.headers["accept-encoding"] for request in server.requests] == ["gzip"]

    run(main)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("GZip ", gzip.compress(PAGE)),
        ("x-gzip", gzip.compress(PAGE)),
        ("gzip", gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]) + gzip.compress(b"")),
        ("identity", PAGE),
        ("", PAGE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_that_is_plain_or_packed_once_is_read(encoding: str, body: bytes) -> None:
    assert told(answer(200, body, content_encoding=encoding)) == [1]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(PAGE))),
        ("gzip\r\ncontent-encoding: gzip", gzip.compress(gzip.compress(PAGE))),
        ("gzip, identity", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("br", b"\x0b\x02\x80[]\x03"),
        ("zstd", b"(\xb5/\xfd"),
        ("made-up", PAGE),
    ],
    ids=lambda value: repr(value) if isinstance(value, str) else "",
)
def test_any_other_encoding_and_a_double_one_is_refused_at_once(encoding: str, body: bytes) -> None:
    naps = Naps()
    kind, message = told(answer(200, body, content_encoding=encoding), sleep=naps)
    assert kind is ApiChangedError
    assert "answered with the Content-Encoding `" in message
    assert "The operator of the API, or of a proxy in front of it" in message
    assert naps.seconds == []


def test_the_name_of_an_encoding_does_not_bring_the_key_into_the_message() -> None:
    kind, message = told(answer(200, b"x", content_encoding=f"a{KEY}"))
    assert kind is ApiChangedError
    assert KEY[:8] not in message


def test_an_error_status_says_enough_whatever_its_body_is_packed_with() -> None:
    kind, message = told(answer(503, b"?", content_encoding="br"), max_attempts=2)
    assert (kind, "HTTP 503" in message) == (RetryLaterError, True)
    kind, message = told(answer(401, b"?", content_encoding="br"))
    assert "rejected the API key (HTTP 401, an empty body)" in message


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(PAGE)[:-1],
        gzip.compress(PAGE)[:12],
        gzip.compress(PAGE) + b"\0",
        gzip.compress(PAGE) + gzip.compress(b"  ")[:-1],
        b"\x1f\x8b",
        PAGE,
        zlib.compress(PAGE),
        gzip.compress(PAGE)[:-5] + b"\0\0\0\0\0",
    ],
    ids=["cut", "cut early", "a byte more", "the second cut", "two bytes", "plain", "zlib", "wrong checksum"],
)
def test_gzip_that_is_broken_may_pass_and_is_asked_for_again(body: bytes) -> None:
    broken = answer(200, body, content_encoding="gzip")
    kind, message = told(broken, max_attempts=2)
    assert (kind, "broke off its answer" in message) == (RetryLaterError, True)
    page = fetch_first(in_turn(broken, answer(200, PAGE)))
    assert isinstance(page, Page)


def test_gzip_may_come_in_any_pieces_and_in_chunks() -> None:
    body = gzip.compress(json.dumps({"count": 1, "results": [random.Random(1).random()] * 1000}).encode())

    async def main() -> None:
        async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n")
            for byte in body:
                writer.write(b"1\r\n%c\r\n" % byte)
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            writer.close()

        listener = await asyncio.start_server(trickle, "127.0.0.1", 0)
        base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with ApiClient(ApiSettings(KEY, base_url)) as client:
            page = await fetch_page(client, ENDPOINT, 1)
            assert page is not None
            assert len(page.records) == 1000
        listener.close()

    run(main)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("surplus", [0, 1])
def test_a_body_may_have_max_body_bytes_and_not_one_more(is_packed: bool, surplus: int) -> None:
    body = PAGE + b" " * (MIB - len(PAGE) + surplus)
    packed = {"content_encoding": "gzip"} if is_packed else {}
    found = told(answer(200, gzip.compress(body) if is_packed else body, **packed), max_body=MIB)
    if surplus == 0:
        assert found == [1]
    else:
        kind, message = found
        assert kind is ApiChangedError
        assert "answered more than 1 MiB (max_body)" in message
        assert "lower page_size or raise max_body" in message


def test_one_record_is_bounded_as_a_page_is() -> None:
    async def main() -> None:
        body = gzip.compress(b" " * (MIB + 1))
        handler = in_turn(answer(200, body, content_encoding="gzip"))
        async with serving(handler) as server, client_of(server, max_body=MIB) as client:
            found = await fetch_record(client, ENDPOINT, "a")
            assert (found.status, "more than 1 MiB" in found.reason) == ("unclear", True)

    run(main)


def test_redirects_share_the_time_of_one_request() -> None:
    """Each answer comes in time, all of them together do not."""

    async def main() -> None:
        async def redirect(_: Any) -> bytes:
            await asyncio.sleep(0.15)
            return answer(302, location=f"/api/{len(server.requests)}")

        async with (
            serving(redirect) as server,
            client_of(server, timeout=0.4, retry_budget=0.4, max_attempts=1) as client,
        ):
            with pytest.raises(RetryLaterError, match="did not answer in time"):
                await fetch_page(client, ENDPOINT, 1)
            assert len(server.requests) < 1 + MAX_REDIRECTS

    run(main)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b"[]", 2),
        (b'{"a": [1, "x,[{:", {"b": null}]}', 8),
        (rb'["\\", "\"", "\\\"[,"]', 4),
        (b'["' + b"," * 100 + b'"]', 2),
    ],
)
def test_values_are_counted_outside_of_strings(text: bytes, values: int) -> None:
    assert not has_more_values(text + b" " * 100, values)
    assert has_more_values(text + b" " * 100, values - 1)


def test_values_are_counted_across_the_parts_that_are_looked_at_together() -> None:
    long = b'["' + b"," * (2 * MIB) + b'", 1, "' + b"[" * MIB + b'", 2]'
    assert not has_more_values(long, 5)
    assert has_more_values(long, 4)


def test_an_honest_page_has_room() -> None:
    """More than a server of this kind gives: the whole account on one page, although a hundred were asked for."""
    records = [{"assistant_id": str(n), "states": [{"x": 1, "y": 2}] * 5, "prompt": "p" * 300} for n in range(10_000)]
    page = fetch_first(in_turn(page_of(records, 1, len(records))))
    assert isinstance(page, Page)
    assert len(page.records) == 10_000


#: What the attacked process does: fetch page 1 once, and tell how it ended and how much memory it ever took.
_CHILD = """
import asyncio, resource, sys
from puretalk.api.client import ApiClient
from puretalk.api.pages import fetch_page
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.errors import PuretalkError
from puretalk.settings import ApiSettings

async def main():
    async with ApiClient(ApiSettings("k", sys.argv[1], max_body=int(sys.argv[2]), max_attempts=1)) as client:
        try:
            await fetch_page(client, ENDPOINT, 1)
        except PuretalkError as error:
            return type(error).__name__ + ": " + error.message
        return "a page"

print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(asyncio.run(main()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""

_MAX_BODY = 8 * MIB
#: What a page may take in memory, in times of max_body.
_MOST_TIMES = 6


def bomb(start: bytes, piece: bytes, size: int, end: bytes) -> bytes:
    """About `size` bytes of a repeated piece, packed."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(start)]
    parts += [packer.compress(piece * (MIB // len(piece))) for _ in range(size // MIB)]
    return b"".join([*parts, packer.compress(end), packer.flush()])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bomb(b"", b"[],", 250 * MIB, b""), "answered more than 8 MiB"),
        (bomb(b"[", b"[],", 7 * MIB, b"0]"), "values (max_body / 8)"),
        (bomb(b'{"count":1,"results":[', b"[],", 7 * MIB, b"0]}"), "values (max_body / 8)"),
        (bomb(b'{"count":1,"results":[', b"0,          ", 7 * MIB, b"0]}"), "records, more than 32,768"),
        (bomb(b'{"count":1,"results":[[', b"[],              ", 7 * MIB, b"0]]}"), "a page"),
        (bomb(b'{"count":1,"results":["', b'\\"', 7 * MIB, b'"]}'), "a page"),
        (bomb(b'{"count":1,"results":[', b"[", 7 * MIB, b"]}"), "values (max_body / 8)"),
    ],
    ids=["250 MB", "a list", "records", "many records", "one record", "one text", "depth"],
)
def test_the_memory_of_a_page_is_a_small_multiple_of_max_body(body: bytes, said: str) -> None:
    async def main() -> tuple[int, str, int]:
        async with serving(in_turn(answer(200, body, content_encoding="gzip"))) as server:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _CHILD, server.base_url, str(_MAX_BODY)), stdout=subprocess.PIPE
            )
            output, _ = await child.communicate()
        before, ended, after = output.decode().splitlines()
        return int(before), ended, int(after)

    before, ended, after = run(main)
    assert said in ended
    assert after - before < _MOST_TIMES * _MAX_BODY // MIB, "MiB"
