"""How old the published data may be, and whether it is older: `puretalk status --check`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.readers.published import read_published, verify_published
from puretalk.settings import Settings
from puretalk.sync.clock import CLOCK_TOLERANCE
from puretalk.warehouse.lock import find_overdue_run

_AGE = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True)
class Freshness:
    """The answer of `status --check`. `age` and `finished_at` (UTC) are None when nothing could be read."""

    is_fresh: bool
    age: timedelta | None
    snapshot_id: str | None
    finished_at: datetime | None
    message: str


def check_freshness(settings: Settings, max_age: timedelta, now: datetime | None = None) -> Freshness:
    """Whether what readers get is at most `max_age` old. A snapshot that is missing or unreadable, or that another
    program wrote to, is not fresh, and neither is one that an overdue run keeps from being replaced."""
    try:
        published = read_published(settings.data_dir)
        verify_published(settings.data_dir)
    except WarehouseError as error:
        return Freshness(False, None, None, None, error.message)
    if published.finished_at is None:
        return Freshness(False, None, published.snapshot_id, None, "the published snapshot holds no sync")
    now = now or datetime.now(UTC)
    age = now - published.finished_at
    is_future = age < -CLOCK_TOLERANCE
    is_fresh = age <= max_age and not is_future
    finished = f"{published.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    overdue = find_overdue_run(settings.data_dir, settings.operations.run_deadline, now)
    if overdue is not None:
        is_fresh, message = False, overdue
    elif is_future:
        message = f"the published data claims to be of {finished}, which is in the future: compare the clocks"
    else:
        limit = "within" if is_fresh else "more than"
        message = f"the published data is {_say(age)} old ({finished}), {limit} the {_say(max_age)} allowed"
    return Freshness(is_fresh, max(age, timedelta(0)), published.snapshot_id, published.finished_at, message)


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


def _say(age: timedelta) -> str:
    """The two largest parts of an age: "1 d 4 h", "90 s" as "1 min 30 s"."""
    seconds = max(int(age.total_seconds()), 0)
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"
