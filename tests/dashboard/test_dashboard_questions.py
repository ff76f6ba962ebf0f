"""The questions that an owner has on a Monday, each answered in a browser, by mouse and by keyboard, in three clicks at
most, and compared with SQL on the snapshot."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browsing import Read, fragment

pytestmark = pytest.mark.browser

#: The feed as SQL: what happened since the cut-off, the newest first.
FEED = """
SELECT assistants.assistant_name, events.event, events.summary
FROM marts.fct_assistant_events AS events
JOIN marts.dim_assistants AS assistants USING (assistant_id)
WHERE events.observed_at {since}
ORDER BY events.observed_at DESC, events.event, assistants.assistant_name, events.assistant_id
"""
LAST = "(SELECT max(started_at) FROM marts.rpt_sync_health)"


def rows(page: Page, table: str) -> list[list[str]]:
    lines = page.locator(f'[data-table="{table}"] tbody tr:not(.opened)')
    return [line.locator("td").all_inner_texts() for line in lines.all()]


def count(page: Page, table: str) -> int:
    return int(re.sub(r"\D.*", "", page.locator(f'[data-count="{table}"]').inner_text()))


# 1. What changed since Friday, and who should look?


@pytest.mark.parametrize(
    ("preset", "since"),
    [
        ("Last sync", f">= {LAST}"),
        ("7 days", f"> {LAST} - INTERVAL 7 DAY"),
        ("Since Friday", ">= '2026-11-13 00:00+00'"),
    ],
)
def test_the_feed_says_what_changed_since(page: Page, read: Read, preset: str, since: str) -> None:
    page.locator('[data-since="feed"]').get_by_role("button", name=preset).click()
    expected = read(FEED.format(since=since))
    assert 0 < len(expected) < read("SELECT count(*) FROM marts.fct_assistant_events")[0][0]
    assert count(page, "feed") == len(expected)
    for (name, event, summary), (shown, _, owner, kind, words) in zip(expected, rows(page, "feed"), strict=False):
        assert (shown, kind) == (re.sub(r"\s+", " ", name or "").strip() or shown, event)
        assert owner
        assert words == ("–" if event in ("new", "deleted") else summary or "no field")


def test_a_range_of_days_is_in_the_address(page: Page, read: Read) -> None:
    box = page.locator('[data-since="feed"]')
    box.get_by_label("From").fill("2026-11-07")
    box.get_by_label("To").fill("2026-11-14")
    assert fragment(page) == "d.feed=2026-11-07..2026-11-14"
    expected = read(FEED.format(since="BETWEEN '2026-11-07 00:00+00' AND '2026-11-14 23:59:59+00'"))
    assert count(page, "feed") == len(expected) > 0
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert count(page, "feed") == len(expected)


def test_the_tile_opens_the_feed_and_a_row_its_difference(page: Page) -> None:
    tile = page.locator("#tile-changed_lately .tile-link")
    changed = int(tile.inner_text())
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table-feed h3").first).to_be_focused()
    assert fragment(page) == "d.feed=7d"
    assert changed == len({name for name, _, _, event, _ in rows(page, "feed") if event not in ("new", "deleted")})
    opener = page.locator(".row-opener", has_text=re.compile(r"prompt \+")).first
    opener.focus()
    page.keyboard.press("Enter")
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "true")
    more, less = re.findall(r"\d+", opener.inner_text())[:2]
    shown = page.locator(".row-changes .diff-count").first
    assert shown.inner_text() == f"+{more} −{less}"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator(".row-changes .diff-count").first).to_have_text(f"+{more} −{less}")
