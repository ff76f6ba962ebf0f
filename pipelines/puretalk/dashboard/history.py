"""What the page has about each assistant, in packed chunks; the page unpacks a chunk when an assistant of it is opened.

A chunk is JSON, gzipped, in base85: `{"texts": ["…"], "assistants": {"17": {"history": [[3, [0]], …]}}}`. A long
text is once in `texts`. In the rows it is `[its index]`, or `[its index, 1]` where the value is that text as JSON (old
and new values of a history are). A history repeats mostly the same texts, and similar texts are close together, so gzip
compresses it well.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from puretalk.dashboard.answers import Scalar, fetch
from puretalk.dashboard.spec import Detail

#: Assistants that are read at once; this limits the memory that making a page needs.
_READ_AT_ONCE: Final = 2_000

#: Approximate characters of JSON in a chunk; a browser unpacks this in a few milliseconds.
_CHUNK_CHARACTERS: Final = 300_000

#: Texts of at least this length are written once.
_SHARED_LENGTH: Final = 48

#: `data.js` has the same letters.
_PLAIN: Final = str.maketrans("&<>", ",./")

Packed = Scalar | list[int]


@dataclass
class _Chunk:
    texts: dict[str, int] = field(default_factory=dict)
    assistants: dict[str, dict[str, list[list[Packed]]]] = field(default_factory=dict)
    characters: int = 0

    def packed(self, value: Scalar, *, is_json: bool) -> Packed:
        if not isinstance(value, str) or len(value) < _SHARED_LENGTH:
            self.characters += 8 if not isinstance(value, str) else len(value) + 3
            return value
        text = _json_text(value) if is_json else None
        shared = value if text is None else text
        if shared not in self.texts:
            self.texts[shared] = len(self.texts)
            self.characters += len(shared)
        return [self.texts[shared]] if text is None else [self.texts[shared], 1]


@dataclass(frozen=True)
class Histories:
    """`chunk_of[place]` is the chunk with the assistant at that place; `columns`: detail id → titles, formats."""

    chunks: list[str]
    chunk_of: list[int]
    columns: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


def pack(value: object) -> str:
    """JSON, gzipped, in base85 (RFC 1924) with other letters for those that mean something in HTML.

    Base85 takes 5 letters for 4 bytes; base64 would make the page 6 percent larger.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)
    return base64.b85encode(packed).decode("ascii").translate(_PLAIN)


def pack_histories(
    connection: duckdb.DuckDBPyConnection, details: Sequence[Detail], assistant_ids: Sequence[str]
) -> Histories:
    """Run the SQL of the details for all assistants and pack the rows by assistant."""
    chunks: list[str] = []
    chunk_of: list[int] = []
    columns: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for name, sql in _statements(details):
        empty = fetch(connection, f"SELECT * FROM (\n{sql}\n) LIMIT 0", f"the detail {name!r}").without("assistant_id")
        columns[name] = (empty.titles, empty.formats)
    chunk = _Chunk()
    places = {assistant_id: place for place, assistant_id in enumerate(assistant_ids)}
    for start in range(0, len(assistant_ids), _READ_AT_ONCE):
        ids = list(assistant_ids[start : start + _READ_AT_ONCE])
        answers = {name: dict(_by_assistant(connection, name, sql, ids)) for name, sql in _statements(details)}
        for place, assistant_id in enumerate(ids, start):
            rows = {
                name: _placed(columns[name][0], answer.get(assistant_id, []), places)
                for name, answer in answers.items()
            }
            chunk.assistants[str(place)] = {
                name: [[chunk.packed(value, is_json=name.endswith(".changes")) for value in row] for row in group]
                for name, group in rows.items()
                if group
            }
            chunk_of.append(len(chunks))
            if chunk.characters > _CHUNK_CHARACTERS:
                chunks.append(_sealed(chunk))
                chunk = _Chunk()
    if chunk.assistants:
        chunks.append(_sealed(chunk))
    return Histories(chunks, chunk_of, columns)


def _placed(titles: tuple[str, ...], rows: list[tuple[Any, ...]], places: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """The rows with the place of an assistant in place of its id, in a first column `other_id`."""
    if titles[:1] != ("other_id",):
        return rows
    return [(places[row[0]], *row[1:]) for row in rows if row[0] in places]


def _json_text(value: str) -> str | None:
    """The text of a JSON string; None for any other JSON, and for a string that was cut."""
    if not value.startswith('"'):
        return None
    try:
        return str(json.loads(value))
    except ValueError:
        return None


def _sealed(chunk: _Chunk) -> str:
    return pack({"texts": list(chunk.texts), "assistants": chunk.assistants})


def _statements(details: Sequence[Detail]) -> Iterator[tuple[str, str]]:
    for detail in details:
        yield detail.id, detail.sql
        if detail.changes:
            yield f"{detail.id}.changes", detail.changes


def _by_assistant(
    connection: duckdb.DuckDBPyConnection, name: str, sql: str, ids: list[str]
) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    wanted = f"SELECT * FROM (\n{sql}\n) WHERE assistant_id IN (SELECT unnest(?))"
    rows = fetch(connection, wanted, f"the detail {name!r}", [ids])
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for assistant_id, row in zip(
        rows.column("assistant_id"), zip(*rows.without("assistant_id").columns, strict=True), strict=True
    ):
        groups.setdefault(str(assistant_id), []).append(row)
    yield from groups.items()
