"""Claims about texts that people see: the key is in none of them, in any form."""

from __future__ import annotations

import json
import logging
from urllib.parse import quote

import pytest

from puretalk.api.scrubbing import EXCERPT, LogScrubber, Scrubber

KEYS = ["plain-key", "sl/ash+and=%", 'back\\slash"quote']


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("separator", ["\\/", "/"])
def test_the_key_is_found_in_every_form_in_which_an_answer_may_echo_it(key: str, separator: str) -> None:
    scrubber = Scrubber(key)
    for echo in (key, quote(key, safe=""), json.dumps(key)[1:-1].replace("/", separator)):
        assert scrubber.holds_key(f"before {echo} after")
        assert scrubber.scrub(f"before {echo} after") == "before *** after"
        assert scrubber.excerpt(f"before {echo} after".encode()) == "before *** after"
    assert not scrubber.holds_key("before after")


def test_an_excerpt_is_short_printable_and_on_one_line() -> None:
    assert Scrubber("key").excerpt(b"a\x1b[2J\r\n\tb\xff") == "a [2J b\ufffd"
    assert Scrubber("key").excerpt(b"~" * 10_000) == "~" * EXCERPT


@pytest.mark.parametrize("key", KEYS)
def test_a_log_line_keeps_everything_but_the_key(key: str) -> None:
    def passed(text: str, *arguments: object) -> str:
        record = logging.LogRecord("httpx", logging.INFO, __file__, 1, text, arguments, None)
        assert LogScrubber(Scrubber(key)).filter(record)
        return record.getMessage()

    assert passed("GET %s took %d s", f"https://api.example/{quote(key, safe='')}", 7) == (
        "GET https://api.example/*** took 7 s"
    )
    assert passed("%s", [key.encode()]) == "[b'***']"
    assert passed("100 %% of\n%s", "it") == "100 % of\nit"
