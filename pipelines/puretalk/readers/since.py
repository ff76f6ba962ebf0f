"""From when on: a moment that a person types, a snapshot, or yesterday."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.database import SEALED
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.readers.news import read_newest
from puretalk.warehouse.snapshots import SnapshotStore


def parse_since(text: str, data_dir: Path, now: datetime | None = None) -> datetime:
    """`yesterday` (its first moment, UTC), the ID of a kept snapshot (the newest moment that it holds), or a day or
    time in ISO 8601, UTC unless it says otherwise. Raises ConfigurationError for anything else."""
    if text == "yesterday":
        day = (now or datetime.now(UTC)).astimezone(UTC) - timedelta(days=1)
        return day.replace(hour=0, minute=0, second=0, microsecond=0)
    for snapshot in SnapshotStore(data_dir).list_snapshots():
        if snapshot.snapshot_id == text:
            return _newest_moment(snapshot.path)
    try:
        if text.endswith("Z") and "-" not in text:
            raise ValueError  # an ID of a snapshot is also a form of ISO 8601, but means what the snapshot holds
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text[:40]!r} is neither a time nor a snapshot that is kept",
            action="Write it like 2026-11-23, 2026-11-23T08:00 or yesterday, or take an ID of `puretalk snapshots`.",
        ) from None


def _newest_moment(snapshot: Path) -> datetime:
    try:
        with closing(duckdb.connect(str(snapshot), read_only=True, config=SEALED)) as connection:
            newest = read_newest(connection)
    except duckdb.Error as error:
        raise WarehouseError(f"the snapshot {snapshot} cannot be read: {str(error).splitlines()[0]}") from error
    return newest or datetime.min.replace(tzinfo=UTC)
