"""How heavy and how quick the page of a large account is: `make bench-dashboard ARGS="[assistants] [versions] [file]"`.

Not collected by pytest. Without arguments it also measures the page of a usual account, 262 assistants that live for
three months, and fails where a page is heavier than HEAVIEST. `file` is a built warehouse to reuse (made where there is
none). The browser's times are those of its own clock: from the start of the navigation to the page being ready, and
from a click to the detail being shown.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import duckdb
from benchmarks.models import fill
from benchmarks.pictures import live_three_months
from playwright.sync_api import Browser, Page, sync_playwright

from puretalk.dashboard import write_dashboard
from puretalk.models.build import build_models

#: Notes on the page's own clock when it is ready and when an assistant is shown.
_STOPWATCH = """
window.times = {};
new MutationObserver((changes) => {
  for (const { target } of changes) {
    if (target.dataset.ready) window.times.ready ??= performance.now();
    if (target.id === "detail" && target.open) window.times.shown = performance.now();
  }
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-ready", "open"] });
document.addEventListener("click", () => { window.times.clicked = performance.now(); }, true);
"""


def measure(browser: Browser, page_file: Path) -> dict[str, float]:
    """Milliseconds of one visit with nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page: Page = context.new_page()
    page.add_init_script(_STOPWATCH)
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.locator('[data-table="assistants"] .open').nth(3).click()
    page.locator("#detail-body section").first.wait_for()
    first = page.evaluate("window.times.shown - window.times.clicked")
    page.keyboard.press("Escape")
    filtering = page.evaluate(
        """() => {
            const start = performance.now();
            document.querySelector("#chart-by_model .bar").click();
            return performance.now() - start;
        }"""
    )
    searching = page.evaluate(
        """() => {
            const input = document.querySelector('[data-search="assistants"]');
            const start = performance.now();
            input.value = "dental";
            input.dispatchEvent(new Event("input", { bubbles: true }));
            return performance.now() - start;
        }"""
    )
    ready = page.evaluate("window.times.ready")
    context.close()
    return {"ready": ready, "first detail": first, "filter by a click": filtering, "search": searching}


#: The most bytes of a page with prompts: of the usual account, and of 10,000 assistants with 50,000 versions.
HEAVIEST: Final = (700_000, 13_400_000)


def report_page(warehouse: Path, folder: Path) -> int:
    """Write, visit and tell the pages of a warehouse; gives the bytes of the one with prompts."""
    weights = []
    for title, include_prompts in (("with prompts", True), ("without prompts", False)):
        page_file = folder / "page.html"
        start = time.perf_counter()
        report = write_dashboard(warehouse, page_file, include_prompts=include_prompts)
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{title}: {report.assistants:,} assistants, {report.bytes:,} bytes, written in {seconds:.1f} s")
        print(f"  at most {memory:,.0f} MB of memory so far")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            visits = [measure(browser, page_file) for _ in range(5)]
            browser.close()
        for name in visits[0]:
            print(f"  {name}: {median(visit[name] for visit in visits):.0f} ms (median of {len(visits)})")
        weights.append(report.bytes)
    return weights[0]


def main() -> None:
    assistants = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    versions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warehouse = Path(sys.argv[3]) if len(sys.argv) > 3 else folder / "bench.duckdb"
        if not warehouse.exists():
            fill(warehouse, assistants, versions)
            with duckdb.connect(str(warehouse)) as connection:
                build_models(connection)
        weight = report_page(warehouse, folder)
        if len(sys.argv) == 1:
            live_three_months(folder / "usual.duckdb", 262)
            weights = (report_page(folder / "usual.duckdb", folder), weight)
            if any(weight > most for weight, most in zip(weights, HEAVIEST, strict=True)):
                sys.exit(f"heavier than allowed: {weights}, allowed are {HEAVIEST}")


if __name__ == "__main__":
    main()
