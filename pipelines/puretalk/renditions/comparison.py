"""Two sides of a diff: the fleet at a moment, in a snapshot or in another data directory, or one assistant."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from puretalk.database import SEALED
from puretalk.errors import ConfigurationError, UsageError, WarehouseError
from puretalk.readers.areas import name_in_line
from puretalk.readers.assistants import find_assistant
from puretalk.readers.connection import connect
from puretalk.readers.moments import parse_moment
from puretalk.renditions.places import Place, find_place, read_fleet
from puretalk.renditions.rendering import render_files
from puretalk.warehouse.snapshots import PUBLISHED_NAME, SnapshotStore

_SNAPSHOT_ID = re.compile(r"\d{8}T\d{12}Z")
#: What two assistants of two accounts never share; left out where they were matched by name.
_IDENTITY = ("assistant_id", "created_at")


@dataclass(frozen=True)
class Side:
    """`places` by assistant_id. `is_one`: a single assistant was named. `account`: the data directory."""

    label: str
    places: Mapping[str, Place]
    is_one: bool
    account: Path


@dataclass(frozen=True)
class Pair:
    """An assistant on both sides; None where it is not there. `files`: path → (old text, new text) of what differs."""

    folder: str
    old: Place | None
    new: Place | None
    files: Mapping[str, tuple[str | None, str | None]]

    @property
    def name(self) -> str:
        """The name in the newer side, else in the older one, in one line."""
        place = self.new or self.old
        assert place is not None
        return name_in_line(place.name, place.assistant_id)


@dataclass(frozen=True)
class Comparison:
    """What differs, in the order of the folders; `notes` are sentences about what could not be matched."""

    old: Side
    new: Side
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]


def read_side(text: str, data_dir: Path) -> Side:
    """What a person named: a data directory, the id of a snapshot, a time, or an assistant, in this order.

    Raises UsageError, ConfigurationError or WarehouseError where there is no such thing.
    """
    folder = Path(text).expanduser().absolute()
    if (folder / PUBLISHED_NAME).exists():
        with contextlib.closing(connect(folder)) as connection:
            return Side(text, read_fleet(connection), False, folder.resolve())
    account = data_dir.resolve()
    if _SNAPSHOT_ID.fullmatch(text):
        with contextlib.closing(_open_snapshot(data_dir, text)) as connection:
            return Side(text, read_fleet(connection), False, account)
    with contextlib.closing(connect(data_dir)) as connection:
        with contextlib.suppress(UsageError):
            return Side(text, read_fleet(connection, parse_moment(text)), False, account)
        place = find_place(connection, find_assistant(connection, text))
        return Side(text, {place.assistant_id: place}, True, account)


def compare_sides(old: Side, new: Side) -> Comparison:
    """What differs between the sides. Pure.

    Two assistants that were both named are compared with each other. Otherwise assistants are matched by id, and
    between two accounts those that are left by a name that only one assistant on each side has.
    """
    notes: list[str] = []
    if old.is_one and new.is_one:
        matched = [(*old.places.values(), *new.places.values())]
        pairs: list[tuple[Place | None, Place | None]] = [(matched[0][0], matched[0][1])]
    else:
        pairs = list(_match(old, new, notes))
        if old.is_one:
            pairs = [pair for pair in pairs if pair[0] is not None]
        if new.is_one:
            pairs = [pair for pair in pairs if pair[1] is not None]
    found = [_compare(*pair) for pair in pairs]
    return Comparison(
        old, new, tuple(sorted((pair for pair in found if pair.files), key=lambda pair: pair.folder)), tuple(notes)
    )


def _match(old: Side, new: Side, notes: list[str]) -> Iterator[tuple[Place | None, Place | None]]:
    by_name: dict[str, str] = {}
    if old.account != new.account:
        by_name = _match_names(old, new, notes)
    for assistant_id, place in old.places.items():
        yield place, new.places.get(assistant_id) or new.places.get(by_name.get(assistant_id, ""))
    taken = old.places.keys() | set(by_name.values())
    for assistant_id, place in new.places.items():
        if assistant_id not in taken:
            yield None, place


def _match_names(old: Side, new: Side, notes: list[str]) -> dict[str, str]:
    """Ids of the old side → ids of the new side with the same name, where only one assistant on each side is left."""
    left = [place for each, place in old.places.items() if each not in new.places]
    right = [place for each, place in new.places.items() if each not in old.places]
    counts = [Counter(place.name for place in places if isinstance(place.name, str)) for places in (left, right)]
    for name in sorted(counts[0].keys() & counts[1].keys()):
        if counts[0][name] > 1 or counts[1][name] > 1:
            shown = name_in_line(name, "")
            notes.append(f"{shown!r} is the name of {counts[0][name]} and {counts[1][name]} assistants: not matched")
    targets = {place.name: place.assistant_id for place in right if counts[1][str(place.name)] == 1}
    return {
        place.assistant_id: targets[place.name]
        for place in left
        if isinstance(place.name, str) and counts[0][place.name] == 1 and place.name in targets
    }


def _compare(old: Place | None, new: Place | None) -> Pair:
    if old is not None and new is not None and old.assistant_id != new.assistant_id:
        old, new = _without_identity(old), _without_identity(new)
    before = render_files(old.config) if old else {}
    after = render_files(new.config) if new else {}
    files = {
        path: (_text(before.get(path)), _text(after.get(path)))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }
    place = new or old
    assert place is not None
    return Pair(place.folder, old, new, files)


def _without_identity(place: Place) -> Place:
    return replace(place, config={name: value for name, value in place.config.items() if name not in _IDENTITY})


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode()


def _open_snapshot(data_dir: Path, snapshot_id: str) -> duckdb.DuckDBPyConnection:
    for snapshot in SnapshotStore(data_dir).list_snapshots():
        if snapshot.snapshot_id == snapshot_id:
            try:
                return duckdb.connect(str(snapshot.path), read_only=True, config=SEALED)
            except duckdb.Error as error:
                raise WarehouseError(f"the snapshot {snapshot_id} cannot be read: {error}") from error
    raise ConfigurationError(f"there is no snapshot {snapshot_id}", action="`puretalk snapshots` lists them.")
