"""The walk of puretalk alone: every page fetched and read, nothing kept. Twice: the account is new to the first walk,
and the second one knows what the first one saw. Prints their pages and seconds."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.pages import KnownPage
from puretalk.api.splitting import Record
from puretalk.api.walk import Walk, walk_pages
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.settings import ApiSettings, load_settings


def take_id(record: Record, _received_at: datetime) -> str | None:
    """The least that an observer may do."""
    return str(record.value[ENDPOINT.id_field]) if isinstance(record.value, dict) else None


async def walk_account(settings: ApiSettings, seen: list[KnownPage]) -> Walk:
    known = {digest for page in seen for digest in page.records}
    async with ApiClient(settings) as client:
        return await walk_pages(client, ENDPOINT, take_id, known=known, known_pages=dict(enumerate(seen, 1)))


def main() -> None:
    settings = load_settings().api
    seen: list[KnownPage] = []
    walks = []
    for account in ("new", "known"):
        started, cpu_before = time.perf_counter(), time.process_time()
        walk = asyncio.run(walk_account(settings, seen))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_before
        assert walk.is_known == (account == "known")
        walks.append({"account": account, "records": walk.records, "pages": walk.pages, "seconds": seconds, "cpu": cpu})
        seen = walk.seen
    print(json.dumps({"window": settings.window, "walks": walks}))


if __name__ == "__main__":
    main()
