"""The dashboard by keyboard and with a screen reader; and what is inert where there is no script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.dataset.open"


def opens(page: Page) -> list[str]:
    links = page.locator('[data-table="assistants"] .open')
    return [str(one) for one in links.evaluate_all("all => all.map(each => each.dataset.open)")]


def test_second_tab_skips_to_the_assistants_and_keeps_the_filter(page: Page) -> None:
    page.locator("#chart-by_type .bar").first.click()
    filtered = page.evaluate("location.hash")
    page.evaluate("document.activeElement.blur(); scrollTo({top: 0, behavior: 'instant'})")
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.className") == "skip":
            break
    links = page.locator(".skip")
    assert links.all_inner_texts() == ["Skip to the content", "Skip to the assistants"]
    links.nth(1).focus()
    assert links.nth(1).evaluate("each => each.getBoundingClientRect().left") >= 0, "a link with the focus is seen"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "table-assistants"
    assert page.evaluate("location.hash") == filtered != ""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) is not None:
            break
    assert page.evaluate("document.activeElement.closest('table').dataset.table") == "assistants"


def test_j_and_k_walk_the_rows_over_pages_and_enter_opens(page: Page) -> None:
    first_page = opens(page)
    page.locator('[data-table="assistants"] .open').first.focus()
    page.keyboard.press("j")
    assert page.evaluate(FOCUSED) == first_page[1]
    page.keyboard.press("k")
    assert page.evaluate(FOCUSED) == first_page[0]
    page.locator('[data-table="assistants"] .open').last.focus()
    page.keyboard.press("j")
    assert page.evaluate(FOCUSED) == opens(page)[0] not in first_page
    page.keyboard.press("k")
    assert page.evaluate(FOCUSED) == first_page[-1]
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_visible()
    name = page.locator("#detail-name").inner_text()
    page.keyboard.press("k")
    expect(page.locator("#detail-name")).not_to_have_text(name)
    page.keyboard.press("j")
    expect(page.locator("#detail-name")).to_have_text(name)
    page.keyboard.press("Escape")
    page.locator('[data-search="assistants"]').focus()
    page.keyboard.type("jk?")
    assert page.locator('[data-search="assistants"]').input_value() == "jk?"


def test_question_mark_lists_the_keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert page.locator("#help kbd").all_inner_texts() == ["/", "j", "k", "Enter", "←", "→", "Esc", "?"]
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.locator("#help").get_by_role("button", name="Close").click()
    expect(page.locator("#help")).to_be_hidden()


def test_a_search_says_how_many_rows_are_left(page: Page) -> None:
    spoken = page.locator("#announce[aria-live=polite]")
    page.locator('[data-search="assistants"]').fill("window.pwned='img'")
    expect(spoken).to_have_text("Assistants: 1 of 40 rows")
    page.locator('[data-search="assistants"]').fill("nothing like it")
    expect(spoken).to_have_text("Assistants: 0 of 40 rows")
    page.locator('[data-search="assistants"]').fill("")
    expect(spoken).to_have_text("")


def test_without_a_script_no_button_is_dead(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    alive = [
        button.get_attribute("class")
        for button in page.locator("button:not(:disabled):not([popovertarget])").all()
        if button.is_visible()
    ]
    assert alive == []
    opacity = page.locator("#chart-by_model .bar").first.evaluate("each => getComputedStyle(each).opacity")
    assert opacity == "1", "it is text then, not a button that waits"
    context.close()


def test_with_the_script_every_button_works(page: Page) -> None:
    disabled = page.locator("main :disabled").evaluate_all(
        "all => all.map(each => each.closest('[data-pages]') !== null)"
    )
    assert all(disabled)
