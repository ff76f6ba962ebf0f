"""JSON as the API sends it: its types, the one place that reads it, and the one form in which it is stored.

`Any` ends here: `parse_json` returns a `JSONValue`, and its callers have to check the type before they use it.
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import accumulate
from typing import TypeAlias

import msgspec

JSONValue: TypeAlias = "dict[str, JSONValue] | list[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"


#: Key in an object that has a name more than once: name → its earlier values. Under the name itself is the last one.
REPEATED = "_repeated"

#: Key in a record, and so in `extra`, of the strings that UTF-8 cannot encode: path → text with \uXXXX escapes.
UNENCODABLE = "_unencodable"


#: Objects and lists in each other, at most. Python reads up to about 900, fewer the deeper the calls are in which it
#: does, so another step of a run could fail at what this one has read.
MAX_DEPTH = 500
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _STEPS.keys())
_TOO_DEEP = f"JSON that is nested too deeply (more than {MAX_DEPTH} levels)"


class NotJSONError(ValueError):
    """The text is not JSON: perhaps it is cut off, or a proxy sent a page. Another request may help."""


class UnusableJSONError(ValueError):
    """The text is JSON that Python cannot hold. Another request would bring the same text."""


_PARSER = msgspec.json.Decoder()
_COMPACT = msgspec.json.Encoder()


def parse_json(body: bytes) -> JSONValue:
    """The value of a JSON text in UTF-8; a byte order mark is accepted.

    Lone surrogates and NUL characters stay as they are. Numbers that JSON or a float cannot hold become strings: `NaN`
    becomes "NaN", `1e999` becomes "1e999". An object that has a name more than once keeps the earlier values under
    REPEATED. Raises NotJSONError or UnusableJSONError; neither quotes the text.
    """
    if _is_too_deep(body):
        raise UnusableJSONError(_TOO_DEEP)
    try:
        value: JSONValue = _PARSER.decode(body)  # four times as fast, and refuses whatever it would read otherwise
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return parse_json_leniently(body)
    return parse_json_leniently(body) if _may_repeat(body, value) else value


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    # Without escaped quotation marks, each one that is left begins or ends a string.
    outside = b"".join(body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])
    brackets = outside.translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH


def _may_repeat(body: bytes, value: JSONValue) -> bool:
    """Whether the text may hold more names than its value, which keeps the last one of equal names."""
    # The value's text has no escaped colon. If the body has none either, a colon is missing only with its name.
    return b"\\u003" in body or body.count(b":") != _COMPACT.encode(value).count(b":")


def parse_json_leniently(body: bytes) -> JSONValue:
    """What `parse_json` does, for texts that the strict parser refuses or reads only in part."""
    try:
        value: JSONValue = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=str,
            parse_float=_parse_float,
            object_pairs_hook=_keep_repeated,
        )
    except UnicodeDecodeError as error:
        raise NotJSONError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJSONError(f"not JSON from character {error.pos} of {len(error.doc)} on") from None
    except RecursionError:
        raise UnusableJSONError(_TOO_DEEP) from None
    except ValueError:
        # Python refuses integers of more than 4300 digits: reading them takes quadratic time.
        raise UnusableJSONError("JSON with an integer of thousands of digits") from None
    return value


def _keep_repeated(pairs: list[tuple[str, JSONValue]]) -> JSONObject:
    """An object of its names and values in their order."""
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    values: dict[str, list[JSONValue]] = {}
    for name, each in pairs:
        values.setdefault(name, []).append(each)
    if REPEATED in value:
        value[f"api.{REPEATED}"] = value[REPEATED]
    value[REPEATED] = {name: each[:-1] for name, each in values.items() if len(each) > 1}
    return value


def _parse_float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_CANONICAL = msgspec.json.Encoder(order="sorted")


def canonical_json(value: JSONValue) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text.

    Keys are sorted by code point. Text is UTF-8: only quotes, backslashes and control characters below U+0020 are
    escaped. Integers have all their digits. Floats have the fewest digits that give the same float, and an exponent
    below 1e-5 and from 1e16 on: 0.5, 1.0, -0.0, 1e-6, 1e16. Raises UnicodeEncodeError where a string holds a lone
    surrogate (`clean_record` replaces them).
    """
    return _CANONICAL.encode(value).decode()


def hash_json(value: JSONValue) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(_CANONICAL.encode(value)).hexdigest()


def hash_ascii_json(value: JSONValue) -> str:
    """SHA-256 (hex) of the canonical JSON of release 0.1: only ASCII characters, floats as Python writes them."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hash_text(text)


def hash_text(text: str) -> str:
    """SHA-256 (hex) of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def kind_of(value: JSONValue) -> str:
    """What a value is, for a message."""
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    if value == "" or (isinstance(value, str) and not value.strip()):
        return "an empty string"
    return names.get(type(value), "a number")


def clean_record(record: JSONValue) -> JSONValue:
    """The record in a form that can be stored.

    UTF-8, and so every column, can hold any character except a lone surrogate (half of a character). That one becomes
    U+FFFD, and the record keeps the original text under UNENCODABLE. Numbers too large for a double become strings.
    """
    try:
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (UnicodeEncodeError, ValueError):
        originals: JSONObject = {}
        clean = _replace_unstorable(record, "", originals)
        if originals and isinstance(clean, dict):
            if UNENCODABLE in clean:
                clean[f"api.{UNENCODABLE}"] = clean[UNENCODABLE]
            clean[UNENCODABLE] = originals
        return clean
    return record


def _replace_unstorable(value: JSONValue, path: str, originals: JSONObject) -> JSONValue:
    if isinstance(value, str):
        text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text != value:
            originals[path] = json.dumps(value)[1:-1]
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, list):
        items: list[JSONValue] = []
        for index, item in enumerate(value):  # a comprehension would be a second call on each level
            items.append(_replace_unstorable(item, f"{path}[{index}]", originals))
        return items
    if isinstance(value, dict):
        result: JSONObject = {}
        for name, item in value.items():
            clean_name = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if clean_name != name:
                while clean_name in value or clean_name in result:  # two names may differ only in lone surrogates
                    clean_name += "\ufffd"
                originals[f"{path}.{clean_name}.<name>".lstrip(".")] = json.dumps(name)[1:-1]
            result[clean_name] = _replace_unstorable(item, f"{path}.{clean_name}".lstrip("."), originals)
        return result
    return value
