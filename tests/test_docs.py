"""What the docs say is true: commands, settings, tables, exit codes, and the output that the README shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest
from support.commandline import PURETALK

from puretalk.catalogue import TABLES
from puretalk.cli.commands import main
from puretalk.errors import EXIT_CODES

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "docs").glob("*.md"))}
EVERYTHING = README + "".join(DOCS.values())


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_command_stands_in_the_docs(verb: str) -> None:
    assert re.search(rf"puretalk {verb}\b", EVERYTHING)


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_option_says_what_it_does(verb: str) -> None:
    for parameter in main.commands[verb].params:
        if isinstance(parameter, click.Option) and verb != "demo-api":
            assert parameter.help, f"{verb} {parameter.name}"


def test_every_exit_code_stands_in_the_help_of_sync_and_in_the_docs() -> None:
    shown = subprocess.run([PURETALK, "sync", "--help"], capture_output=True, text=True, check=True).stdout
    for code in EXIT_CODES:
        assert re.search(rf"^ +{code}  ", shown, re.MULTILINE), code
        assert re.search(rf"^\| {code} \|", DOCS["operations.md"], re.MULTILINE), code


def test_every_table_stands_in_the_data_dictionary() -> None:
    for table in TABLES.values():
        assert table.name in DOCS["data-dictionary.md"]


def test_links_between_the_docs_lead_somewhere() -> None:
    security = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    for name, text in {
        "README.md": README,
        "SECURITY.md": security,
        **{f"docs/{name}": text for name, text in DOCS.items()},
    }.items():
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (REPOSITORY / name).parent.joinpath(target).exists(), f"{name} → {target}"


def test_every_defence_in_the_threat_model_is_proved_by_a_test_that_exists() -> None:
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    attacks = [line for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    attacks = [line for line in attacks if not line.startswith(("| attack |", "| file |", "| `", "| the repository"))]
    assert len(attacks) > 15
    for line in attacks:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for path, name in named:
            assert f"def {name}(" in (REPOSITORY / path).read_text(encoding="utf-8"), f"{path}::{name}"


def test_no_doc_names_a_place_of_one_machine() -> None:
    for name, text in {"README.md": README, **DOCS}.items():
        assert not re.search(r"(?<![\w.])/(root|work|home/\w+|tmp)/", text), name


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```\n<!-- /demo -->", README, re.DOTALL)
    assert shown is not None
    command = [PURETALK, "demo", "--data-dir", str(tmp_path / "demo")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    printed = printed.replace(str(tmp_path / "demo"), "data/demo")
    assert _without_times(printed) == _without_times(shown[1])


def _without_times(text: str) -> str:
    return re.sub(r"in \d+\.\d s", "in … s", text)
