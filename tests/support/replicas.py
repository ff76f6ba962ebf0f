"""What every replica is held against: five published states of one account, and the equality of every value.

    def test_…(five_states: list[State], …) -> None:       # the fixture is in tests/replication/conftest.py
        follow(five_states, read, lambda settings: replicate(settings, "engine"))

`read` returns the rows that the replica has of a relation, with the columns in the relation's order: times with a zone,
JSON as text or as values. For an engine that speaks SQL it is `reading(select)`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.replication.replica import Replication
from puretalk.replication.snapshot import Relation, list_relations, open_snapshot
from puretalk.settings import Settings
from puretalk.sync.run import run_sync

Rows = list[tuple[Any, ...]]
Select = Callable[[str], Rows]
Read = Callable[[Relation], Rows]


@dataclass(frozen=True)
class State:
    """What one sync published, in a data directory of its own. `change`: what had happened to the account before."""

    change: str
    settings: Settings
    snapshot: Path


def publish_five_states(folder: Path) -> list[State]:
    """Sync an account five times, while it changes, loses an assistant and gets it back."""
    account = Account(assistants=7)
    first = account.live_ids()[0]
    text = 'two\nlines, a "quote", a \\ and 100 %'
    changes: dict[str, Callable[[], object]] = {
        "new": lambda: None,
        "edited": lambda: account.edit(first, prompt="", begin_message=text, variables=[]),
        "deleted": lambda: account.delete(first),
        "evolved": lambda: account.evolve(),
        "returned": lambda: account.restore(first),
    }
    states = []
    with DemoApi(account) as api:
        settings = settings_for(folder / "synced", api.base_url)
        for change, make in changes.items():
            make()
            run_sync(settings)
            data = shutil.copytree(settings.data_dir, folder / change / "data", symlinks=True)
            states.append(State(change, Settings(data.parent, data), (data / "puretalk.duckdb").resolve()))
    return states


def follow(states: list[State], read: Read, bring: Callable[[Settings], Replication]) -> None:
    """Bring a replica to each state by turns: it then equals it in every value, and nothing is left to send."""
    for state in states:
        assert bring(state.settings).rows > 0, state.change
        assert expect_equal(read, state.snapshot) > 100
        again = bring(state.settings)
        assert (again.tables, again.rows) == (0, 0), state.change


def expect_equal(read: Read, snapshot: Path) -> int:
    """Compare every value of every table; returns the number of rows."""
    total = 0
    with open_snapshot(snapshot) as connection:
        for relation in list_relations(connection):
            names = ", ".join(f'"{column.name}"' for column in relation.columns)
            wanted = connection.execute(f"SELECT {names} FROM {relation.source}").fetchall()
            assert comparable(read(relation), relation) == comparable(wanted, relation), relation.full_name
            total += len(wanted)
    return total


def reading(select: Select) -> Read:
    """`read` of an engine that speaks SQL."""

    def read(relation: Relation) -> Rows:
        columns = (
            f'CAST("{column.name}" AS TEXT)' if column.type == "json" else f'"{column.name}"'
            for column in relation.columns
        )
        return select(f"SELECT {', '.join(columns)} FROM {relation.full_name}")

    return read


def comparable(rows: Rows, relation: Relation) -> list[str]:
    """The rows as text in one order: JSON by its meaning, times in UTC."""

    def plain(value: Any, kind: str) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return json.dumps(json.loads(value), sort_keys=True) if kind == "json" and isinstance(value, str) else value

    kinds = [column.type for column in relation.columns]
    return sorted(repr([plain(value, kind) for value, kind in zip(row, kinds, strict=True)]) for row in rows)
