"""How long the reporting layer takes on a large account: `python tests/bench_models.py [assistants] [versions each]`.

Not collected by pytest. Prints the seconds of each model, then of a second build with nothing changed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from warehouses import observe, open_warehouse

from puretalk.demo.account import Account
from puretalk.models import build_models

_SENTENCES = (
    "Speak slowly.",
    "Offer a call back within {{days}} days.",
    "Never quote prices.",
    "Thank the caller by name.",
)


def edit_something(account: Account, key: str, rng: random.Random) -> None:
    """One plausible edit: mostly the prompt, else a state, a switch or the variables."""
    record = account.record(key)
    fields: dict[str, Any] = {}
    lines = str(record.get("prompt") or "").split("\n")
    if rng.random() < 0.7:
        lines[rng.randrange(len(lines))] += f" {rng.choice(_SENTENCES)} {rng.randrange(1000)}"
        fields["prompt"] = "\n".join(lines)
    states = record.get("llm_states")
    if rng.random() < 0.3 and isinstance(states, list) and states and isinstance(states[0], dict):
        states[0]["prompt"] = f"{states[0].get('prompt')} {rng.choice(_SENTENCES)} {rng.randrange(1000)}"
        fields["llm_states"] = states
    if rng.random() < 0.2:
        fields["call_recording_enabled"] = not record.get("call_recording_enabled")
    if rng.random() < 0.1 or not fields:
        fields["variables"] = [*(record.get("variables") or []), {"name": f"extra_{rng.randrange(10**6)}", "value": ""}]
    account.edit(key, **fields)


def fill(path: Path, assistants: int, versions: int) -> None:
    """A warehouse of that many assistants, each edited between the syncs."""
    rng = random.Random(1)
    account = Account(seed=1, assistants=assistants)
    connection = open_warehouse(path)
    start = datetime(2026, 3, 1, 6, tzinfo=UTC)
    for number in range(versions):
        if number:
            for key in account.live_ids():
                edit_something(account, key, rng)
        observe(connection, start + timedelta(days=30 * number), account.records())
    connection.close()


def main() -> None:
    assistants = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    versions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(folder) / "bench.duckdb"
        if not path.exists():
            fill(path, assistants, versions)
        size = path.stat().st_size
        connection = duckdb.connect(path)
        for title in ("first build", "second build, nothing changed"):
            start = time.perf_counter()
            report = build_models(connection)
            built = time.perf_counter() - start
            connection.execute("CHECKPOINT")
            print(f"{title}: {built:.1f} s, checkpoint {time.perf_counter() - start - built:.1f} s")
            for step in sorted(report.models, key=lambda step: -step.seconds)[:40]:
                rows = "" if step.rows is None else step.rows
                print(f"  {step.seconds:7.3f} s  {rows:>9}  {step.name}  {step.outcome}")
        print(f"file: {size / 1e6:.0f} MB before, {path.stat().st_size / 1e6:.0f} MB after")


if __name__ == "__main__":
    main()
