"""A diff names everything that differs between two sides, and nothing else."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.commandline import CommandLine
from support.history import Month

from puretalk.demo import Account
from puretalk.renditions.comparison import Comparison, Side, compare_sides
from puretalk.renditions.diff_text import render_diff, word_parts
from puretalk.renditions.places import Place, read_fleet
from puretalk.renditions.rendering import name_folder, render_files

MOMENT = datetime(2026, 3, 3, tzinfo=UTC)


def place(assistant_id: str, **config: Any) -> Place:
    name = name_folder(config.get("name"), assistant_id)
    return Place(assistant_id, name, {"assistant_id": assistant_id, **config}, MOMENT, None, None)


def side(*places: Place, account: str = "a", is_one: bool = False) -> Side:
    return Side(account, {each.assistant_id: each for each in places}, is_one, Path(account))


def matched(comparison: Comparison) -> list[tuple[str | None, str | None]]:
    return [
        (pair.old.assistant_id if pair.old else None, pair.new.assistant_id if pair.new else None)
        for pair in comparison.pairs
    ]


def test_git_applies_the_unified_diff_of_a_month(month: Month, tmp_path: Path) -> None:
    with duckdb.connect(str(month.path), read_only=True) as connection:
        old, new = (side(*read_fleet(connection, month.seen[at][0]).values()) for at in (0, -1))
    for each in old.places.values():
        for path, content in render_files(each.config).items():
            (tmp_path / each.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each.folder / path).write_bytes(content)
    diff = render_diff(compare_sides(old, new), "text")
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        f"{each.folder}/{path}": content
        for each in new.places.values()
        for path, content in render_files(each.config).items()
    }


def test_between_accounts_the_id_matches_first_then_a_name_that_is_unique() -> None:
    staging = side(place("i", name="Same id"), place("s1", name="Desk", prompt="a"), place("t1", name="Twin"))
    production = side(
        place("i", name="Other name"),
        place("p1", name="Desk", prompt="b"),
        place("t2", name="Twin"),
        place("t3", name="Twin"),
        account="b",
    )
    comparison = compare_sides(staging, production)
    assert set(matched(comparison)) == {("i", "i"), ("s1", "p1"), ("t1", None), (None, "t2"), (None, "t3")}
    assert comparison.notes == ("'Twin' is the name of 1 and 2 assistants: not matched",)
    [desk] = [pair for pair in comparison.pairs if pair.name == "Desk"]
    assert desk.files == {"prompt.md": ("a", "b")}, "their ids differ and are no change"


def test_one_assistant_is_compared_with_another_or_with_itself_at_a_moment() -> None:
    one, other = place("1", prompt="a"), place("2", prompt="b")
    assert matched(compare_sides(side(one, is_one=True), side(other, is_one=True))) == [("1", "2")]
    now = place("1", prompt="c")
    assert matched(compare_sides(side(one, other), side(now, is_one=True))) == [("1", "1")]
    assert matched(compare_sides(side(one, other), side(one, other))) == []


def test_words_that_changed_are_marked_and_far_lines_left_out() -> None:
    old = "".join(f"line {number}\n" for number in range(9)) + "Say hello to all."
    new = old.replace("hello", "goodbye")
    assert list(word_parts(old, new)) == [
        (" ", "…\nline 7\nline 8\n"),
        (" ", "Say "),
        ("-", "hello"),
        ("+", "goodbye"),
        (" ", " to all."),
    ]


def test_each_form_keeps_hostile_text_in_its_place() -> None:
    hostile = "```\n<script>alert(1)</script>\n\x1b[2Jgone"
    comparison = compare_sides(side(place("1", name="<b>*x*")), side(place("1", name="<b>*x*", prompt=hostile)))
    page = render_diff(comparison, "html")
    assert "<script>" not in page
    assert "<b>" not in page
    assert "````diff\n" in render_diff(comparison, "md")
    assert "\\<b\\>\\*x\\*" in render_diff(comparison, "md")
    shown = render_diff(comparison, "text", has_colour=True)
    assert "\x1b[2J" not in shown
    assert "\\x1b[2Jgone" in shown
    assert json.loads(render_diff(comparison, "json"))["assistants"][0]["files"] == [
        {"path": "prompt.md", "old": None, "new": hostile}
    ]


@pytest.mark.slow
def test_the_command_takes_moments_snapshots_assistants_and_directories(
    synced_data: Path, tmp_path: Path, account: Account
) -> None:
    command = CommandLine(synced_data, tmp_path)
    ask = command.in_this_process
    one, other = account.live_ids()[:2]
    [snapshot_id] = [path.name for path in (synced_data / "snapshots").iterdir() if path.is_dir()]
    assert ask("diff", snapshot_id, "2999-01-01").output == ""
    assert ask("diff", str(synced_data), "2999-01-01").output == ""
    added = ask("diff", "1999-01-01", "2999-01-01", "--format", "json").json()
    assert [each["change"] for each in added["assistants"]] == ["new"] * 7
    between = ask("diff", one, other)
    assert between.exit_code == 0
    assert between.output.startswith("diff --git a/")
    assert "Nothing differs." in ask("diff", one, one, "--format", "md").output
    assert ask("diff", one, "20991231T000000000000Z").exit_code == 4
    assert ask("diff", one, "nobody").exit_code == 4
