"""The dashboard on paper, on a phone, at 200 % and in forced colours: its boxes and colours as the browser has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.dashboards import SYNCED_AT
from support.warehouses import observe, open_warehouse

from puretalk.dashboard import write_dashboard
from puretalk.demo import Account
from puretalk.models.build import build_models

pytestmark = pytest.mark.browser

#: The width of A4 between the margins of print.css, in CSS pixels.
PAPER = 703


@pytest.fixture
def visit(browser: Browser, file: Path) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(fragment: str = "", of: Path = file, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.goto(f"{of.as_uri()}#{fragment}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()


def window(width: int, height: int = 900) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}}


#: What is wider than the box that it is in, by its first words.
OVERFLOWING = """() => [...document.querySelectorAll("main .card")].filter((card) => {
  const box = card.getBoundingClientRect();
  return [...card.querySelectorAll(":is(td, th, button, h3, p, svg, span):not([hidden])")].some((node) => {
    const inner = node.getBoundingClientRect();
    return inner.width && (inner.right > box.right + 1 || inner.left < box.left - 1) && !node.closest("[popover]");
  });
}).map((card) => card.id)"""


# On paper


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_dark_on_white_and_no_card_overflows(visit: Callable[..., Page], scheme: str) -> None:
    page = visit(**window(PAPER), color_scheme=scheme)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", scheme)
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOWING) == []
    colours = "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]"
    for selector in ("body", ".card"):
        assert page.locator(selector).first.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_paper_says_how_many_rows_are_on_it_and_heads_are_no_buttons(visit: Callable[..., Page]) -> None:
    page = visit(**window(PAPER))
    count = page.locator('[data-count="assistants"]')
    total = count.inner_text()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    printed = "each => getComputedStyle(each, '::after').content"
    assert count.get_attribute("data-printed") == f"1–25 of {total}"
    assert count.evaluate(printed) == '", printed: " attr(data-printed)' or f"1–25 of {total}" in count.evaluate(
        printed
    )
    # Chromium leaves out what is in a button where it repeats the head of a table on the next page.
    shown = page.locator('[data-table="assistants"] .sort').evaluate_all(
        "all => all.map(each => [each, each.querySelector('.arrow')].map(one => getComputedStyle(one).display))"
    )
    assert set(map(tuple, shown)) == {("contents", "none")}


@pytest.fixture(scope="module")
def thirty_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of one assistant with thirty versions of its prompt."""
    folder = tmp_path_factory.mktemp("thirty")
    account = Account(seed=3, assistants=1)
    (key,) = account.live_ids()
    connection = open_warehouse(folder / "thirty.duckdb")
    for day in range(30):
        lines = [f"Line {line} of version {day if line == day else 0}." for line in range(40)]
        account.edit(key, prompt="\n".join(lines))
        observe(connection, SYNCED_AT - timedelta(days=30 - day), account.records())
    build_models(connection)
    connection.close()
    write_dashboard(folder / "thirty.duckdb", folder / "page.html", now=SYNCED_AT)
    return folder / "page.html"


def test_paper_has_the_changes_of_every_version(visit: Callable[..., Page], thirty_versions: Path) -> None:
    page = visit(**window(PAPER, 500), of=thirty_versions)
    page.locator('[data-table="assistants"] .open').click()
    page.get_by_role("tab", name="History").click()
    expect(page.locator(".timeline > li")).to_have_count(30)
    folded = page.locator("#detail details:not([open])").count()
    assert folded > 20
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#detail details:not([open])").count() == 0
    drawn = page.locator("#detail details").evaluate_all("all => all.map(each => each.offsetHeight)")
    assert min(drawn) > 30, "a fold without what it folds is one line high"
    detail = page.locator("#detail").evaluate("each => each.getBoundingClientRect().height")
    assert detail > sum(drawn) > 3000
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) > 3
    controls = page.locator("#detail :is(button:not(.fold), input, select, summary)")
    assert [each.inner_text() for each in controls.all() if each.is_visible()] == []
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#detail details:not([open])").count() == folded


# Small windows


@pytest.mark.parametrize("width", [390, 720])
def test_small_window_shows_every_section_and_the_newest_weeks(visit: Callable[..., Page], width: int) -> None:
    """720 is a window of 1440 at a zoom of 200 %."""
    page = visit(**window(width, 844))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for link in page.locator(".sections a").all():
        box = link.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    # As many weeks as a year of syncs brings: they do not fit, and the end is what counts.
    page.evaluate("""() => {
        const list = document.querySelector(".columns");
        for (let copy = 0; copy < 50; copy += 1) list.prepend(list.firstElementChild.cloneNode(true));
    }""")
    scroll = page.locator(".columns-scroll")
    assert scroll.evaluate("each => each.scrollWidth > each.clientWidth")
    frame, newest = scroll.bounding_box(), page.locator(".columns li").last.bounding_box()
    assert frame is not None
    assert newest is not None
    assert frame["x"] <= newest["x"]
    assert newest["x"] + newest["width"] <= frame["x"] + frame["width"] + 1


@pytest.mark.parametrize("width", [390, 1440])
def test_a_name_is_one_line_and_pushes_no_column_out(visit: Callable[..., Page], width: int) -> None:
    page = visit(**window(width))
    page.evaluate("""() => {
        for (const link of document.querySelectorAll("[data-table] tbody tr:first-child .open"))
            link.textContent = "Donaudampfschiff".repeat(12);
    }""")
    for name in ("feed", "most_changed_prompts", "findings", "assistants", "deleted"):
        rows = page.locator(f'[data-table="{name}"] tbody tr')
        heights = rows.evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
        assert max(heights) < 40, f"{name}: {heights}"
        first = rows.first.locator(".open")
        assert first.evaluate("each => each.scrollWidth > each.clientWidth")
        column = first.bounding_box()
        assert column is not None
        assert column["width"] < width / 2
        if width == 1440:
            last, card = rows.first.locator("td").last.bounding_box(), page.locator(f"#table-{name}").bounding_box()
            assert last is not None
            assert card is not None
            assert last["x"] + last["width"] <= card["x"] + card["width"], name
    first.hover()
    assert first.get_attribute("title") == "Donaudampfschiff" * 12


@pytest.mark.parametrize("width", [1024, 1280, 1440])
def test_no_time_is_cut(visit: Callable[..., Page], width: int) -> None:
    times = visit(**window(width)).locator(".grid td.moment .cell")
    assert times.count() > 30
    cut = times.evaluate_all(
        "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("width", [390, 720, 1000, 1024, 1440])
def test_no_card_stands_alone_in_a_row_that_it_does_not_fill(visit: Callable[..., Page], width: int) -> None:
    page = visit(**window(width))
    boxes = ".tiles" if width > 1000 else ".cards, .tiles"
    rows = page.locator(boxes).evaluate_all("""all => all.flatMap((box) => {
        const rows = new Map();
        for (const card of box.children) {
            const { top, left, right } = card.getBoundingClientRect();
            rows.set(top, [...(rows.get(top) ?? []), left, right]);
        }
        const { right } = box.getBoundingClientRect();
        return [...rows.values()].map((edges) => [right - Math.max(...edges), box.firstElementChild.id]);
    })""")
    assert [name for missing, name in rows if missing > 1] == []
    assert page.locator("#text-query").evaluate("each => each.clientWidth") > 150


def test_head_and_first_column_stay_in_sight(visit: Callable[..., Page]) -> None:
    page = visit(**window(1440, 500))
    page.locator('[data-table="assistants"] tbody tr').nth(20).evaluate(
        "each => each.scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    head = page.locator('[data-table="assistants"] th').first.bounding_box()
    assert head is not None
    assert abs(head["y"] - page.evaluate("document.querySelector('.top').offsetHeight")) <= 1
    narrow = visit(**window(390, 500))
    box = narrow.locator("#table-assistants .table-scroll")
    name = narrow.locator('[data-table="assistants"] td').first
    before = name.bounding_box()
    box.evaluate("each => { each.scrollLeft = 400; each.scrollTop = 300; }")
    after = name.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["x"] - before["x"]) <= 10
    top = narrow.locator('[data-table="assistants"] th').first.bounding_box()
    frame = box.bounding_box()
    assert top is not None
    assert frame is not None
    assert abs(top["y"] - frame["y"]) <= 1


@pytest.mark.parametrize("width", [1280, 720])
def test_a_section_head_is_below_what_sticks(visit: Callable[..., Page], width: int) -> None:
    page = visit("f.by_model=puretalk-plg", **window(width, 700))
    covered = (
        "Math.max(...[...document.querySelectorAll('.top, #filters')].map(each => each.getBoundingClientRect().bottom))"
    )
    for name in ("Fleet", "Changes", "Findings", "Assistants"):
        page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
        page.locator(".sections").get_by_role("link", name=name).click()
        heading = page.get_by_role("heading", name=name, exact=True, level=2)
        expect(heading).to_be_focused()
        box = heading.bounding_box()
        assert box is not None
        assert box["y"] >= page.evaluate(covered), name


def test_what_is_clicked_stays_under_the_pointer(visit: Callable[..., Page]) -> None:
    page = visit(**window(1280, 700))
    for selector in ("#chart-by_type .bar", "#chart-findings_by_severity .bar", "#chart-changes_per_week .key"):
        node = page.locator(selector).first
        node.evaluate("each => each.scrollIntoView({block: 'center', behavior: 'instant'})")
        before = node.bounding_box()
        node.click()
        after = page.locator(selector).first.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) <= 1, selector


# Forced colours


def test_forced_colours_mark_what_is_chosen(visit: Callable[..., Page]) -> None:
    page = visit("f.by_model=puretalk-plg", forced_colors="active")
    outline = "each => getComputedStyle(each).outlineStyle"
    assert page.locator('#chart-by_model .bar[aria-pressed="true"]').first.evaluate(outline) == "solid"
    assert page.locator('#chart-by_model .bar[aria-pressed="false"]').first.evaluate(outline) == "none"


def test_forced_colours_draw_a_button_that_the_script_enabled_as_one_that_works(visit: Callable[..., Page]) -> None:
    """Chromium goes on drawing the colour of a disabled button after it is enabled; so both have the same."""
    page = visit(forced_colors="active", **window(1440))
    for selector in ("#chart-by_model .bar .name", "#tile-findings .part .mark", ".chips .chip"):
        colours = page.locator(selector).first.evaluate("""each => [false, true].map((isDisabled) => {
            each.closest("button").disabled = isDisabled;
            return getComputedStyle(each).color;
        })""")
        assert len(set(colours)) == 1, selector


@pytest.mark.parametrize("medium", ["forced", "print"])
def test_removed_lines_are_struck_through_where_colours_are_gone(
    visit: Callable[..., Page], thirty_versions: Path, medium: str
) -> None:
    page = visit(of=thirty_versions, **({"forced_colors": "active"} if medium == "forced" else {}))
    page.locator('[data-table="assistants"] .open').click()
    page.get_by_role("tab", name="History").click()
    if medium == "print":
        page.emulate_media(media="print")
    lines = page.locator("#detail .diff :is(del, ins).line")
    decorations = lines.evaluate_all(
        "all => all.map(each => [each.tagName, getComputedStyle(each).textDecorationLine])"
    )
    assert ("DEL", "line-through") in set(map(tuple, decorations))
    assert ("DEL", "none") not in set(map(tuple, decorations))
    if medium == "forced":
        assert ("INS", "underline") in set(map(tuple, decorations))
