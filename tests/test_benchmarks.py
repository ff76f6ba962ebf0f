"""`make bench` still works: every contestant ends with the account that the server serves, and the report says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product

import pytest
from benchmarks.sync.account_server import NEW_LINE, AccountServer, RenderedAccount, changed_count
from benchmarks.sync.processes import CommandFailedError, Cost, ServerProcess
from benchmarks.sync.report import MARKERS, describe, insert
from benchmarks.sync.rounds import (
    CONTESTANTS,
    PHASES,
    Contestant,
    Measurement,
    WalkMeasurement,
    WrongResultError,
    run_round,
    run_walks,
)

from puretalk.demo import Account

ASSISTANTS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(ASSISTANTS) as process:
        yield process


def run(server: ServerProcess, *contestants: Contestant) -> list[Measurement]:
    return list(run_round(server, ASSISTANTS, 0, contestants))


@pytest.mark.parametrize(
    "names",
    [
        ("floor",),
        pytest.param(("puretalk",), marks=pytest.mark.slow),
        pytest.param(("pandas script", "dlt rest_api", "import dlt"), marks=pytest.mark.storm),
    ],
)
def test_every_contestant_ends_with_the_account_in_every_phase(server: ServerProcess, names: tuple[str, ...]) -> None:
    measured = run(server, *(CONTESTANTS[name] for name in names))  # a round compares rows and changed rows
    assert [(each.phase, each.contestant) for each in measured] == list(product(PHASES, names))
    assert all(each.cost.wall > 0 and each.cost.cpu > 0 and each.cost.peak > 0 for each in measured)
    assert all(bool(each.steps) == (each.contestant == "puretalk") for each in measured)


def test_a_contestant_that_loses_a_row_or_fails_is_found(server: ServerProcess) -> None:
    query = f"CREATE TABLE assistants AS SELECT 'x' AS prompt FROM range({ASSISTANTS - 1})"
    script = f'import duckdb; duckdb.connect("lossy.duckdb").execute("{query}")'
    with pytest.raises(WrongResultError, match=r"lossy has \[19, 0\]"):
        run(server, Contestant("lossy", ("PYTHON", "-c", script), "lossy.duckdb"))
    with pytest.raises(CommandFailedError, match="exited with 3"):
        run(server, Contestant("failing", ("PYTHON", "-c", "raise SystemExit(3)")))


def test_the_walk_sees_the_account(server: ServerProcess) -> None:
    walks = run_walks(server, ASSISTANTS, latency=30)
    assert [walk.account for walk in walks] == ["new", "known"]
    for walk in walks:
        assert walk.pages == 1
        assert walk.bound == pytest.approx(0.03 / 8)
        assert walk.seconds > 0.03


def test_the_server_serves_the_account_and_its_changes() -> None:
    with AccountServer(RenderedAccount(200, seed=1)) as server:

        def ask(target: str, *, has_key: bool = True) -> tuple[int, object]:
            status, parts = server.answer(target, has_key)
            return status, json.loads(b"".join(parts))

        records = Account(1, 200).records()
        _, page = ask("/api/ai-assistants?page=2&limit=30")
        assert page == {
            "count": 200,
            "next": f"{server.base_url}/ai-assistants/?page=3&limit=30",
            "previous": f"{server.base_url}/ai-assistants/?page=1&limit=30",
            "results": records[30:60],
        }
        assert ask(f"/api/ai-assistants/{records[7]['assistant_id']}/")[1] == {
            "msg": "Assistant retrieved successfully.",
            "err": None,
            "results": records[7],
        }
        assert ask("/api/ai-assistants", has_key=False)[0] == 401
        assert ask("/api/ai-assistants?page=8&limit=30")[0] == 404
        assert ask("/set?phase=changed&latency=0")[0] == 200
        served = [json.loads(body) for body in server.account.bodies["changed"]]
    changed = [(old, new) for old, new in zip(records, served, strict=True) if old != new]
    assert len(changed) == changed_count(200) == 2
    for old, new in changed:
        assert new == old | {"prompt": f"{old['prompt']}\n{NEW_LINE}", "updated_at": new["updated_at"]}
        assert new["updated_at"] > max(record["updated_at"] for record in records)


def test_the_report_judges_the_medians_of_pairs() -> None:
    measured = [
        Measurement(10_000, 0, phase, name, Cost(wall, wall, peak), {"work: copy": 1.0, "models": 2.5} if steps else {})
        for phase in PHASES
        for name, wall, peak, steps in (
            ("puretalk", 4.0, 200, True), ("floor", 1.0, 100, False), ("import dlt", 2.0, 50, False),
            ("puretalk", 3.0, 300, True), ("floor", 1.0, 100, False), ("import dlt", 2.0, 50, False),
        )
    ]  # fmt: skip
    text = describe(measured, [WalkMeasurement(10_000, 30, "new", 100, 0.6, 1, 0.375)])
    assert "Medians of 2 runs" in text
    assert "| 10,000 | 0 ms | puretalk | 3.50 / 3.50 / 250 |" in text
    assert "full ÷ floor | 3.5 × | 3.5 × | ≤ 4 × | yes |" in text
    assert "full, without models, ÷ floor | 1 × |  | ≤ 2.5 × | yes |" in text
    assert "no change ÷ floor | 3.5 × | 3.5 × | ≤ 1.5 × | **no** |" in text
    assert "no change ÷ import dlt | 1.75 × | 1.75 × |  |  |" in text
    assert "most memory of all phases | 300 MB |  | ≤ 300 MB | yes |" in text
    assert "| full | 1.00 | 2.50 | 0.00 |" in text
    assert "| 10,000 | 30 ms | new | 100 | 0.60 | 1.00 | 0.38 | 1.6 × | ≤ 1.3 × | **no** |" in text


def test_the_tables_replace_only_what_is_between_the_markers() -> None:
    document = f"before\n{MARKERS[0]}\nold\n{MARKERS[1]}\nafter\n"
    assert insert("new", document) == f"before\n{MARKERS[0]}\nnew\n{MARKERS[1]}\nafter\n"
