"""The walk of puretalk alone: every page fetched and read, nothing kept. Prints its pages and its own seconds."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime

from puretalk.api.client import ApiClient
from puretalk.api.splitting import Record
from puretalk.api.walk import Walk, walk_pages
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.settings import ApiSettings, load_settings


def take_id(record: Record, _received_at: datetime) -> str | None:
    """The least that an observer may do."""
    return str(record.value[ENDPOINT.id_field]) if isinstance(record.value, dict) else None


async def walk_account(settings: ApiSettings) -> Walk:
    async with ApiClient(settings) as client:
        return await walk_pages(client, ENDPOINT, take_id)


def main() -> None:
    settings = load_settings().api
    started = time.perf_counter()
    walk = asyncio.run(walk_account(settings))
    seconds = time.perf_counter() - started
    print(json.dumps({"records": len(walk.ids), "pages": walk.pages, "window": settings.window, "seconds": seconds}))


if __name__ == "__main__":
    main()
