"""JSON as the API sends it: the types, and the one place that reads it.

`Any` ends here: what `parse_json` returns is a `JSONValue`, and whoever wants more of it has to look.
"""

from __future__ import annotations

import json
import math
from typing import TypeAlias

JSONValue: TypeAlias = "dict[str, JSONValue] | list[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"


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
