"""A moment that a person typed."""

from __future__ import annotations

from datetime import UTC, datetime

from puretalk.errors import UsageError


def parse_moment(text: str) -> datetime:
    """`2026-03-03`, `2026-03-03 10:15` or any other form of ISO 8601. Without an offset it is UTC; without a time, the
    beginning of the day. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time; write it as 2026-03-03 or as 2026-03-03T10:15Z") from None
