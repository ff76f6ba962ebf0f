"""Retention: which snapshots stay. It knows their ages and sizes, and touches no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from puretalk.settings import RetentionSettings

TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Snapshot:
    """A published file. `created_at` (UTC) is its id; `size` in bytes; `is_adopted`: a person put it back."""

    path: Path
    created_at: datetime
    size: int
    is_current: bool
    is_adopted: bool = False

    @property
    def snapshot_id(self) -> str:
        """The time in the name of its folder; the ID of `puretalk rollback`."""
        return f"{self.created_at:{TIME_FORMAT}}"


def choose_snapshots(snapshots: list[Snapshot], retention: RetentionSettings, now: datetime) -> Iterator[Snapshot]:
    """The snapshots, of a list with the newest first, that the retention keeps. Pure."""
    kept: list[Snapshot] = []
    hours: set[str] = set()
    days: set[str] = set()
    current_at = next((at for at, snapshot in enumerate(snapshots) if snapshot.is_current), 0)
    for at, snapshot in enumerate(snapshots):
        hour, day = f"{snapshot.created_at:%Y%m%d%H}", f"{snapshot.created_at:%Y%m%d}"
        age = now - snapshot.created_at
        is_hourly = hour not in hours and age <= timedelta(hours=retention.keep_hourly)
        is_daily = day not in days and age <= timedelta(days=retention.keep_daily)
        if at < retention.keep_last or at in (current_at, current_at + 1) or is_hourly or is_daily:
            kept.append(snapshot)
            hours.add(hour)
            days.add(day)
    total = 0
    for snapshot in kept:
        total += snapshot.size
        needed = snapshots.index(snapshot) in (current_at, current_at + 1)
        if needed or retention.disk_budget == 0 or total <= retention.disk_budget:
            yield snapshot
        else:
            total -= snapshot.size
