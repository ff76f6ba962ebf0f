"""Is everything in place for a sync? Each question answered in one line, in plain words; nothing is changed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page
from puretalk.assistants.endpoint import ENDPOINT
from puretalk.assistants.flatten import RejectedRecordError, flatten_assistant
from puretalk.errors import EXIT_OK, KeyRejectedError, PuretalkError, WarehouseError
from puretalk.settings import Settings
from puretalk.sync.run import client_settings, open_warehouse

#: Seconds for which `check` asks again: a person is waiting.
PATIENCE = 10.0


@dataclass(frozen=True)
class Finding:
    """One answer. `exit_code` is 0 when all is well."""

    question: str
    answer: str
    exit_code: int = EXIT_OK


def probe(settings: Settings) -> Iterator[Finding]:
    """Key, endpoint and data directory, in this order."""
    yield from _probe_api(settings)
    yield _probe_folder(settings)


def _probe_api(settings: Settings) -> Iterator[Finding]:
    if not settings.api_key:
        yield Finding("key", "none is set: PURETALK_API_KEY, or api_key in .dlt/secrets.toml", 4)
        return
    try:
        page = asyncio.run(_fetch_first_page(settings))
    except KeyRejectedError as error:
        yield Finding("key", error.message, error.exit_code)
        return
    except PuretalkError as error:
        yield Finding("endpoint", f"{error.message}. {error.action}", error.exit_code)
        return
    yield Finding("key", f"accepted by {settings.base_url}")
    drift: set[str] = set()
    unusable = 0
    for record in page.records:
        try:
            drift.update(flatten_assistant(record).drift)
        except RejectedRecordError:
            unusable += 1
    answer = f"answers as documented: {page.count} assistants, {len(page.records)} on the first page"
    if drift or unusable:
        details = [*sorted(drift), *([f"{unusable} records without a usable id"] if unusable else [])]
        answer = f"answers, with differences that a sync will keep and report: {', '.join(details)}"
    yield Finding("endpoint", answer)


async def _fetch_first_page(settings: Settings) -> Page:
    quick = replace(client_settings(settings), retry_budget=min(PATIENCE, settings.retry_budget))
    async with ApiClient(quick) as client:
        page = await fetch_page(client, ENDPOINT, 1)
    assert page is not None
    return page


def _probe_folder(settings: Settings) -> Finding:
    folder = settings.data_dir
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK) or _is_read_only(existing):
        return Finding("directory", f"{folder} cannot be written", WarehouseError.exit_code)
    try:
        open_warehouse(settings).snapshots.refuse_foreign_files()
    except WarehouseError as error:
        return Finding("directory", f"{error.message}. {error.action}", error.exit_code)
    free = shutil.disk_usage(existing).free
    return Finding("directory", f"{folder} is writable, {free / 2**30:.1f} GiB free")


def _is_read_only(folder: Path) -> bool:
    """Root may write wherever it likes, except on a file system that is mounted read-only."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
