"""The details of the answers that test_dashboard_questions.py asks for: every cut-off, every version, what a link
holds, what keeps its place."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect
from support.browsing import DIFF_SIDES, Opened, Read, count, fragment, table_rows
from support.dashboards import FEED, LAST_SYNC, SYNCED_AT
from support.warehouses import observe, open_warehouse

from puretalk.dashboard import write_dashboard
from puretalk.demo import Account
from puretalk.models.build import build_models

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("preset", "since"),
    [
        ("Last sync", f">= {LAST_SYNC}"),
        ("7 days", f"> {LAST_SYNC} - INTERVAL 7 DAY"),
        ("Since Friday", ">= '2026-11-13 00:00+00'"),
    ],
)
def test_the_feed_says_what_changed_since(page: Page, read: Read, preset: str, since: str) -> None:
    page.locator('[data-since="feed"]').get_by_role("button", name=preset).click()
    expected = read(FEED.format(since=since))
    assert 0 < len(expected) < read("SELECT count(*) FROM marts.fct_assistant_events")[0][0]
    assert count(page, "feed") == len(expected)
    for (name, event, summary, _), (shown, _, owner, kind, words) in zip(
        expected, table_rows(page, "feed"), strict=False
    ):
        assert (shown, kind) == (re.sub(r"\s+", " ", name or "").strip() or shown, event)
        assert owner
        assert words == ("–" if event in ("new", "deleted") else summary or "no field")


def test_the_tile_opens_the_feed_and_a_row_its_difference(page: Page) -> None:
    tile = page.locator("#tile-changed_lately .tile-link")
    changed = int(tile.inner_text())
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table-feed h3").first).to_be_focused()
    assert fragment(page) == "d.feed=7d"
    assert changed == len(
        {name for name, _, _, event, _ in table_rows(page, "feed") if event not in ("new", "deleted")}
    )
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


def prompt_at(read: Read, moment: str) -> tuple[str, int, str]:
    """An assistant whose prompt was another one than today, its version at that moment, and its prompt then."""
    found = read(
        "SELECT old.assistant_id, old.version_number, then_.config ->> 'prompt' "
        "FROM marts.fct_assistant_versions AS old "
        "JOIN main.assistant_versions AS then_ "
        "ON then_.assistant_id = old.assistant_id AND then_.observed_at = old.valid_from "
        "JOIN main.assistants AS now_ ON now_.assistant_id = old.assistant_id "
        f"WHERE old.valid_from <= '{moment}' AND (old.valid_to IS NULL OR old.valid_to > '{moment}') "
        "AND then_.config ->> 'prompt' <> now_.prompt AND now_.deleted_at IS NULL ORDER BY 1 LIMIT 1"
    )
    return found[0]


def test_the_prompt_as_of_a_day_in_full(opened: Opened, file: Path, read: Read) -> None:
    identity, version, prompt = prompt_at(read, "2026-11-10 23:59:59+00")
    page = opened.go(f"{file.as_uri()}#a={identity}&tab=History")
    page.get_by_label("As of").fill("2026-11-10")
    shown = page.locator('.version-text[data-path="prompt"] pre')
    expect(shown).to_be_visible()
    assert shown.evaluate("each => each.textContent") == prompt
    assert fragment(page) == f"a={identity}&tab=History&v={version}"
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy prompt").click()
    expect(page.locator(".version-text button").first).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == prompt
    page.get_by_role("button", name="All versions").focus()
    page.keyboard.press("Enter")
    view = page.get_by_role("button", name=f"View version {version} in full")
    view.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".version h4")).to_be_focused()
    assert shown.evaluate("each => each.textContent") == prompt
    page.reload()
    assert shown.evaluate("each => each.textContent") == prompt


def test_two_versions_differ_in_what_changed_between_them(opened: Opened, file: Path, read: Read) -> None:
    identity, version, prompt = prompt_at(read, "2026-11-07 00:00:00+00")
    newest, now = read(
        "SELECT max(version_number), any_value(prompt) FROM marts.fct_assistant_versions "
        f"JOIN main.assistants USING (assistant_id) WHERE assistant_id = '{identity}'"
    )[0]
    page = opened.go(f"{file.as_uri()}#a={identity}&tab=History")
    page.get_by_label("The older version").select_option(str(version))
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(".version[data-shown]")
    assert fragment(page) == f"a={identity}&tab=History&v={version}..{newest}"
    change = page.locator('.change:has(code[title="prompt"])')
    change.get_by_role("button", name="Show all unchanged lines").click()
    sides = change.locator(".diff").evaluate(DIFF_SIDES)
    assert sides == [prompt, now]
    paths = read(
        "SELECT DISTINCT path FROM marts.fct_config_changes "
        f"WHERE assistant_id = '{identity}' AND version_number > {version}"
    )
    shown = [code.get_attribute("title") for code in page.locator(".version .change-head code").all()]
    assert sorted(str(path) for path in shown) == sorted(path for (path,) in paths)


def test_near_duplicates_and_the_drift_are_a_click_away(opened: Opened, file: Path, read: Read) -> None:
    found = read(
        "SELECT one.assistant_id, one.assistants_count FROM marts.rpt_prompt_duplicates AS one "
        "JOIN marts.dim_assistants USING (assistant_id) WHERE place = 'prompt' ORDER BY 1 LIMIT 1"
    )
    drifts = read("SELECT assistant_id, count(*) FROM marts.rpt_standard_drift GROUP BY 1 ORDER BY 1 LIMIT 1")
    for identity, many in found:
        page = opened.go(f"{file.as_uri()}#a={identity}&tab=Compare")
        assert page.locator("[data-other]").count() == min(many - 1, 3)
        page.locator("[data-other]").first.click()
        expect(page.locator(".comparison h4")).to_be_visible()
    for identity, many in drifts:
        page = opened.page
        page.goto(f"{file.as_uri()}#a={identity}&tab=Compare")
        page.wait_for_selector("html[data-ready]")
        expect(page.locator('[data-detail="drift"] tbody tr')).to_have_count(many)


def test_a_search_never_says_none_before_it_has_read_everything(opened: Opened, file: Path) -> None:
    opened.page.add_init_script("""
        const said = window.said = [];
        addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
            said.push(document.getElementById("text-count").textContent);
        }).observe(document.getElementById("text-count"), { childList: true }));
    """)
    page = opened.go(f"{file.as_uri()}#x=no+such+words+anywhere")
    expect(page.locator("#text-count")).to_have_text("No text has “no such words anywhere”")
    said = [text for text in page.evaluate("said") if text]
    assert said[0].startswith("Searching: 0 of ")
    assert [text for text in said if "No text" in text] == said[-1:]


def test_a_link_with_a_filter_opens_where_the_filter_is(opened: Opened, file: Path) -> None:
    page = opened.go(f"{file.as_uri()}#d.feed=7d")
    box = page.locator("#table-feed").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 200


def test_back_does_not_open_a_closed_assistant_again(page: Page) -> None:
    page.locator('[data-table="assistants"] .open').first.click()
    page.locator("#detail-next").click()
    page.get_by_role("tab", name="History").click()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.go_back()
    expect(page.locator("html[data-ready]")).to_be_visible()
    expect(page.locator("dialog")).to_be_hidden()
    assert fragment(page) == ""


def test_what_is_clicked_stays_under_the_pointer(page: Page) -> None:
    """The bar of the filters and the other charts change their height above it."""
    bar = page.locator("#chart-findings_by_severity .bar").first
    bar.scroll_into_view_if_needed()
    before = bar.bounding_box()
    bar.click()
    expect(bar).to_have_attribute("aria-pressed", "true")
    after = bar.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 1


@pytest.fixture(scope="module")
def much_changed(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> tuple[Path, Path, str]:
    """A snapshot and its page, with an assistant that changed at each of five syncs."""
    folder = tmp_path_factory.mktemp("much_changed")
    account = Account(seed=3, assistants=4)
    key = account.live_ids()[0]
    connection = open_warehouse(folder / "snapshot.duckdb")
    for number in range(5):
        if number:
            prompt = str(account.record(key).get("prompt"))
            account.edit(key, prompt=f"{prompt}\nLine {number}.", call_recording_enabled=number % 2 == 0)
        if number == 2:
            account.edit(key, begin_message="Hello from the third version.")
        if number == 3:
            account.edit(key, begin_message=None)
        observe(connection, SYNCED_AT - timedelta(weeks=4 - number), account.records())
    build_models(connection)
    connection.close()
    write_dashboard(folder / "snapshot.duckdb", folder / "page.html", now=SYNCED_AT)
    return folder / "snapshot.duckdb", folder / "page.html", key


def test_every_version_reads_as_it_was_seen(opened: Opened, much_changed: tuple[Path, Path, str]) -> None:
    snapshot, file, key = much_changed
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        seen = connection.execute(
            "SELECT config ->> 'prompt', config ->> 'begin_message' FROM main.assistant_versions "
            "WHERE assistant_id = ? ORDER BY observed_at",
            [key],
        ).fetchall()
    assert len(seen) == 5
    texts = """() => Object.fromEntries([...document.querySelectorAll(".version-text")].map(
        (each) => [each.dataset.path, each.querySelector("pre").textContent]))"""
    page = opened.go(f"{file.as_uri()}#a={key}&tab=History")
    for number, (prompt, greeting) in enumerate(seen, 1):
        page.goto(f"{file.as_uri()}#a={key}&tab=History&v={number}")
        page.wait_for_selector(f'.version[data-shown="{number}"]')
        shown = page.evaluate(texts)
        assert (shown["prompt"], shown.get("begin_message")) == (prompt, greeting or None), number
    for older, newer in combinations(range(1, 6), 2):
        page.goto(f"{file.as_uri()}#a={key}&tab=History&v={older}..{newer}")
        page.wait_for_selector(f'.version[data-shown="{older}..{newer}"]')
        change = page.locator('.change:has(code[title="prompt"])')
        change.get_by_role("button", name="Show all unchanged lines").click()
        assert change.locator(".diff").evaluate(DIFF_SIDES) == [seen[older - 1][0], seen[newer - 1][0]]
