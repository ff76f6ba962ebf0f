"""An assistant at its versions: what each one said in full, two of them compared, and how a difference is drawn."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browsing import DIFF_SIDES, HANDS, Opened
from support.dashboards import SYNCED_AT
from support.warehouses import observe, open_warehouse

from puretalk.dashboard import write_dashboard
from puretalk.demo import Account
from puretalk.models.build import build_models

pytestmark = pytest.mark.browser

BLANKS = ("A line  with two blanks.", "A line with\ta tab.", "The same line.")


def state(name: str, prompt: str, *children: Any) -> dict[str, Any]:
    return {"state_id": f"id_{name.lower()}", "name": name, "prompt": prompt, "children": list(children)}


#: What each version has in place of what the one before had.
VERSIONS: tuple[dict[str, Any], ...] = (
    {
        "timezone": "Europe/Vienna",
        "voice_speed": 1.25,
        "chatbot_whitelisted_domains": ["one.example", "two.example"],
        "llm_states": [
            state("Greeting", "Greet.", state("Lookup", "Look it up.")),
            state("Farewell", "Say goodbye,\nkindly."),
        ],
    },
    {"call_recording_enabled": True, "prompt": "\n".join(BLANKS), "voice_speed": 1.5},
    {
        "prompt": "\n".join(line.replace("  ", " ").replace("\t", "    ") for line in BLANKS),
        "llm_states": [
            state("Greeting", "Greet.", state("Lookup", "Look it up twice.")),
            state("Transfer", "Hand over."),
        ],
    },
    {"call_recording_enabled": False, "prompt": "The first line.\nThe second line.\nThe third line."},
    {"prompt": "The first line.\nThe 2nd line.\nOne more.\nThe third line."},
)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> tuple[str, list[dict[str, Any]]]:
    """The address of a page with an assistant of five versions, and their configurations, the oldest first."""
    folder = tmp_path_factory.mktemp("versions")
    account = Account(seed=3, assistants=3)
    key = account.live_ids()[0]
    connection = open_warehouse(folder / "snapshot.duckdb")
    for number, fields in enumerate(VERSIONS):
        account.edit(
            key, **{"call_recording_enabled": False, "prompt": "Nothing yet.", **fields} if not number else fields
        )
        observe(connection, SYNCED_AT - timedelta(weeks=len(VERSIONS) - number), account.records())
    build_models(connection)
    seen = connection.execute(
        "SELECT config FROM main.assistant_versions WHERE assistant_id = ? ORDER BY observed_at", [key]
    ).fetchall()
    connection.close()
    assert len(seen) == len(VERSIONS)
    write_dashboard(folder / "snapshot.duckdb", folder / "page.html", now=SYNCED_AT)
    return f"{(folder / 'page.html').as_uri()}#a={key}&tab=History", [json.loads(config) for (config,) in seen]


@pytest.mark.parametrize("kind", ["mouse", "keyboard"])
def test_two_older_versions_are_compared_in_three_clicks(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]], kind: str
) -> None:
    """The fourth question of test_dashboard_questions.py, of versions of which neither is the newest or next to it."""
    address, configurations = versions
    page, _, key = address.partition("#a=")
    hand = HANDS[kind](opened.go(page))
    hand.page.emulate_media(reduced_motion="reduce")
    hand.look("Changes")
    hand.write(hand.page.locator('[data-search="feed"]'), key.partition("&")[0], enter=True)
    expect(hand.page.get_by_role("tab", name="History", selected=True)).to_be_visible()
    hand.tick(hand.page.get_by_role("checkbox", name="Compare version 4 with another one"))
    expect(hand.page.get_by_role("status").filter(has_text="Version 4 is ticked")).to_be_visible()
    hand.tick(hand.page.get_by_role("checkbox", name="Compare version 2 with another one"))
    hand.page.wait_for_selector('.version[data-shown="2..4"]')
    assert 0 < hand.acts <= (3 if hand.counts_clicks else 500)
    expect(hand.page.locator(".version h4")).to_be_focused()
    assert prompt_change(hand.page).locator(".diff").evaluate(DIFF_SIDES) == [
        configurations[number]["prompt"] for number in (1, 3)
    ]


def at(opened: Opened, address: str, shown: str) -> Page:
    page = opened.page
    page.goto(f"{address}&v={shown}")
    page.wait_for_selector(f'.version[data-shown="{shown}"]')
    return page


SETTINGS = """() => Object.fromEntries([...document.querySelectorAll(".version .settings > div")].map(
    (line) => [line.querySelector("dt").textContent, line.querySelector("dd").textContent]))"""
PROMPTS = """() => Object.fromEntries([...document.querySelectorAll(".version-text")].map((text) =>
    [text.querySelector("code").textContent, text.querySelector("pre").textContent]))"""


def prompts_of(states: list[dict[str, Any]], *above: str) -> dict[str, str]:
    found = {}
    for one in states:
        steps = (*above, one["name"])
        found[" › ".join((*steps, "prompt"))] = one["prompt"]
        found |= prompts_of(one["children"], *steps)
    return found


def test_a_version_shows_every_setting_also_what_never_changed(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    address, configurations = versions
    for number, config in enumerate(configurations, 1):
        shown = at(opened, address, str(number)).evaluate(SETTINGS)
        spoken = {True: "yes", False: "no"}
        assert {title: shown[title] for title in ("Time zone", "Speed", "Model", "Stability", "Boost", "Domains")} == {
            "Time zone": "Europe/Vienna",
            "Speed": f"{config['voice_speed']:g}",
            "Model": config["model"],
            "Stability": f"{config['voice_stability']:g}",
            "Boost": spoken[config["voice_boost"]],
            "Domains": "one.example, two.example",
        }, number
        assert shown["Calls recorded"] == spoken[config["call_recording_enabled"]], number


def test_a_version_shows_the_prompt_of_every_state_that_it_had(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    """Of those that are gone, too; and of none that came later."""
    address, configurations = versions
    for number, config in enumerate(configurations, 1):
        shown = at(opened, address, str(number)).evaluate(PROMPTS)
        states = {place: text for place, text in shown.items() if place.startswith("States")}
        assert states == prompts_of(config["llm_states"], "States"), number
        assert shown["prompt"] == config["prompt"]


def test_a_state_that_came_or_went_reads_as_text(opened: Opened, versions: tuple[str, list[dict[str, Any]]]) -> None:
    page = at(opened, versions[0], "2..3")
    places = page.locator(".change-head code").all_inner_texts()
    assert [place for place in places if place.startswith("States")] == [
        "States › Farewell",
        "States › Greeting › Lookup › prompt",
        "States › Transfer",
    ], "names that people gave, in place of ids"
    gone = page.locator(".change", has_text="States › Farewell")
    lines = gone.locator(".diff del.line").all_text_contents()
    assert "Farewell › name: Farewell" in lines
    assert lines[lines.index("Farewell › prompt:") + 1 :][:2] == ["Say goodbye,", "kindly."]
    assert gone.locator("ins").count() == 0


def test_a_link_with_the_versions_turned_round_compares_them_all_the_same(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    address, configurations = versions
    page = opened.go(f"{address}&v=5..4")
    assert prompt_change(page).locator(".diff").evaluate(DIFF_SIDES) == [
        configurations[number]["prompt"] for number in (3, 4)
    ]
    page.goto(f"{address}&v=4..99")
    expect(page.locator(".version")).to_have_text(
        "No sync had seen this assistant by then, or the page does not have that version."
    )


# How a difference is drawn


def prompt_change(page: Page) -> Locator:
    return page.locator('.change:has(code[title="prompt"])')


def test_split_has_the_old_text_on_the_left_and_the_new_one_beside_it(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    address, configurations = versions
    page = at(opened, address, "4..5")
    change = prompt_change(page)
    change.get_by_role("button", name="Old and new side by side").click()
    expect(change.locator(".diff.split")).to_be_visible()
    rows = change.locator(".pair").evaluate_all(
        """all => all.map(each => [...each.children].map(
            side => [side.dataset.old ?? '', side.dataset.new ?? '', side.textContent]))"""
    )
    old, new = (configurations[number]["prompt"].split("\n") for number in (3, 4))
    assert [left[2] for left, _ in rows if left[0].strip()] == old
    assert [right[2] for _, right in rows if right[1].strip()] == new
    assert ["The second line.", "The 2nd line."] in [[left[2], right[2]] for left, right in rows], "changed: one row"
    boxes = (
        change.locator(".pair")
        .first.locator(":scope > *")
        .evaluate_all(
            """all => all.map(each => each.getBoundingClientRect()).map(
                ({ left, right, top }) => [left, right, top])"""
        )
    )
    assert boxes[0][1] <= boxes[1][0] + 1
    assert boxes[0][2] == boxes[1][2]
    words = change.locator(".pair b").all_text_contents()
    assert (words[0], words[1]) == ("second", "2nd"), "within a line, the word that changed"
    change.get_by_role("button", name="Old and new side by side").click()
    assert change.locator(".pair").count() == 0


def test_blanks_are_marked_at_once_where_nothing_else_changed(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    address, _ = versions
    change = prompt_change(at(opened, address, "2..3"))
    mark = change.get_by_role("button", name="Show blanks, tabs, ends of lines and what cannot be seen")
    expect(mark).to_have_attribute("aria-pressed", "true")
    removed = change.locator(".diff del.line").all_text_contents()
    assert removed == ["A·line··with·two·blanks.¶", "A·line·with→\ta·tab.¶"]
    mark.click()
    assert change.locator(".diff del.line").all_text_contents() == list(BLANKS[:2])
    other = prompt_change(at(opened, address, "4..5"))
    expect(
        other.get_by_role("button", name="Show blanks, tabs, ends of lines and what cannot be seen")
    ).to_have_attribute("aria-pressed", "false")


def test_back_does_not_open_what_was_closed_after_looking_at_versions(
    opened: Opened, versions: tuple[str, list[dict[str, Any]]]
) -> None:
    page = opened.go(versions[0].partition("#")[0])
    page.locator('[data-table="feed"] .open').first.click()
    page.get_by_role("button", name="View version 2 in full").click()
    expect(page.locator(".version h4")).to_be_focused()
    page.get_by_role("button", name="All versions").click()
    page.get_by_role("button", name="Compare version 2 with the newest").click()
    page.wait_for_selector(".version[data-shown]")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.go_back()
    expect(page.locator("dialog")).to_be_hidden()


def test_on_a_phone_the_chosen_tab_is_in_sight(opened: Opened, versions: tuple[str, list[dict[str, Any]]]) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 844})
    page = opened.go(versions[0])
    box = page.get_by_role("tab", name="History").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory, _empty_environment: None) -> str:
    """The address of an assistant with a name, a state and lines that a browser could draw as something else."""
    folder = tmp_path_factory.mktemp("unseen")
    account = Account(seed=3, assistants=1)
    key = account.live_ids()[0]
    account.edit(key, name="W" * 10_000, prompt="Pay to Ann.", llm_states=[state("S" * 4_000, "Greet.")])
    connection = open_warehouse(folder / "snapshot.duckdb")
    observe(connection, SYNCED_AT - timedelta(days=1), account.records())
    account.edit(key, prompt="Pay to \u202eBob\u2066 and\u200b Ann.\nNever twice.")
    observe(connection, SYNCED_AT, account.records())
    build_models(connection)
    connection.close()
    write_dashboard(folder / "snapshot.duckdb", folder / "page.html", now=SYNCED_AT)
    return f"{(folder / 'page.html').as_uri()}#a={key}"


def test_a_difference_shows_what_turns_or_hides_its_text(opened: Opened, unseen: str) -> None:
    page = at(opened, f"{unseen}&tab=History", "1..2")
    added = prompt_change(page).locator(".diff ins.line").all_text_contents()
    assert added == ["Pay·to·[U+202E]Bob[U+2066]·and[U+200B]·Ann.¶", "Never·twice.¶"]


@pytest.mark.parametrize("width", [390, 1440])
def test_a_name_of_ten_thousand_letters_leaves_room_for_the_assistant(opened: Opened, unseen: str, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 844})
    page = opened.go(f"{unseen}&tab=States")
    name, close, body = (page.locator(f"#detail-{part}").bounding_box() for part in ("name", "close", "body"))
    assert name is not None
    assert close is not None
    assert body is not None
    assert name["height"] < 100
    assert close["y"] > 0
    assert body["height"] > 500
    box = page.locator(".state")
    frame, inner = box.bounding_box(), box.locator(".name").bounding_box()
    assert frame is not None
    assert inner is not None
    assert inner["x"] + inner["width"] <= frame["x"] + frame["width"]
    page.locator("#detail-name").hover()
    assert page.locator("#detail-name").get_attribute("title") == "W" * 10_000
