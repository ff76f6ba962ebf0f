"""How old the published data is: what `puretalk status --check` asks and what the metrics say about the data.

Reads the published snapshot only, read-only; no lock, no network, no log file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from puretalk.database import OFFLINE
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.schema import STORAGE_SCHEMA
from puretalk.settings import Settings
from puretalk.warehouse.snapshots import SnapshotStore

#: Two machines' clocks may differ by this much before a snapshot counts as one from the future.
CLOCK_TOLERANCE = timedelta(minutes=5)
_AGE = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
#: The numbers of the newest sync that say how it went; columns of sync_runs.
RUN_NUMBERS = ("rows_loaded", "new", "changed", "silent", "deleted", "held", "rejected", "retries")


@dataclass(frozen=True)
class Freshness:
    """The answer of `status --check`. `age` and `finished_at` (UTC) are None when there is nothing to read."""

    is_fresh: bool
    age: timedelta | None
    snapshot_id: str | None
    finished_at: datetime | None
    message: str


@dataclass(frozen=True)
class Published:
    """What the published snapshot says about itself. `finished_at`: end of the newest sync; `exact_at`: end of the
    newest one that was exact and complete; `assistants`: those that are not deleted; `numbers` of the newest sync."""

    snapshot_id: str
    finished_at: datetime | None
    exact_at: datetime | None
    assistants: int
    numbers: Mapping[str, int]


def check_freshness(settings: Settings, max_age: timedelta, now: datetime | None = None) -> Freshness:
    """Whether what readers get is at most `max_age` old. A snapshot that is missing or unreadable is not fresh."""
    try:
        published = read_published(settings.data_dir)
    except WarehouseError as error:
        return Freshness(False, None, None, None, error.message)
    if published is None:
        return Freshness(False, None, None, None, f"nothing has been published in {settings.data_dir} yet")
    if published.finished_at is None:
        return Freshness(False, None, published.snapshot_id, None, "the published snapshot holds no sync")
    age = (now or datetime.now(UTC)) - published.finished_at
    is_future = age < -CLOCK_TOLERANCE
    is_fresh = age <= max_age and not is_future
    finished = f"{published.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    if is_future:
        message = f"the published data claims to be of {finished}, which is in the future: compare the clocks"
    else:
        limit = "within" if is_fresh else "more than"
        message = f"the published data is {_say(age)} old ({finished}), {limit} the {_say(max_age)} allowed"
    return Freshness(is_fresh, max(age, timedelta(0)), published.snapshot_id, published.finished_at, message)


def read_published(data_dir: Path) -> Published | None:
    """What readers get now; None before the first sync. Raises WarehouseError when it cannot be read."""
    try:
        snapshot = SnapshotStore(data_dir).current()
        if snapshot is None:
            return None
        with contextlib.closing(duckdb.connect(str(snapshot), read_only=True, config=OFFLINE)) as connection:
            times = connection.execute(
                f"""SELECT (SELECT snapshot_id FROM {STORAGE_SCHEMA}.snapshot_info),
                           epoch(max(finished_at)), epoch(max(finished_at) FILTER (is_exact)),
                           (SELECT count(*) FROM {STORAGE_SCHEMA}.assistants WHERE deleted_at IS NULL)
                    FROM {STORAGE_SCHEMA}.sync_runs"""
            ).fetchall()
            newest = connection.execute(
                f"SELECT {', '.join(RUN_NUMBERS)} FROM {STORAGE_SCHEMA}.sync_runs ORDER BY finished_at DESC LIMIT 1"
            ).fetchall()
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WarehouseError(f"the published snapshot cannot be read: {reason}") from error
    snapshot_id, finished, exact, assistants = times[0]
    numbers = dict(zip(RUN_NUMBERS, newest[0], strict=True)) if newest else {}
    return Published(
        snapshot_id,
        _moment(finished),
        _moment(exact),
        assistants,
        {name: number for name, number in numbers.items() if number is not None},
    )


def parse_age(text: str) -> timedelta:
    """An age such as "2h", "30m", "90s", "1d" or a sum of them, "1h30m". Raises ConfigurationError."""
    match = _AGE.fullmatch(text.strip().lower())
    try:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
        age = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (OverflowError, ValueError):
        age = timedelta(0)
    if not age:
        raise ConfigurationError(
            f"{text[:40]!r} is not an age", action="Write it like 90s, 30m, 2h, 1d or 1h30m, and longer than nothing."
        )
    return age


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _say(age: timedelta) -> str:
    """The two largest parts of an age: "1 d 4 h", "90 s" as "1 min 30 s"."""
    seconds = max(int(age.total_seconds()), 0)
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"
