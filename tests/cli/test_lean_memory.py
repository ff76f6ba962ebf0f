"""DuckDB gives memory back soon: what a command tells its allocator."""

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
