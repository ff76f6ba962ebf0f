"""Claims about texts that people see: the key is in none of them, in any form."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puretalk.scrubbing import EXCERPT, HIDDEN, LogScrubber, Scrubber

KEYS = ["plain-key", "sl/ash+and=%", 'back\\slash"quote']


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("separator", ["\\/", "/"])
def test_the_key_is_found_in_every_form_in_which_an_answer_may_echo_it(key: str, separator: str) -> None:
    scrubber = Scrubber(key)
    for echo in (key, quote(key, safe=""), json.dumps(key)[1:-1].replace("/", separator)):
        assert scrubber.holds_secret(f"before {echo} after")
        assert scrubber.scrub(f"before {echo} after") == "before *** after"
        assert scrubber.excerpt(f"before {echo} after".encode()) == "before *** after"
    assert not scrubber.holds_secret("before after")


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


KEY = "pk-9F8e7D6c5B4a39281706"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "swapped": str.swapcase,
    "json": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "json twice": lambda text: "".join(f"\\\\u{ord(c):04X}" for c in text),
    "json in part": lambda text: "".join(f"\\u{ord(c):04x}" if at % 2 else c for at, c in enumerate(text)),
    "python": lambda text: "".join(f"\\x{ord(c):02x}" for c in text),
    "percent": lambda text: "".join(f"%{ord(c):02X}" for c in text),
    "percent twice": lambda text: "".join(f"%25{ord(c):02x}" for c in text),
    "html": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "html hex": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "blanks": " ".join,
    "invisible": "\u200b".join,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after 1": lambda text: base64.b64encode(f":{text}".encode()).decode(),
    "base64 after 2": lambda text: base64.urlsafe_b64encode(f"u:{text}!".encode()).decode(),
}


def shared_parts(shown: str, key: str) -> set[str]:
    """Eight characters that a text shares with the key, by decoders that share no code with the scrubber."""
    texts = {shown}
    for _ in range(3):
        texts |= {unquote(text) for text in texts} | {html.unescape(text) for text in texts}
        texts |= {re.sub(r"\\+(?:u00|x)([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text) for text in texts}
    found = {"".join(c for c in text.lower() if c.isprintable() and c != " ") for text in texts}
    wanted = {key.lower(), key.encode().hex()}
    wanted |= {base64.b64encode(b"abc"[:n] + key.encode()).decode().lower()[-(-n * 8 // 6) : -4] for n in range(3)}
    return {
        form[at : at + 8]
        for form in wanted
        for at in range(len(form) - 7)
        for text in found
        if form[at : at + 8] in text
    }


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_text_shares_eight_characters_with_the_key_in_any_spelling(spelling: str) -> None:
    scrubber, spell = Scrubber(KEY), SPELLINGS[spelling]
    for part in (KEY, KEY[:12], KEY[5:17], KEY[-12:]):
        said = f"bad request: {spell(part)}, sent by me"
        assert shared_parts(said, KEY), "the test's own decoders know this spelling"
        shown = scrubber.scrub(said)
        assert not shared_parts(shown, KEY), shown
        assert shown.startswith("bad request: ")
        assert shown.endswith(", sent by me")
        assert HIDDEN in shown
        assert not shared_parts(scrubber.excerpt(said.encode()), KEY)
    assert scrubber.scrub(f"{spell('another')} text") == f"{spell('another')} text".replace("\u200b", " ")


def test_a_prefix_that_everybody_may_read_hides_nothing() -> None:
    scrubber = Scrubber("puretalk_0123456789abcdef")
    assert scrubber.scrub("https://api.puretalk.ai/api rejected") == "https://api.puretalk.ai/api rejected"
    assert scrubber.scrub("puretalk_0123456789abcdef rejected") == "*** rejected"


def test_a_key_that_was_cut_is_hidden_to_its_last_eight_characters() -> None:
    assert not shared_parts(Scrubber(KEY).excerpt(b" " * 4085 + KEY.encode()), KEY)
    assert Scrubber(KEY).excerpt(b"x" * 70 + KEY.encode()) == "x" * 70 + HIDDEN


@given(st.text(max_size=60))
def test_a_text_without_a_secret_is_as_it_was(text: str) -> None:
    scrubber = Scrubber(KEY, "another-secret")
    if not shared_parts(text, KEY):
        assert scrubber.hide(text) == text


@given(st.text(max_size=9), st.sampled_from(sorted(SPELLINGS)), st.text(max_size=9))
def test_a_record_loses_the_whole_key_and_nothing_else(before: str, spelling: str, after: str) -> None:
    scrubber = Scrubber(KEY)
    text = SPELLINGS[spelling](KEY)
    value = {"name": [f"{before} {text} {after}", 7, None, True], f"{text}": "x", HIDDEN: "y", "part": KEY[:20]}
    redacted, held = scrubber.redact(value)
    assert held
    assert not any(SPELLINGS[spelling](KEY) in json.dumps(redacted, ensure_ascii=False) for spelling in SPELLINGS)
    assert [*redacted.values()][1:] == ["x", "y", KEY[:20]], "eight characters of a key may stand in a prompt"
    assert redacted["name"][1:] == [7, None, True]
    assert len(redacted) == len(value)
    assert scrubber.redact(redacted) == (redacted, False)


@pytest.mark.parametrize("spelling", sorted(SPELLINGS.keys() - {"python", "html", "html hex", "blanks", "invisible"}))
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_page_tells_from_its_bytes_that_it_holds_the_key(spelling: str, is_ascii: bool) -> None:
    text = SPELLINGS[spelling](KEY)
    for value in (f"élan {text}", {text: 1}, json.dumps({"deep": text})):
        assert Scrubber(KEY).holds_key(json.dumps([value], ensure_ascii=is_ascii).encode())
    raw = f'["{text}"]' if spelling != "json in part" else f'["{text}", "50 %ab"]'
    assert Scrubber(KEY).holds_key(raw.encode())
    assert not Scrubber(KEY).holds_key(
        json.dumps(["élan", KEY[:-1], "50 %41", "\u00e9"], ensure_ascii=is_ascii).encode()
    )


@pytest.mark.parametrize("key", [*KEYS, "a/b\\c\"d'e/f-0123"])
def test_a_page_may_escape_what_json_may_escape(key: str) -> None:
    for body in (json.dumps([key]), json.dumps([key]).replace("/", "\\/"), json.dumps([json.dumps([key])])):
        assert Scrubber(key).holds_key(body.encode())
        value, held = Scrubber(key).redact(json.loads(body))
        assert held
        assert key not in str(value)


def test_other_secrets_are_hidden_where_they_are_whole() -> None:
    scrubber = Scrubber("", "https://hooks.example/T0/abcdef", "hunter2!", "")
    assert scrubber.hide("https://elsewhere.example") == "https://elsewhere.example"
    assert scrubber.hide(f"POST {quote('https://hooks.example/T0/abcdef', safe='')}") == "POST ***"
    assert scrubber.hide_deeply({"HUNTER2!": ["hunter2%21", 1, None]}) == {"***": ["***", 1, None]}
