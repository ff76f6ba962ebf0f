"""The way of the data, one direction only: who may know whom, and which library is known where."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import puretalk

PACKAGE = Path(puretalk.__file__).parent

#: Layers from the ground up; a module may import from its own layer's left, never from its right.
LAYERS: list[set[str]] = [
    {"errors", "records", "tables", "__init__"},
    {"increments"},
    {"settings", "retries", "references", "properties", "snapshots", "lock", "runlog"},
    {"client", "flatten"},
    {"walk"},
    {"reading"},
    {"batches", "destination"},
    {"source"},
    {"warehouse"},
    {"models", "checks", "dictionary"},
    {"sync"},
    {"reader", "probe", "explain", "output", "freshness", "metrics", "monitoring", "schedule", "progress", "dashboard"},
    {"demo"},
    {"showcase"},
    {"cli"},
]

#: Libraries that only some modules may know.
LIBRARIES = {
    "httpx": {"client"},
    "tenacity": {"retries"},
    "dlt": {"source"},
    "pyarrow": {"source", "dashboard"},
    "pandas": {"reader", "output"},
    "click": {"cli", "progress"},
    "rich": {"progress"},
    "jinja2": {"dashboard", "dictionary"},
    "filelock": {"lock"},
}


def modules() -> Iterator[tuple[str, Path]]:
    """(name of the layer's module, file) of every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in the file; those for type checkers only are not followed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "puretalk":
                yield from (f"puretalk.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def layer_of(module: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if module in layer)


def test_every_module_has_its_layer() -> None:
    assert {name for name, _ in modules()} == set().union(*LAYERS)


@pytest.mark.parametrize(("name", "path"), [pytest.param(n, p, id=str(p.relative_to(PACKAGE))) for n, p in modules()])
def test_a_module_knows_only_what_lies_before_it(name: str, path: Path) -> None:
    known = {module for layer in LAYERS[: layer_of(name) + 1] for module in layer}
    for imported in imports(path):
        head, _, rest = imported.partition(".")
        if head == "puretalk" and rest and rest.partition(".")[0] in {module for module, _ in modules()}:
            assert rest.partition(".")[0] in known, f"{name} imports {imported}"
        for library, allowed in LIBRARIES.items():
            assert head != library or name in allowed, f"{name} imports {library}"


def test_the_public_names_are_these() -> None:
    assert puretalk.__all__ == ["__version__", "connect", "puretalk_source", "read", "table"]
    for name in puretalk.__all__:
        assert getattr(puretalk, name) is not None


def test_importing_puretalk_loads_nothing_heavy() -> None:
    heavy = ("dlt", "pandas", "httpx", "pyarrow", "duckdb")
    code = f"import sys, puretalk, puretalk.cli; print(*(name for name in {heavy} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == ""
