"""The rooms of the package and their order: a room imports only rooms above it in this list, never one below."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import puretalk

PACKAGE = Path(puretalk.__file__).parent

#: From the ground up. What shares a line may not import each other.
ROOMS = [
    ("errors", "database", "demo", "release", "scrubbing", "terminal"),
    ("key_sources",),
    ("json_values", "listener", "schema", "settings"),
    ("api", "privacy"),
    ("endpoints",),
    ("catalogue",),
    ("warehouse",),
    ("models",),
    ("sync",),
    ("erasure",),
    ("readers",),
    ("renditions", "replication"),
    ("operations",),
    ("dashboard",),
    ("model_context", "notices"),
    ("cli",),
]

#: Libraries that only some rooms, or some files of a room, may import.
LIBRARIES = {
    "httpx": {"api/origin.py", "api/transport.py", "notices/delivery.py"},
    "tenacity": {"api/retries.py"},
    "dlt": {
        "sync/source.py",
        "sync/destination.py",
        "sync/dlt_settings.py",
        "replication/engine.py",
        "replication/lake.py",
    },
    "pyarrow": {"warehouse", "erasure/database.py", "replication", "sync/source.py", "dashboard", "readers/results.py"},
    "pandas": {"readers/connection.py", "readers/results.py"},
    "click": {"cli"},
    "mcp": {"model_context/server.py"},
    "rich": {"cli/progress.py"},
    "jinja2": {"dashboard", "models/dictionary.py"},
    "filelock": {"warehouse/lock.py"},
}


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(ROOMS) if room in rooms)


def room_of(path: Path, package: Path = PACKAGE) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in the file, under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_arrows_upwards(package: Path = PACKAGE) -> list[str]:
    """Imports that lead to a room above, or to another room on the same floor."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path, package)
        for name in () if room == "__init__" else imported_names(path):
            head, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if head == "puretalk" and other not in (room, "") and floor_of(other) >= floor_of(room):
                found.append(f"{path.relative_to(package)} imports {name}")
    return found


def test_a_room_imports_only_rooms_below_it() -> None:
    assert {room_of(path) for path in PACKAGE.rglob("*.py")} == {"__init__", *(room for row in ROOMS for room in row)}
    assert find_arrows_upwards() == []


@pytest.mark.parametrize("guard", ["", "if TYPE_CHECKING:\n    ", "def later() -> None:\n    "])
def test_a_planted_arrow_upwards_is_found(tmp_path: Path, guard: str) -> None:
    planted = tmp_path / "warehouse" / "lock.py"
    planted.parent.mkdir()
    planted.write_text(f"from typing import TYPE_CHECKING\n{guard}from puretalk.sync.run import run_sync\n")
    assert find_arrows_upwards(tmp_path) == ["warehouse/lock.py imports puretalk.sync.run.run_sync"]


def test_a_library_is_known_only_where_it_belongs() -> None:
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        for library in {name.partition(".")[0] for name in imported_names(path)} & LIBRARIES.keys():
            assert {place, room_of(path)} & LIBRARIES[library], f"{place} imports {library}"


def test_the_public_names_are_these() -> None:
    assert puretalk.__all__ == ["__version__", "connect", "fleet_as_of", "puretalk_source", "read", "table"]
    assert dir(puretalk) == sorted(puretalk.__all__)
    for name in puretalk.__all__:
        assert getattr(puretalk, name) is not None


def test_importing_puretalk_loads_nothing_heavy() -> None:
    heavy = ("dlt", "pandas", "httpx", "pyarrow", "duckdb")
    code = f"import sys, puretalk, puretalk.cli.commands; print(*(name for name in {heavy} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""
