"""JSON as the API sends it: the types, the one place that reads it, and the one form in which it is kept.

`Any` ends here: what `parse_json` returns is a `JSONValue`, and whoever wants more of it has to look.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TypeAlias

JSONValue: TypeAlias = "dict[str, JSONValue] | list[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"


#: Key in a record, and so in `extra`, that keeps strings which no UTF-8 text can hold: path → text with \uXXXX escapes.
UNENCODABLE = "_unencodable"


class NotJSONError(ValueError):
    """The text is no JSON: perhaps cut off, perhaps a page of a proxy. Asking again may help."""


class UnusableJSONError(ValueError):
    """The text is JSON that Python cannot hold. Asking again brings the same."""


def parse_json(body: bytes) -> JSONValue:
    """The value that UTF-8 JSON (a byte order mark is tolerated) stands for.

    Lone surrogates and NUL characters stay as they are. What JSON or a float cannot hold stays readable as text:
    `NaN` becomes "NaN", `1e999` becomes "1e999". Raises NotJSONError or UnusableJSONError; neither quotes the text.
    """
    try:
        value: JSONValue = json.loads(body.decode("utf-8-sig"), parse_constant=str, parse_float=_parse_float)
    except UnicodeDecodeError as error:
        raise NotJSONError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotJSONError(f"not JSON from character {error.pos} of {len(error.doc)} on") from None
    except RecursionError:
        raise UnusableJSONError("JSON that is nested too deeply") from None
    except ValueError:
        # Python refuses integers of more than 4300 digits: reading them takes quadratic time.
        raise UnusableJSONError("JSON with an integer of thousands of digits") from None
    return value


def _parse_float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def canonical_json(value: JSONValue) -> str:
    """JSON with sorted keys, no blanks and only ASCII characters: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def hash_json(value: JSONValue) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hash_text(canonical_json(value))


def hash_text(text: str) -> str:
    """SHA-256 (hex) of a text."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def clean_record(record: JSONValue) -> JSONValue:
    """The record, storable: lone surrogates (half of a character) become U+FFFD and the original text is kept beside.

    UTF-8, and so every column, can hold any character but those; numbers too large for a double become strings.
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
        return [_replace_unstorable(item, f"{path}[{index}]", originals) for index, item in enumerate(value)]
    if isinstance(value, dict):
        result: JSONObject = {}
        for name, item in value.items():
            clean_name = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if clean_name != name:
                while clean_name in value or clean_name in result:  # two names may differ in nothing but such halves
                    clean_name += "\ufffd"
                originals[f"{path}.{clean_name}.<name>".lstrip(".")] = json.dumps(name)[1:-1]
            result[clean_name] = _replace_unstorable(item, f"{path}.{clean_name}".lstrip("."), originals)
        return result
    return value
