"""The history as moments: which assistants appeared, changed, were found deleted or came back, in order of time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

import duckdb

from puretalk.errors import WarehouseError
from puretalk.readers.areas import describe_areas, name_in_line
from puretalk.renditions.places import microseconds, moment_of
from puretalk.renditions.rendering import name_folder
from puretalk.schema import STORAGE_SCHEMA

Kind = Literal["new", "changed", "deleted", "returned"]


@dataclass(frozen=True)
class Event:
    """What a sync observed of one assistant. `name` is the name in this version, `old_name` in the one before where it
    differs. `areas`: see marts.fct_config_changes. Of a deletion, what describes a version is that of the last one."""

    assistant_id: str
    folder: str
    kind: Kind
    observed_at: datetime
    name: str
    old_name: str | None = None
    areas: tuple[str, ...] = ()
    is_silent: bool = False
    updated_at: datetime | None = None

    def describe(self) -> str:
        """The event in one line."""
        name = self.name if self.old_name is None else f"{self.old_name} → {self.name}"
        if self.kind == "deleted":
            return f"{name}: deleted"
        claim = f"updated_at {self.updated_at:%Y-%m-%d %H:%M:%S}Z" if self.updated_at else "no updated_at"
        return f"{self.headline()} ({'silent: updated_at did not move' if self.is_silent else claim})"

    def headline(self) -> str:
        """The event without what the API claims."""
        name = self.name if self.old_name is None else f"{self.old_name} → {self.name}"
        if self.kind == "changed":
            return f"{name}: {describe_areas(self.areas)} changed" if self.areas else f"{name}: no field changed"
        return f"{name}: {'came back' if self.kind == 'returned' else self.kind}"


@dataclass(frozen=True)
class Moment:
    """All that was observed at one moment. `chain` is a hash over the moments up to this one: which assistants, when,
    and what happened to them, but not what they said, which a newer release may write in another way."""

    at: datetime
    events: tuple[Event, ...]
    chain: str


_EVENTS = f"""
    WITH versions AS (
        SELECT assistant_id, observed_at, updated_at, is_silent, previous_deleted_at,
               row_number() OVER following AS number,
               json_extract(config, '$.name') AS name,
               lag(json_extract(config, '$.name')) OVER following AS old_name,
               first_value(json_extract(config, '$.name')) OVER following AS first_name
        FROM {STORAGE_SCHEMA}.assistant_versions
        WINDOW following AS (PARTITION BY assistant_id ORDER BY observed_at)
    ),
    areas AS (
        SELECT assistant_id, version_number, list_sort(list(DISTINCT area)) AS areas
        FROM marts.fct_config_changes GROUP BY ALL
    ),
    events AS (
        SELECT versions.*, observed_at AS at,
               CASE WHEN previous_deleted_at IS NOT NULL THEN 'returned' WHEN number = 1 THEN 'new' ELSE 'changed' END
                   AS kind
        FROM versions
        UNION ALL
        SELECT versions.* REPLACE (old_name AS name), previous_deleted_at, 'deleted'
        FROM versions WHERE previous_deleted_at IS NOT NULL
        UNION ALL
        SELECT versions.*, assistants.deleted_at, 'deleted'
        FROM versions JOIN {STORAGE_SCHEMA}.assistants ON versions.assistant_id = assistants.assistant_id
        WHERE assistants.deleted_at IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY versions.assistant_id ORDER BY number DESC) = 1
    )
    SELECT epoch_us(events.at), events.assistant_id, kind, epoch_us(events.observed_at), epoch_us(events.updated_at),
           is_silent, name::VARCHAR, old_name::VARCHAR, first_name::VARCHAR, areas.areas
    FROM events LEFT JOIN areas
        ON events.assistant_id = areas.assistant_id AND events.number = areas.version_number
    ORDER BY events.at, events.assistant_id, kind
"""


def read_moments(connection: duckdb.DuckDBPyConnection) -> list[Moment]:
    """The history, oldest first. Raises WarehouseError where the snapshot has no models."""
    try:
        rows = connection.execute(_EVENTS).fetchall()
    except duckdb.CatalogException as error:
        raise WarehouseError(
            f"the snapshot has no models: {str(error).splitlines()[0]}", action="Run `puretalk build`."
        ) from error
    return list(_chain(_read(row) for row in rows))


def _read(row: tuple[object, ...]) -> tuple[int, Event]:
    at, assistant_id, kind, observed, updated, is_silent, name, old_name, first_name, areas = row
    names = [json.loads(each) if isinstance(each, str) else None for each in (name, old_name, first_name)]
    shown = name_in_line(names[0], str(assistant_id))
    before = name_in_line(names[1], str(assistant_id))
    event = Event(
        str(assistant_id),
        name_folder(names[2], str(assistant_id)),
        kind,  # type: ignore[arg-type]
        moment_of(int(str(observed))),
        shown,
        before if kind == "changed" and before != shown else None,
        tuple(areas) if isinstance(areas, list) and kind == "changed" else (),
        bool(is_silent) and kind == "changed",
        moment_of(int(str(updated))) if updated is not None else None,
    )
    return int(str(at)), event


def _chain(events: Iterable[tuple[int, Event]]) -> Iterator[Moment]:
    chain = hashlib.sha256()
    for at, group in groupby(events, key=lambda pair: pair[0]):
        found = tuple(event for _, event in group)
        for event in found:
            chain.update(f"{at}\x1f{event.assistant_id}\x1f{event.kind}\x1e".encode())
        yield Moment(moment_of(at), found, chain.hexdigest()[:40])


def seconds_of(moment: datetime) -> int:
    """Whole seconds since 1970, as git counts time."""
    return microseconds(moment) // 1_000_000
