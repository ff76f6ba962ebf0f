"""What three kinds of clients are left with after the same storm. Run by hand: make bench-storm ARGS=assistants

`cursor` keeps rows with updated_at above the highest it has seen; `upsert` keeps every row of every walk; the third is
`puretalk sync`. Each meets an account of its own, of one seed, that changes after every page; five syncs in the storm,
one at rest.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from support import oracle
from support.storm import Storm, Witness, look_of, select, settings_for

from puretalk.demo import DemoApi
from puretalk.sync.run import run_sync

Rows = dict[str, dict[str, Any]]
PAGE = 50
SYNCS = 5


def walk(base_url: str) -> Iterator[dict[str, Any]]:
    """Every record, page after page, as a client does that knows nothing of drift."""
    with httpx.Client(headers={"X-API-KEY": "demo-key"}) as client:
        number = 1
        while True:
            answer = client.get(f"{base_url}/ai-assistants/", params={"page": number, "limit": PAGE})
            if answer.status_code == 404:  # rows were deleted, and with them the last page
                return
            page = answer.json()
            yield from page["results"]
            if page["next"] is None:
                return
            number += 1


def keep_above_cursor(rows: Rows, base_url: str) -> None:
    cursor = max(map(_updated_at, rows.values()), default=datetime.min.replace(tzinfo=UTC))
    rows.update({each["assistant_id"]: each for each in list(walk(base_url)) if _updated_at(each) > cursor})


def keep_all(rows: Rows, base_url: str) -> None:
    rows.update({each["assistant_id"]: each for each in walk(base_url)})


def _updated_at(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["updated_at"])


def measure_naive(keep: Callable[[Rows, str], None], size: int) -> tuple[int, int, int]:
    """Missing, stale (voice and user included), and deleted rows that are still alive."""
    account, rows = Witness(1, size), Rows()
    storm = Storm(account, 1, force=4)
    with DemoApi(account, page_cap=PAGE, order="unordered") as api:
        keep(rows, api.base_url)
        api.after_page = storm.strike
        for _ in range(SYNCS):
            keep(rows, api.base_url)
        api.after_page = None
        keep(rows, api.base_url)
    served = {record["assistant_id"]: record for record in account.records()}
    stale = [key for key in served.keys() & rows.keys() if look_of(served[key]) != look_of(rows[key])]
    return len(served.keys() - rows.keys()), len(stale), len(rows.keys() - served.keys())


def measure_puretalk(size: int) -> tuple[int, int, int]:
    """The same of our own, over every table."""
    account = Witness(1, size)
    storm = Storm(account, 1, force=4)
    with tempfile.TemporaryDirectory() as folder, DemoApi(account, page_cap=PAGE, order="unordered") as api:
        settings = settings_for(Path(folder), api.base_url, page_size=PAGE, window=1)
        run_sync(settings)
        api.after_page = storm.strike
        for _ in range(SYNCS):
            run_sync(settings)
        api.after_page = None
        published = run_sync(settings).snapshot
        differences = oracle.compare(account.records(), published)
        live = "SELECT assistant_id FROM puretalk.assistants WHERE deleted_at IS NULL"
        there = {row[0] for row in select(published, live)}
    served = set(account.live_ids())
    return len(served - there), len(differences), len(there - served)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    print(f"{size} assistants, {PAGE} a page, {SYNCS} syncs in a storm, one at rest")
    print(f"{'client':<10}{'missing':>9}{'stale':>9}{'undead':>9}")
    for name, figures in (
        ("cursor", measure_naive(keep_above_cursor, size)),
        ("upsert", measure_naive(keep_all, size)),
        ("puretalk", measure_puretalk(size)),
    ):
        print(f"{name:<10}{''.join(f'{figure:>9}' for figure in figures)}")


if __name__ == "__main__":
    main()
