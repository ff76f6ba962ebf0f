"""An account with a month of changes: synced in one go, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.warehouses import observe, open_warehouse

from puretalk.demo import Account
from puretalk.models.build import build_models


@dataclass(frozen=True)
class Month:
    """A warehouse file, and what an account answered at each observation: (moment, id → record, ids found deleted)."""

    path: Path
    seen: list[tuple[datetime, dict[str, Any]]]


def live_through_a_month(path: Path, *, days: int = 30, assistants: int = 15, seed: int = 1) -> Month:
    """Observe an account once a day while it changes; each Friday an assistant that was deleted comes back."""
    account = Account(seed, assistants=assistants)
    start = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    seen = []
    with open_warehouse(path) as connection:
        before: set[str] = set()
        for day in range(days):
            moment = start + timedelta(days=day, microseconds=day * 1001)
            records = {record["assistant_id"]: record for record in account.records()}
            observe(connection, moment, list(records.values()), deleted=sorted(before - records.keys()))
            seen.append((moment, records))
            before = set(records)
            if day % 3 == 0:
                account.evolve()
            if day % 7 == 5 and account.deleted_ids():
                account.restore(account.deleted_ids()[0], touch=day % 2 == 0)
        build_models(connection)
    return Month(path, seen)
