"""Claims about what a sync costs, in counts: seconds are noisy. `make bench-quick` guards more of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from benchmarks.quick import ALLOWED, find_growth
from support.counting import count_sync

from puretalk.demo import Account, DemoApi

pytestmark = pytest.mark.slow


def contents(published: Path) -> dict[str, tuple[int, str]]:
    """Rows and a hash of the rows of every table, in all schemas."""
    with duckdb.connect(str(published), read_only=True) as connection:
        names = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return {
            f"{schema}.{name}": connection.execute(
                f'SELECT count(*), coalesce(CAST(sum(hash(t)) AS VARCHAR), \'\') FROM "{schema}"."{name}" AS t'
            ).fetchall()[0]
            for schema, name in names
        }


def test_a_quiet_sync_of_ten_thousand_parses_no_record_imports_no_dlt_and_writes_only_its_own_run(
    tmp_path: Path,
) -> None:
    account = Account(empty=True)
    for number in range(10_000):
        account.create(name=f"Assistant {number}", prompt=f"You answer call {number}.", llm_states=[], variables=[])
    with DemoApi(account, page_cap=1_000) as api:
        first = count_sync(api, tmp_path, page_size=1_000, has_models=False)
        before = contents(tmp_path / "puretalk.duckdb")
        second = count_sync(api, tmp_path, page_size=1_000, has_models=False)
    after = contents(tmp_path / "puretalk.duckdb")
    assert (first["JSON texts parsed"], first["records flattened"], first["dlt packages"]) == (10_000, 10_000, 1)
    quiet = ("JSON texts parsed", "JSON texts written", "records flattened", "records spooled", "rows written")
    assert {what: second[what] for what in (*quiet, "dlt packages")} == dict.fromkeys((*quiet, "dlt packages"), 0)
    assert second["heavy libraries imported"] == 0
    assert {name for name, found in after.items() if found != before.get(name)} == {
        "main.sync_runs",
        "main.snapshot_info",
    }
    assert after["main.sync_runs"][0] == before["main.sync_runs"][0] + 1


def test_the_guard_of_the_counts_tells_what_grew() -> None:
    counts = {phase: dict(allowed) for phase, allowed in ALLOWED.items()}
    assert find_growth(counts) == []
    counts["no change"]["JSON texts parsed"] = 240
    assert find_growth(counts) == ["no change: JSON texts parsed: 240, allowed are 0"]
