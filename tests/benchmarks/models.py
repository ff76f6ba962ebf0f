"""How long the reporting layer takes on a large account: `make bench-models ARGS="[assistants] [versions each]"`.

Not collected by pytest. Prints the seconds of each model from nothing, with nothing changed, with ten assistants
changed, and with a sixth of them. Processor seconds are what counts where other work keeps the machine busy.
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
from support.warehouses import observe, open_warehouse

from puretalk.demo.account import Account
from puretalk.models.build import build_models

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


def change(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """A new version of so many assistants, as a sync would leave it."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE edited AS
        SELECT assistant_id, config, observed_at + INTERVAL 1 HOUR AS now
        FROM main.assistant_versions
        QUALIFY row_number() OVER (PARTITION BY assistant_id ORDER BY observed_at DESC) = 1
        ORDER BY assistant_id
        LIMIT {count}
    """)
    connection.execute("""
        UPDATE main.assistants
        SET prompt = prompt || ' Speak slowly.', content_hash = md5(content_hash), updated_at = edited.now
        FROM edited
        WHERE assistants.assistant_id = edited.assistant_id
    """)
    connection.execute("""
        INSERT INTO main.assistant_versions BY NAME
        SELECT assistant_id, now AS observed_at, updated_at, content_hash, false AS is_silent,
            json_merge_patch(config, json_object('prompt', prompt)) AS config
        FROM edited
        INNER JOIN main.assistants USING (assistant_id)
    """)


def main() -> None:
    assistants = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    versions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(folder) / "bench.duckdb"
        if not path.exists():
            fill(path, assistants, versions)
        size = path.stat().st_size
        connection = duckdb.connect(path)
        for title, changed in (
            ("from nothing", 0),
            ("nothing changed", 0),
            ("ten assistants changed", 10),
            ("a sixth changed", assistants // 6),
        ):
            change(connection, changed)
            start, cpu = time.perf_counter(), time.process_time()
            report = build_models(connection)
            built, cpu = time.perf_counter() - start, time.process_time() - cpu
            connection.execute("CHECKPOINT")
            checks = sum(check.seconds for check in report.checks)
            print(f"{title}: {built:.1f} s, processor {cpu:.1f} s; of it {len(report.checks)} checks {checks:.1f} s")
            for step in sorted(report.models, key=lambda step: -step.seconds)[:12]:
                rows = "" if step.rows is None else step.rows
                print(f"  {step.seconds:7.3f} s  {rows:>9}  {step.name}  {step.outcome}")
        print(f"file: {size / 1e6:.0f} MB before, {path.stat().st_size / 1e6:.0f} MB after")


if __name__ == "__main__":
    main()
