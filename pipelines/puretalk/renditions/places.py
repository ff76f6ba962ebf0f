"""Versions of a snapshot as they were at a moment: of one assistant, or of all that were live."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from puretalk.errors import ConfigurationError
from puretalk.json_values import JSONObject
from puretalk.renditions.rendering import name_folder
from puretalk.schema import STORAGE_SCHEMA

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """A version of an assistant and the folder in which its files are. Times are UTC. `ended_at`: when the assistant
    got another version or was found deleted; None while the version holds."""

    assistant_id: str
    folder: str
    config: JSONObject
    observed_at: datetime
    ended_at: datetime | None
    updated_at: datetime | None

    @property
    def name(self) -> object:
        """The name of the assistant in this version."""
        return self.config.get("name")


_PLACES = f"""
    WITH versions AS (
        SELECT assistant_id, observed_at, updated_at, config,
               lead(coalesce(previous_deleted_at, observed_at)) OVER following AS next_at,
               first_value(json_extract(config, '$.name')) OVER following AS first_name
        FROM {STORAGE_SCHEMA}.assistant_versions
        WINDOW following AS (PARTITION BY assistant_id ORDER BY observed_at)
    )
    SELECT versions.assistant_id, versions.first_name::VARCHAR, versions.config::VARCHAR,
           epoch_us(versions.observed_at), epoch_us(coalesce(versions.next_at, assistants.deleted_at)),
           epoch_us(versions.updated_at)
    FROM versions JOIN {STORAGE_SCHEMA}.assistants ON versions.assistant_id = assistants.assistant_id
"""
_LIVE = """
    WHERE ($moment IS NULL OR epoch_us(versions.observed_at) <= $moment)
      AND (coalesce(versions.next_at, assistants.deleted_at) IS NULL
           OR epoch_us(coalesce(versions.next_at, assistants.deleted_at)) > $moment)
"""


def find_place(connection: duckdb.DuckDBPyConnection, assistant_id: str, moment: datetime | None = None) -> Place:
    """The version of the assistant at the moment, also where it was deleted before (default: the last one). Raises
    ConfigurationError where no version is that old."""
    rows = connection.execute(
        _PLACES
        + "WHERE versions.assistant_id = $id AND ($moment IS NULL OR epoch_us(versions.observed_at) <= $moment) "
        "ORDER BY versions.observed_at DESC LIMIT 1",
        {"id": assistant_id, "moment": None if moment is None else microseconds(moment)},
    ).fetchall()
    if not rows:
        raise ConfigurationError(
            f"no sync had seen the assistant {assistant_id} by {moment}",
            action=f"`puretalk explain {assistant_id}` lists its versions.",
        )
    return _read(*rows[0])


def read_fleet(connection: duckdb.DuckDBPyConnection, moment: datetime | None = None) -> dict[str, Place]:
    """All assistants that were live at the moment (default: those that are live), by id."""
    rows = connection.execute(
        _PLACES + _LIVE + "ORDER BY versions.assistant_id",
        {"moment": None if moment is None else microseconds(moment)},
    ).fetchall()
    places = [_read(*row) for row in rows]
    return {place.assistant_id: place for place in places}


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(value: int) -> datetime:
    """The moment that so many microseconds after 1970 is."""
    return EPOCH + timedelta(microseconds=value)


def _read(
    assistant_id: str, first_name: str | None, config: str, observed: int, ended: int | None, updated: int | None
) -> Place:
    return Place(
        assistant_id,
        name_folder(json.loads(first_name) if first_name else None, assistant_id),
        json.loads(config),
        moment_of(observed),
        None if ended is None else moment_of(ended),
        None if updated is None else moment_of(updated),
    )
