"""The questions that an owner has on a Monday, each answered in a browser, by mouse and by keyboard, in three clicks at
most, and compared with SQL on the snapshot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browsing import Opened, Read, fragment

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


# 2. Which findings are new, which are resolved?


def test_findings_new_and_resolved_since_a_cut_off(page: Page, read: Read) -> None:
    new = read(
        "SELECT count(*) FROM marts.rpt_config_findings "
        f"WHERE NOT is_accepted AND first_seen_at > {LAST} - INTERVAL 7 DAY"
    )[0][0]
    assert new > 0
    chip = page.locator('[data-since="findings"]').get_by_role("button", name="7 days")
    chip.focus()
    page.keyboard.press("Enter")
    expect(chip).to_be_focused()
    assert count(page, "findings") == new
    assert page.locator('[data-sort="findings"]', has_text="Owner").count() == 1
    resolved = read(
        "SELECT count(*) FROM marts.fct_finding_history JOIN marts.dim_assistants USING (assistant_id) "
        f"WHERE is_live AND resolved_at > {LAST} - INTERVAL 7 DAY"
    )[0][0]
    page.locator('[data-since="resolved_findings"]').get_by_role("button", name="7 days").click()
    assert count(page, "resolved_findings") == resolved
    assert fragment(page) == "d.findings=7d&d.resolved_findings=7d"


# 3. The prompt as of a day


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


# 4. Compare two versions, two assistants


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
    sides = change.locator(".diff").evaluate(
        """diff => ["INS", "DEL"].map((skipped) => [...diff.querySelectorAll(".line")]
            .filter((line) => line.nodeName !== skipped).map((line) => line.textContent).join("\\n"))"""
    )
    assert sides == [prompt, now]
    paths = read(
        "SELECT DISTINCT path FROM marts.fct_config_changes "
        f"WHERE assistant_id = '{identity}' AND version_number > {version}"
    )
    shown = [code.get_attribute("title") for code in page.locator(".version .change-head code").all()]
    assert sorted(str(path) for path in shown) == sorted(path for (path,) in paths)


def test_two_assistants_differ_in_their_settings_then_in_their_texts(opened: Opened, file: Path, read: Read) -> None:
    (one, model), (other, other_model) = read(
        "SELECT min_by(assistant_id, assistant_name), model FROM marts.dim_assistants "
        "WHERE is_live AND prompt_characters > 200 GROUP BY model ORDER BY count(*) DESC LIMIT 2"
    )
    page = opened.go(f"{file.as_uri()}#a={one}&tab=Compare")
    field = page.get_by_label("Compare with")
    field.focus()
    page.keyboard.type(other)
    page.keyboard.press("Enter")
    expect(page.locator(".comparison h4")).to_be_visible()
    assert fragment(page) == f"a={one}&tab=Compare&c={other}"
    places = [" ".join(text.split()) for text in page.locator(".comparison .change-head code").all_inner_texts()]
    assert places.index("Identity › Model") < places.index("Texts › Prompt")
    changed = page.locator(".comparison .change", has_text="Identity › Model").locator("del, ins")
    assert changed.all_inner_texts() == [model, other_model]


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


# 5. Every prompt that mentions a word

TEXTS = """
SELECT assistant_id, unnest([prompt, begin_message, custom_knowledge_base, post_analysis, tools, chatbot_begin_message,
                             chatbot_faq]) AS text
FROM main.assistants WHERE deleted_at IS NULL
UNION ALL
SELECT assistant_id, unnest([states.prompt, states.description]) FROM main.assistant_llm_states AS states
JOIN main.assistants USING (assistant_id) WHERE deleted_at IS NULL
"""


def test_every_text_with_a_word_is_found(page: Page, read: Read) -> None:
    word = "caller"
    mentions, assistants = read(
        f"SELECT sum(len(string_split(lower(text), '{word}')) - 1), count(DISTINCT assistant_id) "
        f"FROM ({TEXTS}) WHERE contains(lower(text), '{word}')"
    )[0]
    page.get_by_label("Search in all texts").focus()
    page.keyboard.type(word)
    expect(page.locator("#text-count")).to_have_text(f"{mentions} mentions in {assistants} assistants")
    assert page.locator("#text-results > li").count() == assistants
    assert {text.lower() for text in page.locator("#text-results mark").all_inner_texts()} == {word}
    page.locator("#text-results .open").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name=re.compile("Texts|States"), selected=True)).to_be_visible()


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


# 6. Paste into a spreadsheet


def test_a_table_is_copied_one_line_a_row(opened: Opened, page: Page, read: Read) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#chart-by_model .bar", has_text="puretalk-plg").click()
    page.get_by_role("button", name="Copy Assistants for a spreadsheet").click()
    expect(page.locator('[data-copy="assistants"]')).to_have_text("Copied")
    head, *lines = [line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").split("\n")]
    names = read("SELECT assistant_name FROM marts.dim_assistants WHERE is_live AND model = 'puretalk-plg'")
    assert head[:2] == ["Name", "Owner"]
    assert {len(line) for line in lines} == {len(head)}
    cells = [" ".join((name or "").split()) for (name,) in names]
    assert sorted(line[0] for line in lines) == sorted(f"'{name}" if name[:1] in "=+-@" else name for name in cells)


# 7. A link to exactly this view


def test_a_link_leads_to_the_same_place(opened: Opened, page: Page, file: Path) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#chart-findings_by_severity .bar").first.click()
    page.locator("#table-findings").scroll_into_view_if_needed()
    page.evaluate("scrollBy({ top: 123, behavior: 'instant' })")
    top = "document.getElementById('table-findings').getBoundingClientRect().top"
    before = page.evaluate(top)
    page.get_by_role("button", name="Copy a link to this view").press("Enter")
    expect(page.locator("#link")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{file.as_uri()}#f.findings_by_severity=")
    other = opened.context.new_page()
    other.goto(link)
    other.wait_for_selector("html[data-ready]")
    assert abs(other.evaluate(top) - before) <= 2


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
