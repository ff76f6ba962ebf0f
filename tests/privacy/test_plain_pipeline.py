"""Claims about a plain dlt pipeline under a policy: what it writes to disk, and what a later policy reaches."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.plain_runs import run_plainly
from support.private import EMAIL, TEXTS, make_account
from support.traces import find_traces

from puretalk.demo import DemoApi

pytestmark = pytest.mark.slow

SECRET = "correct horse battery staple"


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        return connection.execute(query).fetchall()


def test_a_plain_pipeline_writes_no_hidden_text(tmp_path: Path) -> None:
    policy = {f"privacy_{group}": "drop" for group in TEXTS}
    with DemoApi(make_account()) as api:
        for _ in range(2):
            run_plainly(api, tmp_path / "warehouse.duckdb", **policy, privacy_secret=SECRET)
    assert find_traces(tmp_path, {text for texts in TEXTS.values() for text in texts}) == []
    runs = rows(
        tmp_path / "warehouse.duckdb", "SELECT new, unchanged, versions FROM puretalk.sync_runs ORDER BY run_id"
    )
    assert runs == [(3, 0, 3), (0, 3, 0)]


def test_a_new_policy_reaches_current_rows_without_a_version(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    with DemoApi(make_account()) as api:
        run_plainly(api, database)
        run_plainly(api, database, privacy_prompts="drop", privacy_emails="hash", privacy_secret=SECRET)
        run_plainly(api, database, privacy_prompts="drop", privacy_emails="hash", privacy_secret=SECRET)
    runs = rows(database, "SELECT unchanged, versions, rows_loaded > 0 FROM puretalk.sync_runs ORDER BY run_id")
    assert runs[1:] == [(3, 0, True), (3, 0, False)]
    assert rows(database, "SELECT DISTINCT prompt FROM puretalk.assistants") == [(None,)]
    owners = "SELECT DISTINCT left(email, 6) FROM puretalk.users JOIN puretalk.assistants USING (user_id)"
    assert rows(database, owners) == [("email_",)]
    assert rows(database, f"SELECT count(*) FROM puretalk.users WHERE email = '{EMAIL}'") == [
        (1,)
    ]  # it stays: see docs
