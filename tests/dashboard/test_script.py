"""The modules of the page's script: how they are joined. What the script does, a browser shows in
test_dashboard_browser.py."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from puretalk.dashboard.script import read_script

SCRIPT = Path(__file__).parents[2] / "pipelines" / "puretalk" / "dashboard" / "script"


def test_every_module_is_in_the_page_and_is_short() -> None:
    joined = read_script()
    for file in SCRIPT.glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert text.partition("\n")[0] in joined, f"no module that main.js needs imports {file.name}"
        assert text.count("\n") < 350, f"{file.name} holds more than one idea"
    assert not re.search(r"^(import|export)\b", joined, re.M), "an import or export that joining does not know"


def test_what_a_module_imports_another_one_exports() -> None:
    for file in SCRIPT.glob("*.js"):
        for names, other in re.findall(r'(?m)^import \{ (.*) \} from "\./(\w+)\.js"', file.read_text(encoding="utf-8")):
            exporting = (SCRIPT / f"{other}.js").read_text(encoding="utf-8")
            exported = re.findall(r"^export (?:async )?(?:function|const|let|class) ([\w$]+)", exporting, re.M)
            assert set(names.split(", ")) <= set(exported), f"{file.name} imports from {other}.js"


def test_types_hold() -> None:
    """What the modules say of their types in JSDoc, the TypeScript compiler checks."""
    compiler = Path(sys.prefix) / "typescript" / "node_modules" / "typescript" / "bin" / "tsc"
    if not shutil.which("node") or not compiler.is_file():
        pytest.skip("there is no TypeScript compiler: it needs Node and npm (make .venv/typescript/ready)")
    project = Path(__file__).parent / "typescript"
    found = subprocess.run(["node", compiler, "--project", project], capture_output=True, text=True, timeout=120)
    assert found.stdout == ""
    assert found.returncode == 0
