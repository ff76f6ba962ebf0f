"""Versions of what this release writes. A snapshot holds them, so that a later release knows what to carry over.

Raise a version together with the change that it names; `warehouse/carry_over.py` does the rest with the next run:

    tables        a table or column is new, or has another type
    flattening    a record becomes other rows than before: a rule of `flatten` changed
    content_hash  the canonical JSON, and so every content hash and every stored configuration, changed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from puretalk.json_values import JSONValue, hash_json

#: Columns of snapshot_info that hold the versions → what they are versions of.
VERSION_COLUMNS = {
    "tables_version": "the tables",
    "flattening_version": "the rules that turn a record into rows",
    "content_hash_version": "the content hash",
}


@dataclass(frozen=True)
class Versions:
    """The versions that one snapshot was written with."""

    tables: int
    flattening: int
    content_hash: int


#: The content hash of each version. Keep the old ones: only the hash tells whether a user or voice that is stored
#: without a field had that field as null, or had no such field.
CONTENT_HASHES: dict[int, Callable[[JSONValue], str]] = {1: hash_json}

#: What this release writes.
CURRENT = Versions(tables=1, flattening=1, content_hash=1)
#: Release 0.1.0 wrote no versions into its snapshots.
UNWRITTEN = Versions(tables=1, flattening=1, content_hash=1)
