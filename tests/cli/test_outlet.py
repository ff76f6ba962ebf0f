"""Claims about what a terminal gets to see of hostile names: every character that it would obey is escaped, on each
command and always on stderr; another program gets on stdout what there is."""

from __future__ import annotations

import ast
import logging
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commandline import CommandLine, Ended

import puretalk.cli
from puretalk.cli.outlet import LineFormatter
from puretalk.demo import Account, DemoApi
from puretalk.terminal import escape_line, escape_text

HOSTILE = (
    "Desk\x1b[2J\x1b]0;owned\x07\x1b]8;;https://evil.example\x1b\\link\x9b31m\x90q\u202egnp\u2066x\u200f\u2028"
    "\r\nState: readers get all\x08\x7f\ttail"
)
#: What a terminal must not get. Colours of `puretalk diff` and the progress bar are puretalk's own.
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)")
OWN = re.compile(r"\x1b\[(?:0|1|32|31;9|2|33|[0-9;]*)m|\x1b\[(?:2K|1A|\?25[lh])|\r")


@given(st.text(alphabet=st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_is_left_and_nothing_else_is_changed(text: str) -> None:
    shown = escape_line(text)
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") for c in shown)
    assert not any(unicodedata.bidirectional(c) in _TURNING for c in shown)
    assert escape_line(shown) == shown
    assert re.sub(r"\\.*", "", shown) == re.sub(r"\\.*", "", shown.replace("\\", "\\"))
    assert escape_text("\n".join(map(escape_line, text.split("\n")))) == "\n".join(map(escape_line, text.split("\n")))


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_each_character_that_a_terminal_obeys_is_escaped() -> None:
    codes = [*range(0x3000), *range(0xD800, 0xE000), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080)]
    obeyed = [
        chr(code)
        for code in codes
        if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp", "Cs")
        or unicodedata.bidirectional(chr(code)) in _TURNING
        or chr(code) in "\u200e\u200f\u061c\u200b\u2060\ufeff\xad\U000e0041"
    ]
    assert len(obeyed) > 2100
    assert [character for character in obeyed if not re.fullmatch(r"\\[\w]+", escape_line(character), re.ASCII)] == []
    assert {character for character in obeyed if escape_text(character) == character} == {"\n", "\t"}


def test_a_log_line_on_stderr_is_one_line_whatever_it_quotes() -> None:
    record = logging.LogRecord("puretalk.api", logging.INFO, __file__, 1, "retry of %s", (HOSTILE,), None)
    shown = LineFormatter("%(name)s: %(message)s").format(record)
    assert OBEYED.findall(shown) == []
    assert "\n" not in shown
    assert shown.startswith(r"puretalk.api: retry of Desk\x1b[2J")


@pytest.mark.parametrize("text", ["Zahnärzte & 東京 🏳️‍🌈 👩‍⚕️ می‌خواهم", "a\\nb", "tab"])
def test_words_of_all_languages_stay_as_they_are(text: str) -> None:
    assert escape_line(text) == escape_text(text) == text


def test_only_the_outlet_prints() -> None:
    """Whatever else in the command line printed, it would have to escape for itself."""
    folder = Path(puretalk.cli.__file__).parent
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.glob("*.py"))
        if path.name != "outlet.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and re.fullmatch(
            r"(click\.)?(echo|secho|echo_via_pager|print)|sys\.std(out|err)(\.buffer)?\.(write|writelines)",
            ast.unparse(node.func),
        )
    ]
    assert found == []


@dataclass(frozen=True)
class Hostile:
    """A command line over a warehouse whose names, ids and field names are hostile, and what three runs printed."""

    command: CommandLine
    ids: list[str]
    first: Ended
    second: Ended
    check: Ended


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile")
    account = Account(assistants=4)
    ids = account.live_ids()
    account.put_raw(ids[0], account.record(ids[0]) | {"assistant_id": f"id-{HOSTILE}", "name": HOSTILE})
    for assistant_id in ids[1:3]:
        fields: dict[str, Any] = {"name": HOSTILE, "prompt": f"Say {HOSTILE}", f"field {HOSTILE}": HOSTILE}
        account.edit(assistant_id, **fields)
    with DemoApi(account) as api:
        command = CommandLine(folder / "data", folder, api)
        check = command.forked_on_a_terminal("check")
        first = command.forked_on_a_terminal("sync", "-v")
        account.edit(ids[1], prompt=f"Do not say {HOSTILE}", variables=[HOSTILE])
        account.edit(ids[2], touch=False, begin_message=HOSTILE, **{f"other {HOSTILE}": 1})
        second = command("sync", "-v")
    return Hostile(CommandLine(folder / "data", folder), ids, first, second, check)


def expect_harmless(shown: str, *, is_document: bool = False) -> None:
    assert OBEYED.findall(OWN.sub("", shown)) == []
    if not is_document:  # a line end in a name would begin a line in puretalk's own words
        assert "State: readers get all" not in [line[:22] for line in shown.splitlines()]


@pytest.mark.slow
def test_a_sync_and_a_check_of_a_hostile_account(hostile: Hostile) -> None:
    for ended in (hostile.check, hostile.first, hostile.second):
        assert ended.exit_code == 0, ended
        expect_harmless(ended.output)
        expect_harmless(ended.error)
    assert r"field Desk\x1b[2J" in hostile.check.output, "the field is named, escaped"
    assert r"field Desk\x1b[2J" in hostile.first.output, "as schema drift"
    assert r"other Desk\x1b[2J" in hostile.second.error, "stderr is escaped without a terminal too"


LINES = [
    ("query", "SELECT assistant_id, name, prompt FROM assistants"),
    ("query", "SELECT name, extra FROM assistants", "--format", "json"),
    ("query", "SELECT name FROM assistants", "--format", "jsonl"),
    ("query", "SELECT error(name) FROM assistants ORDER BY name DESC"),
    ("query", f'SELECT 1 AS "{HOSTILE}"'),
    ("tables",),
    ("explain", "ID"),
    ("explain", f"id-{HOSTILE}"),
    ("explain", HOSTILE),
    ("changes", "--since", "2020-01-01", "--texts"),
    ("changes", "--since", "2020-01-01", "--format", "json"),
    ("status",),
    ("rollback", HOSTILE),
    ("query", "SELECT 1", "--out", f"{HOSTILE.splitlines()[0]}.unknown"),
    (f"--{HOSTILE.splitlines()[0]}",),
    ("build", "--plan", "-v"),
]
#: Texts of several lines, and a table whose cells may have several.
DOCUMENTS = [
    ("query", "SELECT name FROM assistants", "--format", "csv"),
    ("query", "SELECT name FROM assistants", "--format", "md"),
    ("show", "ID"),
    ("show", "ID", "--file", "prompt.md"),
    ("diff", "2020-01-01", "2999-01-01"),
    ("diff", "2020-01-01", "2999-01-01", "--format", "md"),
    ("diff", "2020-01-01", "2999-01-01", "--format", "json"),
    ("changes", "--since", "2020-01-01", "--format", "md"),
    ("restore-plan", "ID", "--as-of", "2999-01-01"),
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [*LINES, *DOCUMENTS])
def test_no_command_lets_a_name_reach_the_terminal_as_it_is(hostile: Hostile, arguments: tuple[str, ...]) -> None:
    ended = hostile.command.forked_on_a_terminal(*(hostile.ids[1] if each == "ID" else each for each in arguments))
    assert ended.exit_code in (0, 2, 4, 8), ended.output
    assert "error in puretalk itself" not in ended.output
    expect_harmless(ended.output, is_document=arguments in DOCUMENTS)


@pytest.mark.slow
def test_another_program_gets_on_stdout_what_there_is(hostile: Hostile) -> None:
    rows = hostile.command("query", "SELECT DISTINCT name FROM assistants", "--format", "json").json()
    assert {"name": HOSTILE} in rows
    prompt = hostile.command("show", hostile.ids[1], "--file", "prompt.md").output
    assert f"Do not say {HOSTILE}".replace("\r\n", "\n") in prompt.replace("\r\n", "\n")


@pytest.mark.slow
def test_debug_shows_the_traceback_and_keeps_the_exit_code(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
    api.fail("503")
    unreachable = command("sync", "--debug", PURETALK_RETRY_BUDGET="0")
    wrong_key = command("sync", "--debug", PURETALK_API_KEY="pk-9F8e7D6c5B4a39281706")
    api.fail("wrong_shape")
    unknown = command("sync", "--debug", PURETALK_RETRY_BUDGET="0")
    nothing = command("snapshots", "--debug", PURETALK_WINDOW="0")
    assert [each.exit_code for each in (unreachable, wrong_key, unknown, nothing)] == [3, 4, 5, 4]
    for each in (unreachable, wrong_key, unknown, nothing):
        assert each.message[0] == "Traceback (most recent call last):"
        assert each.message[-1].endswith(f"(exit code {each.exit_code})")
    assert "pk-9F8e7" not in wrong_key.error
