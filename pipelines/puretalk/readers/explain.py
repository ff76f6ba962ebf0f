"""The life of one assistant, told from the history: each version with the fields that changed, deletions, returns."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from puretalk.json_values import JSONValue, canonical_json
from puretalk.readers.assistants import find_assistant
from puretalk.schema import STORAGE_SCHEMA

#: Texts of at least this many characters, or of several lines, are shown as a diff of lines.
LONG_TEXT = 80


@dataclass(frozen=True)
class FieldChange:
    """A field that differs between two versions: path such as `llm_states[0].prompt`; None: missing."""

    path: str
    old: str | None
    new: str | None

    def lines(self) -> Iterator[str]:
        """The change in lines of text."""
        if self.old is not None and self.new is not None and max(len(self.old), len(self.new)) >= LONG_TEXT:
            yield f"{self.path}:"
            old, new = _text_lines(self.old), _text_lines(self.new)
            for line in list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]:
                yield f"  {line}"
        elif self.old is None:
            yield f"{self.path}: added {_shorten(self.new or '')}"
        elif self.new is None:
            yield f"{self.path}: removed {_shorten(self.old)}"
        else:
            yield f"{self.path}: {_shorten(self.old)} → {_shorten(self.new)}"


def explain_assistant(connection: duckdb.DuckDBPyConnection, assistant: str) -> Iterator[str]:
    """Lines of text, times as the connection gives them. `assistant`: its id, its name or the beginning of its id.
    Raises the errors of find_assistant."""
    assistant_id = find_assistant(connection, assistant)
    [(name, first_seen_at, deleted_at)] = connection.execute(
        f"SELECT name, first_seen_at, deleted_at FROM {STORAGE_SCHEMA}.assistants WHERE assistant_id = ?",
        [assistant_id],
    ).fetchall()
    versions = connection.execute(
        f"""SELECT observed_at, updated_at, is_silent, previous_deleted_at, config
            FROM {STORAGE_SCHEMA}.assistant_versions WHERE assistant_id = ? ORDER BY observed_at""",
        [assistant_id],
    ).fetchall()
    yield f"{name or '(no name)'}  {assistant_id}"
    yield f"{_moment(first_seen_at)}  first seen"
    before: JSONValue = None
    for number, (observed_at, updated_at, is_silent, previous_deleted_at, config) in enumerate(versions, start=1):
        after: JSONValue = json.loads(config)
        if previous_deleted_at is not None:
            yield f"{_moment(previous_deleted_at)}  found deleted"
            yield f"{_moment(observed_at)}  came back"
        claim = "silent: updated_at did not move" if is_silent else f"updated_at {_moment(updated_at)}"
        yield f"{_moment(observed_at)}  version {number} ({claim})"
        if number > 1:
            changes = list(compare_configs(before, after))
            for change in changes:
                yield from (f"    {line}" for line in change.lines())
            if not changes:
                yield "    no field changed"
        before = after
    if deleted_at is not None:
        yield f"{_moment(deleted_at)}  found deleted"


def compare_configs(old: JSONValue, new: JSONValue, path: str = "") -> Iterator[FieldChange]:
    """The innermost fields that differ, in the order of their sorted names."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _compare_parts(old, new, name, f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _compare_parts(dict(enumerate(old)), dict(enumerate(new)), index, f"{path}[{index}]")
    elif old != new or type(old) is not type(new):
        yield FieldChange(path, _show(old), _show(new))


def _compare_parts(old: dict[Any, JSONValue], new: dict[Any, JSONValue], name: Any, path: str) -> Iterator[FieldChange]:
    if name not in old:
        yield FieldChange(path, None, _show(new[name]))
    elif name not in new:
        yield FieldChange(path, _show(old[name]), None)
    else:
        yield from compare_configs(old[name], new[name], path)


def _show(value: JSONValue) -> str:
    return value if isinstance(value, str) and value else canonical_json(value)


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONG_TEXT else f"{flat[: LONG_TEXT - 1]}…"


def _text_lines(text: str) -> list[str]:
    """Lines of a text; a single long line is broken at its sentences, so that a diff shows which one changed."""
    lines = text.splitlines()
    return lines if len(lines) > 1 else text.replace(". ", ".\n").splitlines()


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "unknown"
