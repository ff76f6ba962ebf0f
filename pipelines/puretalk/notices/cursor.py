"""Up to where the news are delivered: a file next to the data, not in a snapshot, so that a rollback does not move it.

    {data dir}/notices.json
    {"delivered_until": "2026-11-23T08:00:01.120345+00:00", "pending_until": null}

`pending_until` is written before the request: whether an attempt arrived cannot be known, so that the next one sends
the same span again, under the same event id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from puretalk.errors import WarehouseError
from puretalk.warehouse.copies import sync_file
from puretalk.warehouse.places import create_file, read_own_file


@dataclass(frozen=True)
class Cursor:
    """Times are UTC. `pending_until`: the end of a span that was sent, and for which no receipt came."""

    delivered_until: datetime
    pending_until: datetime | None = None


def cursor_path(data_dir: Path) -> Path:
    """The file of the cursor."""
    return data_dir / "notices.json"


def read_cursor(data_dir: Path) -> Cursor | None:
    """None before the first run with a `notify_url`. Raises WarehouseError when the file is not what was written."""
    path = cursor_path(data_dir)
    try:
        content = json.loads(read_own_file(path))
        pending = content["pending_until"]
        return Cursor(_aware(content["delivered_until"]), _aware(pending) if pending else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WarehouseError(
            f"{path} cannot be read: remove it, and notices begin again from what is published"
        ) from error


def write_cursor(data_dir: Path, cursor: Cursor) -> None:
    """Replace the file in one step, on the disk when this returns. Raises OSError."""
    path, pending = cursor_path(data_dir), cursor.pending_until
    content = {
        "delivered_until": cursor.delivered_until.isoformat(),
        "pending_until": pending.isoformat() if pending else None,
    }
    prepared = path.with_suffix(".json-to-be")
    create_file(prepared, json.dumps(content) + "\n", mode=0o600)
    sync_file(prepared)
    prepared.replace(path)


def event_id(since: datetime, until: datetime) -> str:
    """The id of the news of a span: the same each time that the span is sent."""
    return hashlib.sha256(f"{since.isoformat()} {until.isoformat()}".encode()).hexdigest()[:32]


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment
