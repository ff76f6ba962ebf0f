"""Whether this machine's clock can be trusted. Versions are numbered by it, so a run with a wrong clock leaves wrong
times behind, and later runs must number theirs after them.

Two witnesses: the API's `Date` header, and the newest moment that the warehouse holds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

#: Clocks may differ by this much.
CLOCK_TOLERANCE = timedelta(minutes=5)


def find_clock_faults(now: datetime, *, offset: timedelta | None, newest: datetime | None) -> tuple[str, ...]:
    """What is wrong, in words. `now`: this machine's time (UTC); `offset`: how far it is ahead of the API's, None where
    the API tells no time; `newest`: the newest moment in the warehouse before this run."""
    faults = []
    if offset is not None and abs(offset) > CLOCK_TOLERANCE:
        way = "ahead of" if offset > timedelta() else "behind"
        faults.append(
            f"this machine's clock ({now:%Y-%m-%d %H:%M} UTC) is {_say(offset)} {way} the API's: this run has wrong "
            "times. Correct the clock. To take the times back: `puretalk rollback`, then `puretalk sync`"
        )
    if newest is not None and newest - now > CLOCK_TOLERANCE:
        faults.append(
            f"the warehouse holds times up to {newest:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M} UTC: a run had a wrong clock, or this one has. Until then every version gets a time "
            "just after the newest one. To repair: `puretalk rollback` to the last snapshot from before, then "
            "`puretalk sync`"
        )
    return tuple(faults)


def _say(offset: timedelta) -> str:
    """A length of time in its largest unit: "9 days", "7 hours", "12 minutes"."""
    minutes = int(abs(offset).total_seconds()) // 60
    for size, unit in ((24 * 60, "days"), (60, "hours")):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} minutes"
