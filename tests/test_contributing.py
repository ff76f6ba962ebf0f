"""CONTRIBUTING.md and docs/architecture.md name only what exists, and describe every room."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_architecture import ROOMS

from puretalk.cli.commands import main

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "pipelines" / "puretalk"
GUIDES = ["CONTRIBUTING.md", "docs/architecture.md"]
#: Parts of a path for which the reader of a recipe chooses a name.
CHOSEN = ("NAME", "CASE")


def code_in(guide: str) -> list[str]:
    """What a guide shows as code: spans, and the lines of blocks (of the drawing too)."""
    text = (REPOSITORY / guide).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```\w*\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", prose)]
    return [*spans, *(line for block in blocks for line in block.splitlines())]


def named_paths(guide: str) -> Iterator[str]:
    """Files (with a suffix) and folders (with a final slash); `file::test` for a test."""
    for code in code_in(guide):
        for word in re.split(r"[\s\"'=,(){}]+", code):
            if re.fullmatch(r"\.?\w[\w./-]*(/|\.(py|sql|yml|toml|md)(::\w+)?)", word) and "://" not in word:
                yield word


def exists(name: str) -> bool:
    """Whether the path exists, in the repository or in the package; of a chosen name, the folder that will hold it."""
    path, _, test = name.partition("::")
    parts = Path(path).parts
    known = next((place for place, part in enumerate(parts) if part.startswith(CHOSEN)), len(parts))
    for folder in (REPOSITORY, PACKAGE):
        place = folder.joinpath(*parts[:known])
        if known and (place.is_dir() if known < len(parts) or path.endswith("/") else place.is_file()):
            return not test or test.endswith(CHOSEN) or f"def {test}(" in place.read_text(encoding="utf-8")
    return False


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_folder_and_test_that_is_named_exists(guide: str) -> None:
    names = set(named_paths(guide))
    assert len(names) > 20, "the guide names files, and this test finds them"
    assert sorted(name for name in names if not exists(name)) == []


@pytest.mark.parametrize(
    "name", ["sync/reading.py", "nowhere/NAME.sql", "tests/test_docs.py::test_that_is_gone", "rooms/"]
)
def test_a_path_that_is_gone_is_found(name: str) -> None:
    assert not exists(name)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_name_of_the_code_that_is_named_exists(guide: str) -> None:
    files = [path for folder in ("pipelines", "sql", "tests") for path in (REPOSITORY / folder).rglob("*.*")]
    source = "\n".join(path.read_text("utf-8") for path in files if path.suffix in (".py", ".sql", ".yml"))
    words = set(re.findall(r"\w+", source.replace(Path(__file__).read_text(encoding="utf-8"), "")))
    names = {code for code in code_in(guide) if re.fullmatch(r"\w+_\w+|_\w+|[A-Z]\w+", code) and "NAME" not in code}
    assert sorted(names - words) == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_make_target_that_is_named_exists(guide: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    targets |= {f"bench-{path.stem}" for path in (REPOSITORY / "tests" / "benchmarks").glob("*.py")}
    assert {target for code in code_in(guide) for target in re.findall(r"\bmake ([a-z-]+)", code)} <= targets


@pytest.mark.parametrize("guide", [*GUIDES, "docs/upgrading.md"])
def test_every_command_that_is_named_exists(guide: str) -> None:
    named = {verb for code in code_in(guide) for verb in re.findall(r"(?:^|/)puretalk ([a-z][\w-]*)(?!\S*:)", code)}
    assert named, "the guide names commands, and this test finds them"
    assert sorted(named - main.commands.keys()) == []


def test_every_make_target_for_people_is_explained() -> None:
    explained = " ".join(code_in("CONTRIBUTING.md"))
    for target in ("setup", "quick", "test", "storm", "check", "format", "coverage", "lock"):
        assert re.search(rf"make {target}\b", explained), target


def test_the_architecture_describes_every_room_in_its_order() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("\n## The rooms\n")[2].partition("\n## ")[0]
    described = re.findall(r"^\| `(\w+)/?` \|", section, re.MULTILINE)
    floors = [set(row) for row in reversed(ROOMS)]
    for floor in floors:
        assert set(described[: len(floor)]) == floor
        del described[: len(floor)]
    assert described == []


def test_links_of_the_contributing_guide_lead_somewhere() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (REPOSITORY / target).exists(), target
