"""A page in a real browser: Debian's chromium, headless, driven by Playwright."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, FloatRect, Locator, Page, expect

#: Both texts of a difference, put together from its lines.
DIFF_SIDES = """diff => ["INS", "DEL"].map((skipped) => [...diff.querySelectorAll(".line")]
    .filter((line) => line.nodeName !== skipped).map((line) => line.textContent).join("\\n"))"""

#: Waits until the page has scrolled and then stood still for half a second of drawn frames.
STILL = """() => new Promise((done) => {
    let [still, last] = [0, 0];
    const look = () => {
        still = scrollY > 0 && scrollY === last ? still + 1 : 0;
        last = scrollY;
        if (still < 30) requestAnimationFrame(look);
        else done();
    };
    look();
})"""

Read = Callable[[str], list[tuple[Any, ...]]]


class Opened:
    """A page, and everything that it did in addition to showing itself."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page = context.new_page()
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.set_default_timeout(10_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))

    def go(self, address: str) -> Page:
        self.page.goto(address)
        self.page.wait_for_selector("html[data-ready]")
        return self.page


def fragment(page: Page) -> str:
    """The fragment of the address, as it is read."""
    return str(page.evaluate("decodeURIComponent(location.hash.slice(1)).replaceAll('+', ' ')"))


def table_rows(page: Page, table: str) -> list[list[str]]:
    """The texts of the cells of a table's rows, as they are on the page now."""
    lines = page.locator(f'[data-table="{table}"] tbody tr:not(.opened)')
    return [line.locator("td").all_inner_texts() for line in lines.all()]


def count(page: Page, table: str) -> int:
    """How many rows a table says that the filters leave."""
    return int(re.sub(r"\D.*", "", page.locator(f'[data-count="{table}"]').inner_text()))


class Hand(ABC):
    """A person's hand on the page. It does only what a person can do, and counts its acts."""

    counts_clicks = False

    def __init__(self, page: Page) -> None:
        self.page = page
        self.acts = 0

    @abstractmethod
    def press(self, target: Locator, *, after_pixels: int = 0) -> None:
        """Presses a button, a link or a tab; what sticks to the top of the window, also after scrolling down."""

    @abstractmethod
    def enter(self, field: Locator, key: str) -> None:
        """Gets into a field. `key` is the key of the page that leads there, if it has one."""

    @abstractmethod
    def tick(self, box: Locator) -> None:
        """Ticks a box."""

    @abstractmethod
    def look(self, section: str) -> None:
        """Looks at a section of the page."""

    def write(self, field: Locator, text: str, *, key: str = "", enter: bool = False) -> None:
        """Types into a field; a day is given as 2026-11-10, and typed as the field asks for it: month, day, year."""
        self.enter(field, key)
        if field.get_attribute("type") == "date":
            year, month, day = text.split("-")
            text = month + day + year
        self.page.keyboard.type(text)
        if enter:
            self.page.keyboard.press("Enter")


class Mouse(Hand):
    """An act is a click. Scrolling is none, nor is typing into the field that was clicked."""

    counts_clicks = True

    def press(self, target: Locator, *, after_pixels: int = 0) -> None:
        if after_pixels:
            self.page.mouse.move(640, 500)
            self.page.mouse.wheel(0, after_pixels)
            self.page.evaluate(STILL)
        box = self._seen(target)
        self._click(target, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def enter(self, field: Locator, key: str) -> None:  # noqa: ARG002
        box = self._seen(field)
        self._click(field, box["x"] + 14, box["y"] + box["height"] / 2)  # a day is typed from its left end on

    def tick(self, box: Locator) -> None:
        self.press(box)

    def look(self, section: str) -> None:
        self.page.get_by_role("heading", name=section, level=2).scroll_into_view_if_needed()

    def _seen(self, target: Locator) -> FloatRect:
        target.wait_for()
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        return box

    def _click(self, target: Locator, x: float, y: float) -> None:
        assert target.evaluate("(each, [x, y]) => each.contains(document.elementFromPoint(x, y))", [x, y]), "covered"
        self.page.mouse.click(x, y)
        self.acts += 1


class Keyboard(Hand):
    """An act is a key, except those that type a text."""

    def press(self, target: Locator, *, after_pixels: int = 0) -> None:
        target.wait_for()
        if target.get_attribute("role") == "tab":
            self._tab_to(target.locator("xpath=..").locator('[aria-selected="true"]'))
            self._until(target, "ArrowRight", 20)
            return
        self._tab_to(target)
        for _ in range(after_pixels // 40):
            self._key("ArrowDown")
        if after_pixels:
            self.page.evaluate(STILL)
        self._key("Enter")

    def enter(self, field: Locator, key: str) -> None:
        field.wait_for()
        if key:
            self._key(key)
        else:
            self._tab_to(field)
        expect(field).to_be_focused()

    def tick(self, box: Locator) -> None:
        box.wait_for()
        self._tab_to(box)
        self._key("Space")

    def look(self, section: str) -> None:
        """By the links at the top of the page, which Tab reaches from its start."""
        self.press(self.page.locator(".sections").get_by_role("link", name=section))

    def _tab_to(self, target: Locator) -> None:
        is_before = target.evaluate(
            "each => Boolean(each.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING)"
        )
        self._until(target, "Shift+Tab" if is_before else "Tab", 300)

    def _until(self, target: Locator, key: str, most: int) -> None:
        """Presses a key until the target has the focus, and sees that the window then shows it."""
        for _ in range(most):
            if target.evaluate("each => each === document.activeElement"):
                box = target.bounding_box()
                assert box is not None
                assert 0 <= box["y"] < 900, "what has the focus is in the window"
                return
            self._key(key)
        raise AssertionError(f"{most} times {key} do not lead to {target}")

    def _key(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.acts += 1


HANDS: dict[str, type[Hand]] = {"mouse": Mouse, "keyboard": Keyboard}
