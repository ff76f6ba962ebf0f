"""The pictures of the docs, from three months in the life of the demo account: `make bench-pictures`.

Not collected by pytest. Writes docs/images/dashboard-*.png and the page itself to build/dashboard.html.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.models import edit_something
from playwright.sync_api import Browser, Page, sync_playwright
from support.warehouses import observe, open_warehouse

from puretalk.dashboard import write_dashboard
from puretalk.demo import Account
from puretalk.models.build import build_models

ROOT = Path(__file__).parents[2]
START = datetime(2026, 8, 20, 6, tzinfo=UTC)
END = datetime(2026, 11, 20, 6, tzinfo=UTC)


def live_three_months(path: Path, assistants: int = 110) -> None:
    """A sync every second day; between them a few edits, now and then a new assistant or a deletion."""
    rng = random.Random(7)
    account = Account(seed=1, assistants=assistants, today=START - timedelta(hours=1))
    connection = open_warehouse(path)
    moment, before = START, set(account.live_ids())
    observe(connection, moment, account.records())
    while moment < END:
        moment += timedelta(days=2)
        account._now = moment - timedelta(hours=3)  # the account's clock only moves by its changes
        for key in rng.sample(account.live_ids(), rng.randint(1, 6)):
            edit_something(account, key, rng)
        if rng.random() < 0.35:
            account.create()
        if rng.random() < 0.12:
            account.delete(rng.choice(account.live_ids()))
        if moment.day == 3:
            account.evolve()
        now = set(account.live_ids())
        observe(connection, moment, account.records(), deleted=sorted(before - now))
        before = now
    # A bare name finds the stored table behind the view.
    connection.execute(
        """
        UPDATE sync_runs
        SET is_exact = true, seen = 120, pages = 2, walks = 1, retries = 0, held = 0, rejected = 0, drift = '{}',
            changed = (SELECT count(*) FROM assistant_versions WHERE observed_at = started_at),
            finished_at = started_at + INTERVAL 1 MILLISECOND * (1800 + hash(run_id) % 900)
        """
    )
    build_models(connection)
    connection.close()


def main() -> None:
    images = ROOT / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    page_file = ROOT / "build" / "dashboard.html"
    page_file.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        live_three_months(Path(folder) / "demo.duckdb")
        write_dashboard(Path(folder) / "demo.duckdb", page_file, now=END + timedelta(minutes=2))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        visit(browser, page_file, "light", 1280, 930).screenshot(path=images / "dashboard-light.png")
        visit(browser, page_file, "dark", 1280, 930).screenshot(path=images / "dashboard-dark.png")
        visit(browser, page_file, "light", 390, 844).screenshot(path=images / "dashboard-phone.png")
        page = visit(browser, page_file, "light", 1280, 930)
        page.locator('[data-table="most_changed_prompts"] .open').first.click()
        page.get_by_role("tab", name="History").click()
        page.locator(".diff").first.wait_for()
        page.screenshot(path=images / "dashboard-history.png")
        browser.close()


def visit(browser: Browser, page_file: Path, scheme: str, width: int, height: int) -> Page:
    page = browser.new_page(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": height}
    )
    page.clock.set_fixed_time(END + timedelta(minutes=20))
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]")
    return page


if __name__ == "__main__":
    main()
