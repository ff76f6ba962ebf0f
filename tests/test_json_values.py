"""Claims about the canonical JSON. Content hashes depend on it, so its form must not change with a library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from puretalk.endpoints.assistants.versions import CONTENT_HASHES, CURRENT
from puretalk.json_values import (
    JSONValue,
    canonical_json,
    hash_ascii_json,
    hash_json,
    parse_json,
    parse_json_leniently,
)

_FORMS: list[tuple[JSONValue, str]] = [
    ({"b": [1, {"d": None, "c": True}], "a": ""}, '{"a":"","b":[1,{"c":true,"d":null}]}'),
    ({"\U0001f600": 1, "\uffff": 2, "z": 3, "é": 4, "Z": 5}, '{"Z":5,"z":3,"é":4,"\uffff":2,"\U0001f600":1}'),
    (
        '"quoted" \\ / \b\f\n\r\t \x00\x1f\x7f \u2028 <é>',
        '"\\"quoted\\" \\\\ / \\b\\f\\n\\r\\t \\u0000\\u001f\x7f \u2028 <é>"',
    ),
    ([0, -1, 2**63, -(2**63) - 1, 10**30], f"[0,-1,{2**63},{-(2**63) - 1},{10**30}]"),
    ([0.0, -0.0, 1.0, 0.5, 0.1 + 0.2, 1 / 3], "[0.0,-0.0,1.0,0.5,0.30000000000000004,0.3333333333333333]"),
    ([1e15, 1e16, 1.5e16, 123456789012345680.0, 1e22], "[1000000000000000.0,1e16,1.5e16,1.2345678901234568e17,1e22]"),
    ([0.001, 0.0001, 0.00001, 0.000001, 1.5e-7], "[0.001,0.0001,0.00001,1e-6,1.5e-7]"),
    ([5e-324, 1.7976931348623157e308], "[5e-324,1.7976931348623157e308]"),
]


@pytest.mark.parametrize(("value", "text"), _FORMS)
def test_the_canonical_form_is_this_one(value: JSONValue, text: str) -> None:
    assert canonical_json(value) == text
    assert hash_json(value) == hashlib.sha256(text.encode()).hexdigest()


def test_a_lone_surrogate_is_refused() -> None:
    values: list[JSONValue] = ["\ud800", ["a\udfff"], {"\ud800": 1}]
    for value in values:
        with pytest.raises(UnicodeEncodeError):
            canonical_json(value)


def test_the_hash_of_release_0_1_is_kept_and_the_current_one_is_known() -> None:
    value: JSONValue = {"b": 1e16, "a": "é"}
    assert hash_ascii_json(value) == hashlib.sha256(b'{"a":"\\u00e9","b":1e+16}').hexdigest()
    assert CONTENT_HASHES[1] is hash_ascii_json
    assert CONTENT_HASHES[CURRENT.content_hash] is hash_json


_PARTS = [*'[]{},:"\\ +-.eE019\n\x00\xa0', "null", "tr", "NaN", "Infinity", "1e999", "\\ud800", "\\udc00", "\\u00e9"]
_TEXTS = st.lists(st.sampled_from(_PARTS) | st.floats().map(str) | st.integers().map(str) | st.text(max_size=3))


@given(st.binary(max_size=8) | _TEXTS.map("".join).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'{"a":1,"a":-0.0}')
@example(b'"\\ud83d\\ude00"')
@example(b"[1.7976931348623159e308,12345678901234567890123]")
@example(b"\xef\xbb\xbf1")
@example(b'"\xed\xa0\x80"')
@example(b"1" * 4301)
@example(b"[" * 100_000)
def test_the_fast_parser_reads_no_text_otherwise_than_the_lenient_one(body: bytes) -> None:
    assert _outcome(parse_json, body) == _outcome(parse_json_leniently, body)


def _outcome(parse: Callable[[bytes], JSONValue], body: bytes) -> str:
    try:
        return repr(parse(body))
    except ValueError as error:
        return repr(error)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1,"a":2,"a":[3]}', {"a": [3], "_repeated": {"a": [1, 2]}}),
        ('[{"b":{"a":1,"a":1},"c":"\\":"}]', [{"b": {"a": 1, "_repeated": {"a": [1]}}, "c": '":'}]),
        ('{"a" :1,"b":2,"b":3}', {"a": 1, "b": 3, "_repeated": {"b": [2]}}),
        ('{"a":1,"a":2,"_repeated":3}', {"a": 2, "_repeated": {"a": [1]}, "api._repeated": 3}),
        ('{"\\u0061":1,"a":NaN}', {"a": "NaN", "_repeated": {"a": [1]}}),
        ('{"a":1,"_repeated":3}', {"a": 1, "_repeated": 3}),
        ('{"a":1,"a":2,"b":"\\u0022:"}', {"a": 2, "_repeated": {"a": [1]}, "b": '":'}),
        ('{"a":1,"a":2,"b":"\\u003a"}', {"a": 2, "_repeated": {"a": [1]}, "b": ":"}),
        ('{"a":1,"a":2,"b":"\\u003A"}', {"a": 2, "_repeated": {"a": [1]}, "b": ":"}),
    ],
)
def test_an_object_that_has_a_name_twice_keeps_both_values(text: str, value: JSONValue) -> None:
    assert parse_json(text.encode()) == value


_NAMES = st.sampled_from(["a", "b", '":', " "])
_OBJECTS: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["1", '"x"', '"\\":"', '"\\u0022:"', '"\\u003a"', '"\\u003A"']),
    lambda values: st.lists(st.tuples(_NAMES.map(json.dumps), st.sampled_from(["", " "]), values), max_size=4).map(
        lambda pairs: "{" + ",".join(f"{name}{blank}:{value}" for name, blank, value in pairs) + "}"
    ),
    max_leaves=12,
)


@given(_OBJECTS)
def test_no_repeated_name_is_overlooked(text: str) -> None:
    assert parse_json(text.encode()) == parse_json_leniently(text.encode())
