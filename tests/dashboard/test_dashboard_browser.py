"""The dashboard in a real browser: Debian's chromium, headless, driven by Playwright.

Nothing here is skipped: without a browser the tests fail and say what to install.
"""

from __future__ import annotations

import csv
import io
import re
import threading
from collections import Counter
from datetime import timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import Opened, Read, fragment
from support.dashboards import FORMULAS, HOSTILE, SYNCED_AT, blocks

from puretalk.dashboard import serve_dashboard

pytestmark = pytest.mark.browser


def shown_ids(page: Page, table: str = "assistants") -> list[str]:
    return page.locator(f'[data-table="{table}"] tbody tr td:first-child').all_inner_texts()


def opens(page: Page) -> list[str | None]:
    return [link.get_attribute("data-open") for link in page.locator('[data-table="assistants"] .open').all()]


def count(page: Page, table: str = "assistants") -> str:
    return page.locator(f'[data-count="{table}"]').inner_text()


# Safety


def test_file_makes_no_request_but_for_itself(opened: Opened, file: Path) -> None:
    page = opened.go(file.as_uri())
    page.locator('[data-table="assistants"] .open').first.click()
    for tab in ("Texts", "States", "Variables", "Findings", "History"):
        page.get_by_role("tab", name=tab).click()
    assert opened.requests == [file.as_uri()]


def test_served_page_makes_no_request_but_for_itself(opened: Opened, file: Path) -> None:
    ready: list[str] = []
    is_ready = threading.Event()

    def on_ready(address: str) -> None:
        ready.append(address)
        is_ready.set()

    threading.Thread(
        target=serve_dashboard,
        args=(file,),
        kwargs={"on_ready": on_ready},
        daemon=True,
    ).start()
    assert is_ready.wait(10)
    opened.go(ready[0])
    assert opened.requests == ready


def test_hostile_text_is_shown_and_never_run(opened: Opened, file: Path, read: Read) -> None:
    page = opened.go(file.as_uri())
    page.locator('[data-search="assistants"]').fill("window.pwned")
    seen = "\n".join(shown_ids(page))
    assert [text for text in HOSTILE if "pwned" in text and text not in seen] == []
    for text in HOSTILE:
        like = text.replace("'", "''")
        (identity,) = read(
            f"SELECT assistant_id FROM marts.dim_assistants WHERE starts_with(assistant_name, '{like}')"
        )[0]
        for tab in ("Settings", "Texts", "States", "Variables", "History"):
            page.goto(f"{file.as_uri()}#a={identity}&tab={tab}")
            expect(page.locator("#detail-name")).to_contain_text(text)
            expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, object, embed").count() == 0


def test_hostile_text_would_run_where_nobody_escapes(browser: Browser) -> None:
    """The control: these texts do harm in a page that trusts them."""
    context = browser.new_context()
    page = context.new_page()
    page.set_content(f"<p>{HOSTILE[0]}</p>")
    page.wait_for_function("window.pwned === 'img'")
    page.set_content(f"<script>var name = '{HOSTILE[1]}'</script>")
    page.wait_for_function("window.pwned === 'script'")
    context.close()


def test_policy_stops_what_would_slip_through(browser: Browser, file: Path, tmp_path: Path) -> None:
    """The second wall: a page into which markup was smuggled still runs and loads nothing."""
    smuggled = tmp_path / "smuggled.html"
    evil = "".join(HOSTILE[:3]) + '<img src="https://example.com/leak.png"><p id="red" style="color: red">'
    smuggled.write_text(file.read_text(encoding="utf-8").replace("<h1>", f"{evil}<h1>"), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    page.on("requestfinished", lambda request: requests.append(request.url))
    page.goto(smuggled.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("getComputedStyle(document.getElementById('red')).color") != "rgb(255, 0, 0)"
    assert requests == [smuggled.as_uri()]
    assert (
        page.evaluate("(() => { try { document.body.innerHTML = '<b>'; return 'set' } catch { return 'refused' } })()")
        == "refused"
    )
    context.close()


# Figures and filters


def test_tiles_equal_sql(page: Page, read: Read) -> None:
    expected = read("SELECT count(*) FROM marts.dim_assistants WHERE is_live")[0][0]
    findings = read("SELECT count(*) FROM marts.rpt_config_findings")[0][0]
    assert page.locator("#tile-assistants [data-value]").inner_text() == str(expected)
    assert page.locator("#tile-findings [data-value]").inner_text() == str(findings)


#: All that a reader sees of the charts, tiles and tables, and what a screen reader is told.
DRAWN = """
[...document.querySelectorAll("main section :is(rect, button, td, th, p, li, .count, .name)")].map((node) => [
  node.tagName, node.tagName === "rect" ? "" : node.textContent.replace(/\\s+/g, " ").trim(),
  ...["class", "width", "height", "x", "y", "title", "aria-label", "aria-pressed", "disabled"]
    .map((name) => node.getAttribute(name)),
])
"""


def test_a_click_on_a_bar_filters_everything(page: Page, read: Read) -> None:
    before = page.evaluate(DRAWN)
    bar = page.locator("#chart-by_model .bar", has_text="puretalk-plg")
    bar.click()
    live = "marts.dim_assistants WHERE is_live AND model = 'puretalk-plg'"
    expected = read(f"SELECT count(*) FROM {live}")[0][0]
    expect(page.locator("#tile-assistants [data-value]")).to_have_text(str(expected))
    assert count(page).startswith(f"{expected} of ")
    findings = read(
        f"SELECT count(*) FROM marts.rpt_config_findings WHERE assistant_id IN (SELECT assistant_id FROM {live})"
    )
    assert page.locator("#tile-findings [data-value]").inner_text() == str(findings[0][0])
    types = read(f"SELECT assistant_type, count(*) FROM {live} GROUP BY ALL")
    drawn = page.locator("#chart-by_type .bar").all_inner_texts()
    assert sorted(tuple(text.split("\n")) for text in drawn) == sorted((name, str(many)) for name, many in types)
    share = read(f"SELECT avg(is_recorded::int) FROM {live}")[0][0]
    assert (
        page.locator("#tile-recording_share [data-value]").inner_text() == f"{share * 100:.1f}".removesuffix(".0") + "%"
    )
    assert fragment(page) == "f.by_model=puretalk-plg"
    page.get_by_role("button", name="Remove the filter Assistants by model: puretalk-plg").click()
    assert fragment(page) == ""
    assert page.evaluate(DRAWN) == before, "what the script draws is what the page came with"


def test_filters_of_two_charts_meet_and_of_one_add_up(page: Page, read: Read) -> None:
    page.locator("#chart-by_type .bar").nth(0).click()
    page.locator("#chart-by_type .bar").nth(1).click()
    page.get_by_role("button", name=re.compile("^Not recorded")).click()
    names = [text.split("\n")[0] for text in page.locator("#chart-by_type .bar").all_inner_texts()[:2]]
    expected = read(
        "SELECT count(*) FROM marts.dim_assistants WHERE is_live AND NOT is_recorded "
        f"AND assistant_type IN ('{names[0]}', '{names[1]}')"
    )[0][0]
    expect(page.locator("#tile-assistants [data-value]")).to_have_text(str(expected))


def test_findings_drill_down_from_the_rule_to_its_rows(page: Page, read: Read) -> None:
    bar = page.locator("#chart-findings_by_rule .bar").first
    title = bar.locator(".name").inner_text()
    bar.click()
    expected = read(f"SELECT count(*) FROM marts.rpt_config_findings WHERE title = '{title}'")[0][0]
    assert count(page, "findings").startswith(f"{expected} of ")
    assert set(page.locator('[data-table="findings"] tbody td:nth-child(3)').all_inner_texts()) == {title}


def test_own_chart_filters_like_the_others(page: Page) -> None:
    bar = page.locator("#chart-by_time_zone .bar").first
    name, many = bar.inner_text().split("\n")
    bar.click()
    expect(page.locator("#tile-assistants [data-value]")).to_have_text(many)
    assert fragment(page) == f"f.by_time_zone={name}"


def test_columns_filter_by_week_and_by_area(page: Page, read: Read) -> None:
    page.locator("#chart-changes_per_week .key", has_text="prompt").first.click()
    expected = read("SELECT count(DISTINCT assistant_id) FROM marts.fct_config_changes WHERE area = 'prompt'")[0][0]
    live = read(
        "SELECT count(DISTINCT assistant_id) FROM marts.fct_config_changes "
        "JOIN marts.dim_assistants USING (assistant_id) WHERE area = 'prompt' AND is_live"
    )[0][0]
    gone = f" and {expected - live} deleted" if expected > live else ""
    assert re.fullmatch(rf"{live} of \d+ assistants{gone}", page.locator(".filters-count").inner_text())


def test_address_carries_filters_back_forth_and_over_a_reload(page: Page) -> None:
    page.locator("#chart-by_type .bar").first.click()
    page.locator("#chart-by_model .bar").first.click()
    two = count(page)
    address = fragment(page)
    page.go_back()
    expect(page.locator("#filters .chip")).to_have_count(1)
    page.go_forward()
    expect(page.locator("#filters .chip")).to_have_count(2)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert (fragment(page), count(page)) == (address, two)


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    bar = page.locator("#chart-by_type .bar").first
    bar.focus()
    page.keyboard.press("Enter")
    pressed = page.evaluate(
        "[document.activeElement.dataset.chart, document.activeElement.getAttribute('aria-pressed')]"
    )
    assert pressed == ["by_type", "true"]
    page.keyboard.press("Enter")
    expect(page.locator("#filters")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("window.pwned='img'")
    expect(page.locator('[data-count="assistants"]')).to_contain_text("1 of")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.csv") == "assistants"
    page.locator('[data-table="assistants"] .open').first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.get_by_role("tab", name="Settings").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Texts")).to_be_focused()
    expect(page.locator('[data-detail="texts"]')).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="History")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.dataset.open !== undefined"), "the focus is back where it was"
    button = page.get_by_role("button", name="Data and SQL of Assistants by model")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#source-by_model")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#source-by_model")).to_be_hidden()


# Tables


def test_table_sorts_by_every_column_both_ways(page: Page, read: Read) -> None:
    page.locator('[data-sort="assistants"]', has_text="Prompt tokens").click()
    head = page.locator('[data-table="assistants"] th', has_text="Prompt tokens")
    expect(head).to_have_attribute("aria-sort", "descending")
    column = '[data-table="assistants"] tbody td:nth-child(7)'
    most = [
        f"{row[0]:,}"
        for row in read(
            "SELECT prompt_tokens_estimate FROM marts.dim_assistants WHERE is_live ORDER BY 1 DESC LIMIT 25"
        )
    ]
    assert page.locator(column).all_inner_texts() == most
    page.locator('[data-sort="assistants"]', has_text="Prompt tokens").click()
    least = [
        f"{row[0]:,}"
        for row in read("SELECT prompt_tokens_estimate FROM marts.dim_assistants WHERE is_live ORDER BY 1 LIMIT 25")
    ]
    assert page.locator(column).all_inner_texts() == least
    assert fragment(page) == "o.assistants=7"


def test_table_turns_its_pages(page: Page, read: Read) -> None:
    all_of_them = read("SELECT count(*) FROM marts.dim_assistants WHERE is_live")[0][0]
    first = opens(page)
    nav = page.locator('[data-pages="assistants"]')
    assert nav.inner_text().split("\n")[2] == f"1–25 of {all_of_them}"
    nav.get_by_role("button", name="Next page").click()
    second = opens(page)
    assert (len(first), len(second)) == (25, all_of_them - 25)
    assert not set(first) & set(second)
    assert fragment(page) == "p.assistants=2"


def test_csv_holds_what_is_filtered_and_no_formula(page: Page, read: Read) -> None:
    page.locator("#chart-by_model .bar", has_text="puretalk-plg").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export Assistants as CSV").click()
    assert download.value.suggested_filename == "puretalk-assistants.csv"
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    expected = read(
        "SELECT assistant_id, assistant_name, prompt_tokens_estimate FROM marts.dim_assistants "
        "WHERE is_live AND model = 'puretalk-plg'"
    )
    guarded = {key: f"'{name}" if name and name[0] in "=+-@\t\r\n" else name or "" for key, name, _ in expected}
    assert {row["assistant_id"]: row["Name"] for row in rows} == guarded
    assert sum(name.startswith("'") for name in guarded.values()) == len(FORMULAS) + 1, "formulas, and a name with '"
    assert {row["assistant_id"]: int(row["Prompt tokens"]) for row in rows} == {
        key: tokens for key, _, tokens in expected
    }


# One assistant


def changed_assistant(read: Read) -> str:
    (identity,) = read(
        "SELECT assistant_id FROM marts.fct_config_changes WHERE path = 'prompt' "
        "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    )[0]
    return str(identity)


def test_deep_link_opens_an_assistant_on_its_tab(opened: Opened, file: Path, read: Read) -> None:
    identity = changed_assistant(read)
    page = opened.go(f"{file.as_uri()}#a={identity}&tab=History")
    (name,) = read(f"SELECT assistant_name FROM marts.dim_assistants WHERE assistant_id = '{identity}'")[0]
    assert page.locator("#detail-name").inner_text() == name
    versions = read(
        f"SELECT version_number FROM marts.fct_assistant_versions WHERE assistant_id = '{identity}' ORDER BY 1 DESC"
    )
    heads = page.locator(".timeline h4").all_inner_texts()
    assert [re.sub(r"\D*(\d+).*", r"\1", head, flags=re.S) for head in heads] == [str(number) for (number,) in versions]
    page.get_by_role("button", name="Close", exact=True).last.click()
    expect(page.locator("dialog")).to_be_hidden()
    assert fragment(page) == ""


def test_deep_link_to_a_stranger_shows_the_page(opened: Opened, file: Path) -> None:
    page = opened.go(f"{file.as_uri()}#a=nobody&f.nothing=1&o.assistants=99&p.assistants=-3&q.x=y&f.by_model=unheard")
    expect(page.locator("dialog")).to_be_hidden()
    assert count(page).startswith("0 of ")


DIFF_TEXTS = """
diff => {
  const side = (skipped) => [...diff.querySelectorAll(".line")]
    .filter((line) => line.nodeName !== skipped)
    .map((line) => line.textContent).join("\\n");
  return [side("INS"), side("DEL")];
}
"""


def test_differences_put_together_give_both_texts(opened: Opened, file: Path, read: Read) -> None:
    page = opened.go(file.as_uri())
    changes = read(
        "SELECT assistant_id, old_value ->> '$', new_value ->> '$' FROM marts.fct_config_changes "
        "WHERE path = 'prompt' AND change_kind = 'changed' AND json_type(old_value) = 'VARCHAR' "
        "ORDER BY 1, version_number DESC"
    )
    assert len(changes) >= 5
    checked = 0
    for identity in dict.fromkeys(identity for identity, _, _ in changes):
        page.goto(f"{file.as_uri()}#a={identity}&tab=History")
        expect(page.locator("#detail-facts code")).to_have_text(identity)
        boxes = page.locator('.change:has(> .change-head code:text-is("prompt")) .diff-box')
        for place, (_, old, new) in enumerate(change for change in changes if change[0] == identity):
            box = boxes.nth(place)
            if not box.evaluate("box => box.open"):
                box.locator("summary").click()
            for _ in range(box.locator(".fold").count()):
                box.locator(".fold").first.click()
            assert box.locator(".diff").evaluate(DIFF_TEXTS) == [old, new]
            assert box.locator("del, ins").count() > 0
            checked += 1
    assert checked == len(changes)


def test_state_tree_has_every_state_at_its_depth(opened: Opened, file: Path, read: Read) -> None:
    (identity,) = read("SELECT assistant_id FROM marts.dim_llm_states GROUP BY 1 ORDER BY max(depth) DESC, 1 LIMIT 1")[
        0
    ]
    page = opened.go(f"{file.as_uri()}#a={identity}&tab=States")
    drawn = page.evaluate(
        """() => [...document.querySelectorAll(".state-name")].map((state) => {
            let depth = -1;
            for (let node = state; node.id !== "detail-body"; node = node.parentNode)
                depth += node.className === "tree";
            return [state.querySelector(".name").textContent, depth];
        })"""
    )
    states = read(f"SELECT state_name, depth FROM marts.dim_llm_states WHERE assistant_id = '{identity}' ORDER BY node")
    assert drawn == [[name or "A state without a name", depth] for name, depth in states]


def test_previous_and_next_walk_the_filtered_table(page: Page) -> None:
    names = shown_ids(page)
    page.locator('[data-table="assistants"] .open').first.click()
    expect(page.locator("#detail-name")).to_have_text(names[0])
    expect(page.locator("#detail-previous")).to_be_disabled()
    page.locator("#detail-next").click()
    expect(page.locator("#detail-name")).to_have_text(names[1])
    link = page.locator('[data-table="assistants"] .open').nth(1).get_attribute("href")
    assert link == page.evaluate("location.hash"), "a name is a link that can be copied or opened in another tab"
    page.locator("#detail-previous").click()
    expect(page.locator("#detail-name")).to_have_text(names[0])


# How it looks


def violations(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(
            (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8") + "; undefined"
        )
    found = page.evaluate(
        "axe.run(document.querySelector('dialog[open], :popover-open') ?? document).then((all) => all.violations)"
    )
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, file: Path, read: Read, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = Opened(context).go(file.as_uri())
    page.locator("#chart-by_model .bar").first.click()
    page.locator("#chart-findings_by_rule .bar").first.click()
    assert violations(page) == []
    page.goto(f"{file.as_uri()}#a={changed_assistant(read)}")
    for tab in ("Settings", "Texts", "States", "Variables", "Compare", "Findings", "History")[
        0 if scheme == "light" else -2 :
    ]:
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        assert violations(page) == [], tab
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Data and SQL of Open findings").click()
    assert violations(page) == []
    context.close()


def test_charts_work_without_javascript(browser: Browser, file: Path, read: Read) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expected = read("SELECT count(*) FROM marts.dim_assistants WHERE is_live")[0][0]
    assert page.locator("#tile-assistants [data-value]").inner_text() == str(expected)
    assert page.locator("#chart-by_model .bar").count() > 0
    width = page.locator("#chart-by_model .bar rect").first.bounding_box()
    assert width is not None
    assert width["width"] > 50
    assert page.locator('[data-table="assistants"] tbody tr').count() == 25
    assert not page.locator('[data-search="assistants"]').is_visible()
    assert page.get_by_text("need JavaScript; the charts and the data behind them do not").is_visible()
    page.get_by_role("button", name="Data and SQL of Assistants by model").click()
    assert page.locator("#source-by_model .sql").is_visible()
    context.close()


def test_theme_is_remembered(page: Page) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(colour) != light
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.get_by_role("button", name="Theme: dark").is_visible()


def test_page_works_where_storage_is_forbidden(opened: Opened, file: Path) -> None:
    opened.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})"
    )
    page = opened.go(file.as_uri())
    page.get_by_role("button", name="Theme: auto").click()
    assert page.get_by_role("button", name="Theme: light").is_visible()


def test_a_page_that_lies_about_grows_old(opened: Opened, file: Path) -> None:
    opened.page.clock.set_fixed_time(SYNCED_AT + timedelta(hours=3))
    page = opened.go(file.as_uri())
    assert page.locator("#age").inner_text().strip() == "(3 hours ago)"
    expect(page.locator("#stale")).to_be_hidden()
    page.clock.set_fixed_time(SYNCED_AT + timedelta(days=4))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#stale")).to_be_visible()


def test_phone_shows_it_without_scrolling_sideways(browser: Browser, file: Path, read: Read) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 800}, is_mobile=True, has_touch=True)
    page = Opened(context).go(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.goto(f"{file.as_uri()}#a={changed_assistant(read)}&tab=History")
    expect(page.locator(".timeline")).to_be_visible()
    assert page.evaluate("document.getElementById('detail').scrollWidth") <= 375
    assert page.evaluate("document.getElementById('detail-body').scrollWidth") <= 375
    context.close()


def test_print_leaves_the_controls_out(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("#chart-by_model .bar").first.is_visible()
    for control in (".top", ".source-button", ".pages", ".chips"):
        assert not page.locator(control).first.is_visible()


def test_lines_of_a_first_version_are_no_change(page: Page, file: Path, read: Read) -> None:
    (identities,) = [block["ids"] for block in blocks(file.read_text()).values() if "ids" in block]
    texts: dict[str, list[str]] = {}
    for key, text in read("SELECT assistant_id, config->>'prompt' FROM assistant_versions ORDER BY observed_at"):
        known = texts.setdefault(key, [])
        if known[-1:] != [text]:
            known.append(text)
    checked = 0
    for row in page.locator('[data-table="most_changed_prompts"] tbody tr').all():
        _, place, versions, added, removed, *_ = row.locator("td").all_inner_texts()
        if place != "prompt":
            continue
        pairs = list(pairwise(texts[identities[int(row.locator(".open").get_attribute("data-open") or "")]]))
        lines = [(Counter(old.split("\n")), Counter(new.split("\n"))) for old, new in pairs]
        more, less = sum((new - old).total() for old, new in lines), sum((old - new).total() for old, new in lines)
        assert (versions, added, removed) == (f"{len(pairs) + 1}", f"{more:,}", f"{less:,}")
        checked += 1
    assert checked > 2


def test_severities_sort_by_their_weight(page: Page, read: Read) -> None:
    counts: dict[str, int] = dict(
        read("SELECT severity, count(*) FROM marts.rpt_config_findings WHERE NOT is_accepted GROUP BY 1")
    )
    assert set(counts) == {"high", "medium", "low"}
    ordered = [name for name in ("high", "medium", "low") for _ in range(counts[name])]
    head = page.locator('[data-sort="findings"]', has_text="Severity")
    column = page.locator('[data-table="findings"] tbody td:nth-child(2)')
    head.click()
    assert column.all_inner_texts() == ordered[:10]
    head.click()
    assert column.all_inner_texts() == ordered[::-1][:10]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_of_an_assistant_has_all_its_versions_dark_on_white(
    browser: Browser, file: Path, read: Read, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 500}, color_scheme=scheme)
    page = Opened(context).go(f"{file.as_uri()}#a={changed_assistant(read)}&tab=History")
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", scheme)
    page.evaluate("""() => {
        const list = document.querySelector('.timeline'), one = list.firstElementChild;
        for (let copy = 0; copy < 30; copy += 1) list.append(one.cloneNode(true));
    }""")
    page.emulate_media(media="print")
    detail = page.locator("#detail")
    height = page.evaluate("document.querySelector('.timeline').getBoundingClientRect().height")
    assert detail.evaluate("each => each.getBoundingClientRect().height") > height > 1500
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) > 2
    style = "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]"
    assert detail.evaluate(style) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.locator("ins").first.evaluate(style) == ["rgb(14, 87, 51)", "rgb(222, 243, 228)"]
    context.close()


def test_forced_colours_show_insertions_and_the_open_tab(browser: Browser, file: Path, read: Read) -> None:
    context = browser.new_context(forced_colors="active")
    page = Opened(context).go(f"{file.as_uri()}#a={changed_assistant(read)}&tab=History")
    assert page.locator("ins").first.evaluate("each => getComputedStyle(each).textDecorationLine") == "underline"
    colours = page.locator(".tabs button").evaluate_all(
        "all => all.map(each => [each.getAttribute('aria-selected'), getComputedStyle(each).borderBottomColor])"
    )
    canvas = page.locator("#detail").evaluate("each => getComputedStyle(each).backgroundColor")
    assert [selected for selected, colour in colours if colour != canvas] == ["true"]
    context.close()
