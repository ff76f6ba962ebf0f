"""What `puretalk sync` does not import, although libraries that it uses would: each takes 0.05 CPU-seconds or more."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.commandline import CommandLine

from puretalk.demo import DemoApi

NEEDLESS = {"numpy", "pandas", "requests", "pyarrow._compute_docstrings", "rich", "pygments"}


@pytest.mark.slow
def test_a_sync_imports_no_library_that_it_does_not_need(tmp_path: Path, api: DemoApi) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path, api).as_installed(
        "sync",
        PYTHONPROFILEIMPORTTIME="1",  # tells on stderr of each import
    )
    said = [line for line in ended.message if not line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in ended.message if line.startswith("import time:")}
    assert (ended.exit_code, said) == (0, [])
    assert {"dlt", "pyarrow"} <= imported
    assert NEEDLESS & imported == set()


@pytest.mark.slow
def test_what_follows_a_sync_in_its_process_does_not_miss_them(tmp_path: Path, api: DemoApi) -> None:
    replica = tmp_path / "replica.duckdb"
    ended = CommandLine(tmp_path / "data", tmp_path, api).as_installed(
        "sync",
        "--dashboard",
        PURETALK_REPLICATE_TO="engine",
        DESTINATION__ENGINE__DESTINATION_TYPE="duckdb",
        DESTINATION__ENGINE__CREDENTIALS=str(replica),
    )
    assert (ended.exit_code, ended.message) == (0, [])
    assert (tmp_path / "data" / "dashboard.html").exists()
    with duckdb.connect(str(replica), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM puretalk.assistants").fetchall() == [(7,)]
