"""Versions of what this release writes. A snapshot holds them, so that a later release knows what to carry over.

Raise a version in the same commit as its change; the next run then carries the warehouse over to it
(`warehouse/carry_over.py`):

    tables        a table or column is new, or a table is in another schema
    flattening    a rule of `flatten` changed, so that a record becomes other rows than before
    content_hash  the canonical JSON changed, and with it every content hash and every stored configuration
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from puretalk.json_values import JSONValue, hash_ascii_json, hash_json

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
CONTENT_HASHES: dict[int, Callable[[JSONValue], str]] = {1: hash_ascii_json, 2: hash_json}

#: What this release writes.
CURRENT = Versions(tables=4, flattening=3, content_hash=2)
#: Release 0.1.0 wrote no versions into its snapshots.
UNWRITTEN = Versions(tables=1, flattening=1, content_hash=1)
