"""The browser, and a page of a hostile account with the snapshot that it was made from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from support.browsing import Opened, Read
from support.dashboards import SYNCED_AT, hostile_account, write_snapshot

from puretalk.dashboard import write_dashboard

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
OWN = """
charts:
  - title: By time zone
    section: Fleet
    sql: SELECT assistant_id, timezone AS label FROM marts.dim_assistants WHERE is_live
"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; installed where it is missing and this may be done, never skipped."""
    if not shutil.which("chromium") and shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in ("apt-get update -q", "apt-get install -q -y --no-install-recommends chromium"):
            subprocess.run(command.split(), check=False, capture_output=True, timeout=280, env=environment)
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("there is no chromium: install Debian's package (apt-get install chromium), then run again")
    return found


@pytest.fixture(scope="module")  # while Playwright runs, no test of the process can start an event loop of its own
def browser(chromium: str, _empty_environment: None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def hostile_snapshot(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("snapshot") / "hostile.duckdb", hostile_account())


@pytest.fixture(scope="session")
def file(hostile_snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "own.yml").write_text(OWN)
    write_dashboard(hostile_snapshot, folder / "page.html", spec=folder / "own.yml", now=SYNCED_AT)
    return folder / "page.html"


@pytest.fixture(scope="session")
def read(hostile_snapshot: Path) -> Iterator[Read]:
    with duckdb.connect(str(hostile_snapshot), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    one = Opened(context)
    yield one
    context.close()
    assert [url for url in one.requests if url.startswith(("http", "ws")) and "//127.0.0.1" not in url] == []
    assert one.messages == []


@pytest.fixture
def page(opened: Opened, file: Path) -> Page:
    return opened.go(file.as_uri())
