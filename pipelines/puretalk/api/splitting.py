"""A page split into the bytes of its records, so that each is read, known or refused by itself.

Splitting costs a tenth of parsing, and one record that cannot be read does not take the others with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from puretalk.api.body import BYTES_PER_RECORD
from puretalk.api.client import ApiClient
from puretalk.json_values import JSONObject, JSONValue, UnusableJSONError, parse_json


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it came: its bytes, their digest, and its value; the value is None where the digest was known.

    `flaw`: why its text is JSON that cannot be read, such as an integer of thousands of digits; "" where it can be. The
    value then holds those of its fields that can. A record that was not split by msgspec has an empty digest, and so
    has one that held the API key: its value and bytes are without the key, and must not become known, or the next sync
    would not tell of it."""

    digest: bytes
    body: bytes | msgspec.Raw
    value: JSONValue
    held_key: bool = False
    flaw: str = ""

    @classmethod
    def of(cls, value: JSONValue, *, held_key: bool = False) -> Self:
        """The record of a value."""
        return cls(b"", json.dumps(value).encode("ascii"), value, held_key)

    @property
    def text(self) -> str:
        """The text of the record, with a mark for each byte that is not UTF-8."""
        return bytes(self.body).decode(errors="replace")


@dataclass(frozen=True)
class Envelope:
    """The fields of a page as they came, with its records split; `records` is None where there is no list of them."""

    count: JSONValue = None
    records: list[Record] | None = None
    following: JSONValue = None


class _Split(msgspec.Struct):
    """A page as msgspec splits it: each record is a view of its bytes."""

    results: list[msgspec.Raw]
    count: Any = None
    next: Any = None


_SPLIT = msgspec.json.Decoder(_Split)


def read_envelope(client: ApiClient, body: bytes, known: Container[bytes], *, is_bounded: bool = True) -> Envelope:
    """What a body says as a page, without the key. Records whose digest is in `known` are not parsed. Raises
    NotJSONError, and UnusableJSONError where the page around the records cannot be read, or has too many of them
    (`is_bounded`)."""
    most = client.settings.max_body // BYTES_PER_RECORD if is_bounded else None
    try:
        split = _SPLIT.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _split_by_hand(client, body, most)
    _check_number(split.results, most)
    digests = [client.digest(each) for each in split.results]
    # Known bytes were searched for this key when they became known. To search the others at once takes half the time.
    unknown = [each for digest, each in zip(digests, split.results, strict=True) if digest not in known]
    is_suspect = client.holds_key(b",".join(unknown))
    records = [
        Record(digest, each, None) if digest in known else _read_record(client if is_suspect else None, each, digest)
        for digest, each in zip(digests, split.results, strict=True)
    ]
    return Envelope(split.count, records, split.next)


def _split_by_hand(client: ApiClient, body: bytes, most: int | None) -> Envelope:
    """What msgspec refuses, and `parse_json` reads: NaN, a byte order mark, lone surrogates, deep nesting."""
    fields = _split_object(body)
    if fields is None:  # JSON of another kind, or the error of the whole text
        parse_json(body)
        return Envelope()
    results = _split_members(fields.get("results", b""), b"[]")
    if results is not None:
        _check_number(results, most)
    return Envelope(
        parse_json(fields.get("count", b"null")),
        None if results is None else [_read_record(client, each, b"") for each in results],
        parse_json(fields.get("next", b"null")),
    )


def _check_number(records: list[Any], most: int | None) -> None:
    if most is not None and len(records) > most:
        raise UnusableJSONError(
            f"a page of {len(records):,} records, more than {most:,} (max_body / {BYTES_PER_RECORD})"
        )


def _read_record(client: ApiClient | None, body: bytes | msgspec.Raw, digest: bytes) -> Record:
    """The record of these bytes. `client`: takes the key out of them; None where they do not hold it."""
    text = bytes(body)
    flaw = ""
    try:
        value = parse_json(text)
    except UnusableJSONError as error:
        value, flaw = _read_fields(text), f"the record is {error}"
    if client is not None:
        value, held_key = client.redact(value, text)
        if flaw:
            kept, held_in_text = client.redact(text.decode(errors="replace"), text)
            if held_key or held_in_text:
                return Record(b"", str(kept).encode(errors="replace"), value, held_key=True, flaw=flaw)
        elif held_key:
            return Record.of(value, held_key=True)
    return Record(digest, body, value, flaw=flaw)


def _read_fields(text: bytes) -> JSONObject:
    """The fields of an object that can be read by themselves."""
    readable: JSONObject = {}
    for name, member in (_split_object(text) or {}).items():
        try:
            readable[name] = parse_json(member)
        except UnusableJSONError:
            continue
    return readable


#: A string, or a character that divides: in this order, so that what is in a string divides nothing.
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},:]', re.DOTALL)


def _split_object(text: bytes) -> dict[str, bytes] | None:
    """The text of each value of an object by its name; None where the text is not an object. Of equal names the last
    one counts. Nothing in the values is looked at."""
    members = _split_members(text.removeprefix(b"\xef\xbb\xbf"), b"{}")
    if members is None:
        return None
    fields: dict[str, bytes] = {}
    for member in members:
        found = _TOKENS.match(member.lstrip())
        if found is None or not found[0].startswith(b'"'):
            return None
        name, rest = parse_json(found[0]), member.lstrip()[found.end() :].lstrip()
        if not isinstance(name, str) or not rest.startswith(b":"):
            return None
        fields[name] = rest[1:]
    return fields


def _split_members(text: bytes, brackets: bytes) -> list[bytes] | None:
    """The texts between the commas of a list or an object; None where the text does not begin and end with these
    brackets."""
    text = text.strip()
    if len(text) < 2 or text[:1] + text[-1:] != brackets:
        return None
    members: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0 and token.end() < len(text):
                return None  # it ended before the text does
        elif mark == b"," and depth == 1:
            members.append(text[start : token.start()])
            start = token.end()
    if depth != 0:
        return None
    last = text[start:-1]
    return [*members, last] if members or last.strip() else []
