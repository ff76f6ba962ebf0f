"""The preflight of `puretalk check`: could a sync run now? It changes nothing and answers each question in one line."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from puretalk.api.client import ApiClient
from puretalk.api.pages import Page, fetch_page
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.endpoints.assistants.flatten import RejectedRecordError, flatten_assistant
from puretalk.errors import EXIT_OK, KeyRejectedError, PuretalkError, WarehouseError
from puretalk.models.withheld import find_withheld
from puretalk.privacy.policy import Policy, read_treatments
from puretalk.settings import KEY_PLACES, SETTINGS, Settings, setting_value
from puretalk.sync.drift import name_some
from puretalk.warehouse.work_file import open_warehouse

#: Seconds for which the preflight retries a request; fewer than in a sync, because a person is waiting.
PATIENCE = 10.0


@dataclass(frozen=True)
class PreflightResult:
    """The answer to one question. `exit_code`: 0 when all is well, else that of a sync that fails for this reason."""

    question: str
    answer: str
    exit_code: int = EXIT_OK


def run_preflight(settings: Settings) -> Iterator[PreflightResult]:
    """Key, endpoint, data directory, and where the settings come from, in this order."""
    yield from _check_api(settings)
    yield _check_folder(settings)
    yield PreflightResult("settings", _describe_origins(settings))
    if not settings.privacy.keeps_all:
        yield PreflightResult("privacy", _describe_policy(settings))


def _describe_origins(settings: Settings) -> str:
    """Which place set what; what has its default is not named."""
    names: dict[str, list[str]] = {}
    for each in SETTINGS:
        place = settings.origins.get(each.name)
        if place is not None and setting_value(settings, each) != each.default and each.name != "api_key":
            names.setdefault(place.removeprefix(f"{each.name} in "), []).append(each.name)
    told = [f"{', '.join(here)} from {place}" for place, here in names.items()]
    return "; ".join([*told, f"{'all others' if told else 'all'} have their defaults"])


def _check_api(settings: Settings) -> Iterator[PreflightResult]:
    if not settings.api.api_key:
        yield PreflightResult("key", f"not set: set {KEY_PLACES}", 4)
        return
    try:
        page = asyncio.run(_fetch_first_page(settings))
    except KeyRejectedError as error:
        yield PreflightResult("key", error.message, error.exit_code)
        return
    except PuretalkError as error:
        yield PreflightResult("endpoint", f"{error.message}. {error.action}", error.exit_code)
        return
    origin = settings.origins.get("api_key", "the program that called")
    yield PreflightResult("key", f"from {origin}, accepted by {settings.api.base_url}")
    # What is printed is under the policy too. Its hashes are stored nowhere, so any secret will do.
    treatments = read_treatments(settings.privacy.treatments)
    policy = None if settings.privacy.keeps_all else Policy(treatments, secrets.token_bytes())
    drift: set[str] = set()
    unusable = 0
    with_key = sum(record.held_key for record in page.records)
    for record in page.records:
        if record.flaw:
            unusable += 1
            continue
        try:
            drift.update(flatten_assistant(record.value, policy).drift)
        except RejectedRecordError:
            unusable += 1
    answer = f"answers as documented: {page.count} assistants, {len(page.records)} on the first page"
    if drift or unusable or with_key:
        details = [
            *([name_some(sorted(drift))] if drift else []),
            *([f"{unusable} records that cannot be used"] if unusable else []),
            *([f"{with_key} records that hold the API key, which is left out"] if with_key else []),
        ]
        answer = f"answers, with differences that a sync will keep and report: {', '.join(details)}"
    yield PreflightResult("endpoint", answer)


async def _fetch_first_page(settings: Settings) -> Page:
    quick = replace(settings.api, retry_budget=min(PATIENCE, settings.api.retry_budget))
    async with ApiClient(quick, quotes_bodies=settings.privacy.keeps_all) as client:
        page = await fetch_page(client, ENDPOINT, 1)
    assert page is not None
    return page


def _describe_policy(settings: Settings) -> str:
    hidden = [f"{name}: {each}" for name, each in settings.privacy.treatments.items() if each != "keep"]
    withheld = find_withheld(read_treatments(settings.privacy.treatments))
    idle = [each.rule for each in withheld if not each.is_run]
    rules = f"; rules of the audit that do not run: {', '.join(idle)}" if idle else ""
    return f"{', '.join(hidden)}{rules}"


def _check_folder(settings: Settings) -> PreflightResult:
    folder = settings.data_dir
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK) or _is_read_only(existing):
        return PreflightResult("directory", f"{folder} cannot be written", WarehouseError.exit_code)
    try:
        open_warehouse(settings).snapshots.refuse_foreign_files()
    except WarehouseError as error:
        return PreflightResult("directory", f"{error.message}. {error.action}", error.exit_code)
    free = shutil.disk_usage(existing).free
    return PreflightResult("directory", f"{folder} is writable, {free / 2**30:.1f} GiB free")


def _is_read_only(folder: Path) -> bool:
    """Whether the file system is mounted read-only, which `os.access` does not tell root."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
