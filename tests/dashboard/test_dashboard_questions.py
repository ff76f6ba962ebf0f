"""The seven questions that an owner has on a Monday. Each is answered in a browser from a page that was just opened,
once by mouse, in three clicks at most, and once by keyboard alone; and what is read is compared with SQL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browsing import DIFF_SIDES, HANDS, Hand, Opened, Read, count, fragment, table_rows
from support.dashboards import FEED, LAST_SYNC

pytestmark = pytest.mark.browser

MOST_CLICKS = 3
#: Every text of the live assistants that a caller or a visitor may meet.
TEXTS = """
SELECT assistant_id, unnest([prompt, begin_message, custom_knowledge_base, post_analysis, tools, chatbot_begin_message,
                             chatbot_faq]) AS text
FROM main.assistants WHERE deleted_at IS NULL
UNION ALL
SELECT assistant_id, unnest([states.prompt, states.description]) FROM main.assistant_llm_states AS states
JOIN main.assistants USING (assistant_id) WHERE deleted_at IS NULL
"""


@pytest.fixture(params=["mouse", "keyboard"])
def hand(request: pytest.FixtureRequest, page: Page) -> Hand:
    page.emulate_media(reduced_motion="reduce")  # what scrolls is there at once
    return HANDS[request.param](page)


def answered(hand: Hand) -> None:
    """The answer is on the page now. By mouse it may have taken three clicks; keys are counted, but have no bound."""
    assert 0 < hand.acts <= (MOST_CLICKS if hand.counts_clicks else 500)


def open_assistant(hand: Hand, words: str) -> None:
    """An assistant, wherever in the list it is: its name in the search, then Enter."""
    hand.write(hand.page.locator('[data-search="assistants"]'), words, key="/", enter=True)
    expect(hand.page.locator("#detail-name")).to_be_visible()


def an_edited_one(read: Read, moment: str) -> tuple[str, str, int, str, int, str]:
    """An assistant whose prompt was another one than today: its identity and name, its version and prompt at that
    moment, its version and prompt now."""
    return read(
        "SELECT old.assistant_id, live.assistant_name, old.version_number, then_.config ->> 'prompt', "
        "(SELECT max(version_number) FROM marts.fct_assistant_versions AS all_ "
        "WHERE all_.assistant_id = old.assistant_id), now_.prompt "
        "FROM marts.fct_assistant_versions AS old "
        "JOIN main.assistant_versions AS then_ "
        "ON then_.assistant_id = old.assistant_id AND then_.observed_at = old.valid_from "
        "JOIN main.assistants AS now_ ON now_.assistant_id = old.assistant_id "
        "JOIN marts.dim_assistants AS live ON live.assistant_id = old.assistant_id AND live.is_live "
        f"WHERE old.valid_from <= '{moment}' AND (old.valid_to IS NULL OR old.valid_to > '{moment}') "
        "AND then_.config ->> 'prompt' <> now_.prompt ORDER BY live.assistant_name DESC LIMIT 1"
    )[0]


def test_1_what_changed_since_friday_and_who_should_look(hand: Hand, read: Read) -> None:
    page = hand.page
    hand.look("Changes")
    hand.press(page.locator('[data-since="feed"]').get_by_role("button", name="Since Friday"))
    expected = read(FEED.format(since=">= '2026-11-13 00:00+00'"))
    assert 0 < len(expected) < read("SELECT count(*) FROM marts.fct_assistant_events")[0][0]
    assert count(page, "feed") == len(expected)
    for (name, event, summary, owner), cells in zip(expected, table_rows(page, "feed"), strict=False):
        shown, _, looks, kind, words = cells
        assert (shown, looks, kind) == (re.sub(r"\s+", " ", name or "").strip() or shown, owner or "–", event)
        assert words == ("–" if event in ("new", "deleted") else summary or "no field")
    opener = page.locator('[data-opener="feed"]', has_text=re.compile(r"prompt \+")).first
    hand.press(opener)
    more, less = re.findall(r"\d+", opener.inner_text())[:2]
    expect(page.locator(".row-changes .diff-count").first).to_have_text(f"+{more} −{less}")
    answered(hand)
    assert fragment(page).startswith("d.feed=friday&")


def test_1_what_changed_in_days_of_ones_own(hand: Hand, read: Read) -> None:
    page = hand.page
    box = page.locator('[data-since="feed"]')
    hand.look("Changes")
    hand.write(box.get_by_label("From"), "2026-11-07")
    hand.write(box.get_by_label("To"), "2026-11-14")
    expected = read(FEED.format(since="BETWEEN '2026-11-07 00:00+00' AND '2026-11-14 23:59:59+00'"))
    assert fragment(page) == "d.feed=2026-11-07..2026-11-14"
    assert count(page, "feed") == len(expected) > 0
    answered(hand)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert count(page, "feed") == len(expected)


def test_2_which_findings_are_new_and_which_resolved(hand: Hand, read: Read) -> None:
    page = hand.page
    hand.look("Findings")
    hand.press(page.locator('[data-since="findings"]').get_by_role("button", name="7 days"))
    hand.press(page.locator('[data-since="resolved_findings"]').get_by_role("button", name="7 days"))
    new = read(
        "SELECT count(*) FROM marts.rpt_config_findings "
        f"WHERE NOT is_accepted AND first_seen_at > {LAST_SYNC} - INTERVAL 7 DAY"
    )[0][0]
    resolved = read(
        "SELECT count(*) FROM marts.fct_finding_history JOIN marts.dim_assistants USING (assistant_id) "
        f"WHERE is_live AND resolved_at > {LAST_SYNC} - INTERVAL 7 DAY"
    )[0][0]
    assert count(page, "findings") == new > 0
    assert count(page, "resolved_findings") == resolved
    answered(hand)
    assert page.locator('[data-sort="findings"]', has_text="Owner").count() == 1
    assert fragment(page) == "d.findings=7d&d.resolved_findings=7d"


def test_3_the_prompt_as_of_a_day(hand: Hand, read: Read) -> None:
    page = hand.page
    identity, name, version, prompt, _, now = an_edited_one(read, "2026-11-10 23:59:59+00")
    open_assistant(hand, name)
    hand.press(page.get_by_role("tab", name="History"))
    hand.write(page.get_by_label("As of"), "2026-11-10")
    shown = page.locator('.version-text[data-path="prompt"] pre')
    expect(shown).to_be_visible()
    assert shown.evaluate("each => each.textContent") == prompt != now
    answered(hand)
    assert re.sub("q.assistants=[^&]*&", "", fragment(page)) == f"a={identity}&tab=History&v={version}"


def test_4_an_older_version_and_the_newest_compared(hand: Hand, read: Read) -> None:
    page = hand.page
    identity, name, version, prompt, newest, now = an_edited_one(read, "2026-11-07 00:00:00+00")
    open_assistant(hand, name)
    hand.press(page.get_by_role("tab", name="History"))
    hand.press(page.get_by_role("button", name=f"Compare version {version} with the newest"))
    page.wait_for_selector(f'.version[data-shown="{version}..{newest}"]')
    answered(hand)
    paths = read(
        "SELECT DISTINCT path FROM marts.fct_config_changes "
        f"WHERE assistant_id = '{identity}' AND version_number > {version}"
    )
    shown = [code.get_attribute("title") for code in page.locator(".version .change-head code").all()]
    assert sorted(str(path) for path in shown) == sorted(path for (path,) in paths)
    change = page.locator('.change:has(code[title="prompt"])')
    unchanged = change.get_by_role("button", name="Show all unchanged lines")
    if unchanged.count():
        hand.press(unchanged)
    assert change.locator(".diff").evaluate(DIFF_SIDES) == [prompt, now]


def test_4_two_assistants_compared(hand: Hand, read: Read) -> None:
    page = hand.page
    (one, name, model), (other, other_name, other_model) = read(
        "SELECT max_by(assistant_id, assistant_name), max(assistant_name), model FROM marts.dim_assistants "
        "WHERE is_live AND prompt_characters > 200 GROUP BY model ORDER BY count(*) DESC LIMIT 2"
    )
    open_assistant(hand, name)
    hand.press(page.get_by_role("tab", name="Compare"))
    hand.write(page.get_by_label("Compare with"), other_name, enter=True)
    expect(page.locator(".comparison h4")).to_be_visible()
    changed = page.locator(".comparison .change", has_text="Identity › Model").locator("del, ins")
    assert changed.all_inner_texts() == [model, other_model]
    answered(hand)
    assert re.sub("q.assistants=[^&]*&", "", fragment(page)) == f"a={one}&tab=Compare&c={other}"
    places = [" ".join(text.split()) for text in page.locator(".comparison .change-head code").all_inner_texts()]
    assert places.index("Identity › Model") < places.index("Texts › Prompt")


def test_5_every_text_that_mentions_a_word(hand: Hand, read: Read) -> None:
    page = hand.page
    word = "caller"
    mentions, assistants = read(
        f"SELECT sum(len(string_split(lower(text), '{word}')) - 1), count(DISTINCT assistant_id) "
        f"FROM ({TEXTS}) WHERE contains(lower(text), '{word}')"
    )[0]
    hand.look("Assistants")
    hand.write(page.get_by_label("Search in all texts"), word)
    expect(page.locator("#text-count")).to_have_text(f"{mentions} mentions in {assistants} assistants")
    assert page.locator("#text-results > li").count() == assistants
    assert {text.lower() for text in page.locator("#text-results mark").all_inner_texts()} == {word}
    hand.press(page.locator("#text-results .open").first)
    expect(page.get_by_role("tab", name=re.compile("Texts|States"), selected=True)).to_be_visible()
    answered(hand)


def test_6_a_list_pasted_into_a_spreadsheet(hand: Hand, opened: Opened, read: Read) -> None:
    page = hand.page
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hand.look("Fleet")
    hand.press(page.locator("#chart-by_model .bar", has_text="puretalk-plg"))
    hand.look("Assistants")
    hand.press(page.get_by_role("button", name="Copy Assistants for a spreadsheet"))
    expect(page.locator('[data-copy="assistants"]')).to_have_text("Copied")
    answered(hand)
    head, *lines = [line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").split("\n")]
    names = read("SELECT assistant_name FROM marts.dim_assistants WHERE is_live AND model = 'puretalk-plg'")
    assert head[:2] == ["Name", "Owner"]
    assert {len(line) for line in lines} == {len(head)}
    cells = [" ".join((name or "").split()) for (name,) in names]
    assert sorted(line[0] for line in lines) == sorted(f"'{name}" if name[:1] in "=+-@" else name for name in cells)


def test_6_selected_rows_are_copied_as_lines(page: Page, opened: Opened, read: Read) -> None:
    """As the button does, with the pointer and Ctrl+C: from the first cell that is touched to the last."""
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    rows = page.locator('[data-table="feed"] tbody tr')
    rows.first.scroll_into_view_if_needed()
    first, last = rows.nth(0).locator("td").nth(1), rows.nth(2).locator("td").nth(2)
    start, end = first.bounding_box(), last.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 10, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] - 2, end["y"] + end["height"] / 2, steps=5)
    page.mouse.up()
    page.keyboard.press("Control+c")
    lines = [line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").split("\n")]
    cells = [[f"'{cell}" if cell[:1] in "=+-@" else cell for cell in row] for row in table_rows(page, "feed")]
    assert lines == [cells[0][1:], cells[1], cells[2][:3]]
    events = read("SELECT count(*) FROM marts.fct_assistant_events")[0][0]
    assert len(lines) == 3 < events


def test_7_a_link_to_exactly_this_view(hand: Hand, opened: Opened, file: Path, read: Read) -> None:
    page = hand.page
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hand.look("Findings")
    hand.press(page.locator("#chart-findings_by_severity .bar", has_text="high"))
    link_button = page.get_by_role("button", name="Copy a link to this view")
    hand.press(link_button, after_pixels=800)
    expect(page.locator("#link")).to_have_text("Copied")
    answered(hand)
    top = "document.getElementById('table-findings').getBoundingClientRect().top"
    before = page.evaluate(top)
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{file.as_uri()}#f.findings_by_severity=high")
    other = opened.context.new_page()
    other.goto(link)
    other.wait_for_selector("html[data-ready]")
    assert abs(other.evaluate(top) - before) <= 2
    high = read("SELECT count(*) FROM marts.rpt_config_findings WHERE NOT is_accepted AND severity = 'high'")[0][0]
    assert count(other, "findings") == high > 0
