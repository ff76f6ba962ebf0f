"""What a command tells DuckDB's allocator, and Python's search for cycles."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from puretalk.cli.lean_memory import ALLOCATOR, give_memory_back


def import_duckdb(**environment: str) -> str:
    """What DuckDB says when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", "import duckdb"], env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.parametrize("name", ALLOCATOR)
def test_duckdb_reads_the_variable_and_knows_each_option_in_it(name: str) -> None:
    assert "no_such_option" in import_duckdb(**{name: "no_such_option:1"})
    assert import_duckdb(**ALLOCATOR) == ""


def test_what_the_caller_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    [(name, ours)] = ALLOCATOR.items()
    monkeypatch.setenv(name, "narenas:1")
    give_memory_back()
    assert os.environ[name] == "narenas:1"
    monkeypatch.delenv(name)
    give_memory_back()
    assert os.environ[name] == ours


def test_a_command_looks_for_cycles_less_often_than_python_does_by_itself() -> None:
    script = """
import atexit, gc, sys
before = gc.get_threshold()[0]
atexit.register(lambda: print(gc.get_threshold()[0] > 20 * before))
from puretalk.cli import run

sys.argv = ["puretalk", "--version"]
run()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["True"]
