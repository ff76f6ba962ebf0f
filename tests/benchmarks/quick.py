"""How much work a sync does, in counts: `make bench-quick`. It fails when a count is larger than what is allowed here.

Seconds are noisy and counts are not, so CI can guard them. A change that needs more work raises a number in ALLOWED in
the same commit, and says why.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from support.counting import count_sync

from puretalk.demo import Account, DemoApi

ASSISTANTS: Final = 240
CHANGED: Final = 3

#: Phase → what is counted → the most that is allowed.
ALLOWED: Final[dict[str, dict[str, int]]] = {
    "full": {
        "JSON texts parsed": 240,
        "JSON texts written": 3400,
        "records flattened": 240,
        "records spooled": 240,
        "rows written": 3100,
        "requests": 3,
        "DuckDB files opened": 3,
        "inputs of models hashed": 9,
        "models built": 57,
        "contracts compared": 57,
        "checks run": 22,
        "dlt packages": 1,
        "heavy libraries imported": 2,  # dlt and pyarrow, but neither numpy nor pandas
    },
    "no change": {
        "requests": 3,
        "DuckDB files opened": 2,
        "inputs of models hashed": 1,
        "checks run": 1,
    },
    "few changed": {
        "JSON texts parsed": 3,
        "JSON texts written": 60,
        "records flattened": 3,
        "records spooled": 3,
        "rows written": 65,
        "requests": 3,
        "DuckDB files opened": 2,
        "inputs of models hashed": 7,
        "models built": 43,
        "checks run": 22,
        "dlt packages": 1,
        "heavy libraries imported": 2,  # dlt and pyarrow, but neither numpy nor pandas
    },
}


def measure() -> dict[str, dict[str, int]]:
    """The counts of a full load, of a sync without changes, and of one with a few changed assistants."""
    account = Account(assistants=ASSISTANTS)
    with DemoApi(account) as api, tempfile.TemporaryDirectory() as folder:
        counts = {"full": count_sync(api, Path(folder)), "no change": count_sync(api, Path(folder))}
        for assistant_id in account.live_ids()[:CHANGED]:
            account.edit(assistant_id, prompt="Say yes.")
        counts["few changed"] = count_sync(api, Path(folder))
    return counts


def find_growth(counts: dict[str, dict[str, int]]) -> list[str]:
    """What is larger than allowed, in words."""
    return [
        f"{phase}: {what}: {count}, allowed are {ALLOWED[phase].get(what, 0)}"
        for phase, found in counts.items()
        for what, count in found.items()
        if count > ALLOWED[phase].get(what, 0)
    ]


def main() -> None:
    counts = measure()
    print(f"{'':24}" + "".join(f"{phase:>14}" for phase in counts))
    for name in counts["full"]:
        print(f"{name:24}" + "".join(f"{counts[phase][name]:>14}" for phase in counts))
    growth = find_growth(counts)
    if growth:
        sys.exit("more work than allowed:\n" + "\n".join(growth))


if __name__ == "__main__":
    main()
