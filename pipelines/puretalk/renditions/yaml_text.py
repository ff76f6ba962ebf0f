"""A JSON value as YAML: the same value always gives the same bytes, whatever library or Python is installed.

Every YAML parser reads the value back exactly: strings are in double quotes, or a literal block where they have several
lines; keys are sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from puretalk.json_values import JSONObject, JSONValue, canonical_json

#: Characters that YAML cannot hold as they are, or reads as the end of a line. Not `str.isprintable`: its answer
#: depends on the version of Python.
_ESCAPED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff\\ufffe\\uffff]")
_NOT_IN_BLOCK = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ufeff\\ufffe\\uffff]")
_BLANK_LINE = re.compile(r"^[ \t]+$", re.MULTILINE)
_PLAIN_KEY = re.compile(r"[a-z][a-z0-9_]+(?:\.[a-z0-9_]+)*")
#: Words that YAML reads as something else than a text.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
#: A key up to this length may stand before its colon; YAML's own bound is 1024 characters.
_SHORT_KEY = 500


def yaml_text(value: JSONObject) -> str:
    """The object as a YAML document; without keys, an empty one."""
    return "".join(f"{line}\n" for line in _object_lines(value, "")) if value else "{}\n"


def _object_lines(value: JSONObject, indent: str) -> Iterator[str]:
    for name in sorted(value):
        key = name if _PLAIN_KEY.fullmatch(name) and name not in _WORDS else _quote(name)
        if len(key) > _SHORT_KEY:
            yield f"{indent}? {key}"
            key = ""
        yield from _value_lines(f"{indent}{key}:", value[name], indent)


def _value_lines(head: str, value: JSONValue, indent: str) -> Iterator[str]:
    """The lines of a value after `head`, which is a key or the dash of a list."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        yield head
        yield from _object_lines(value, inner)
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _value_lines(f"{inner}-", item, inner)
    elif isinstance(value, str) and _fits_block(value):
        rest = value.rstrip("\n")
        kept = len(value) - len(rest)
        yield f"{head} |2{'-' if kept == 0 else '' if kept == 1 else '+'}"
        for line in value.removesuffix("\n").split("\n"):
            yield inner + line if line else ""
    else:
        yield f"{head} {_scalar(value)}"


def _fits_block(text: str) -> bool:
    """Whether a literal block holds the text exactly."""
    if "\n" not in text.rstrip("\n") or text[0] == "\n":
        return False
    return _NOT_IN_BLOCK.search(text) is None and _BLANK_LINE.search(text) is None


def _scalar(value: JSONValue) -> str:
    if isinstance(value, str):
        return _quote(value)
    text = canonical_json(value)
    if isinstance(value, float) and "e" in text:  # YAML 1.1 wants a point in the number and a sign in the exponent
        digits, _, exponent = text.partition("e")
        sign = "" if exponent[0] in "+-" else "+"
        return f"{digits if '.' in digits else f'{digits}.0'}e{sign}{exponent}"
    return text


def _quote(text: str) -> str:
    """The text in double quotes, which YAML reads as JSON does."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'
