"""A storm: an account that changes after every page it serves, and remembers what it served and who was gone when.

    account = Witness(seed=1, assistants=40)
    storm = Storm(account, seed=1)
    with DemoApi(account, page_cap=5, after_page=storm.strike): …

Times are of the wall clock, UTC, as the syncs write them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from puretalk.demo import Account
from puretalk.demo.account import Order
from puretalk.settings import ApiSettings, Settings

#: What an answer said about an assistant: its updated_at, and everything else of it that makes a version.
Look = tuple[datetime | None, str]

#: What can happen to an account.
KINDS = ("touch", "quiet", "create", "delete", "restore", "swap", "rename", "shared", "lists")
_WEIGHTS = (4, 3, 2, 2, 2, 3, 1, 1, 2)


@dataclass(frozen=True)
class Served:
    """One assistant in one answer. `is_page`: on a page of the list, else by its own address."""

    at: datetime
    assistant_id: str
    look: Look
    is_page: bool


class Witness(Account):
    """An account that remembers every answer it gave, and when each assistant was away."""

    def __init__(self, seed: int = 1, assistants: int = 40) -> None:
        self.served: list[Served] = []
        self.absences: dict[str, list[tuple[datetime, datetime | None]]] = {}
        super().__init__(seed, assistants)

    def page(self, order: Order = "created", start: int = 0, stop: int | None = None) -> tuple[int, list[Any]]:
        with self.lock:
            count, records = super().page(order, start, stop)
            at = datetime.now(UTC)
            self.served += [Served(at, record["assistant_id"], look_of(record), True) for record in records]
            return count, records

    def record(self, assistant_id: str) -> dict[str, Any]:
        with self.lock:
            record = super().record(assistant_id)
            self.served.append(Served(datetime.now(UTC), assistant_id, look_of(record), False))
            return record

    def records(self, order: Order = "created") -> list[Any]:
        """For the oracle. It does not count as an answer of the API."""
        return json.loads(json.dumps(super().page(order)[1]))  # type: ignore[no-any-return]

    def delete(self, assistant_id: str) -> None:
        with self.lock:
            super().delete(assistant_id)
            self.absences.setdefault(assistant_id, []).append((datetime.now(UTC), None))

    def restore(self, assistant_id: str, *, touch: bool = False) -> None:
        with self.lock:
            super().restore(assistant_id, touch=touch)
            self.absences[assistant_id][-1] = (self.absences[assistant_id][-1][0], datetime.now(UTC))

    def was_away(self, assistant_id: str, since: datetime, until: datetime) -> bool:
        """Whether the assistant was deleted at any moment between the two."""
        return any(
            gone <= until and (back is None or back >= since) for gone, back in self.absences.get(assistant_id, [])
        )


class Storm:
    """Seeded changes: `strike` is what DemoApi calls after each page. Keeps the account about as large as it was."""

    def __init__(self, account: Account, seed: int, *, force: float = 1.5) -> None:
        self.account = account
        self.force = force  # changes after a page, on average
        self.changes: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._random = random.Random(f"{seed}:storm")
        self._size = len(account.live_ids())

    def strike(self, _page: int = 0) -> None:
        """Some changes at once; none reaches the page that is on its way."""
        for _ in range(int(self.force + self._random.random())):
            self.change(*self._random.choices(KINDS, _WEIGHTS))

    def change(self, kind: str) -> None:
        """One change of a kind; does nothing when there is no assistant to change."""
        account, rng = self.account, self._random
        with account.lock:
            live, gone = account.live_ids(), account.deleted_ids()
            if kind == "delete" and len(live) < self._size * 0.8:
                kind = "create"
            if kind in ("create", "restore") and len(live) > self._size * 1.2:
                kind = "delete"
            if (kind == "restore" and not gone) or (kind not in ("create", "restore") and len(live) < 3):
                return
            self.changes[kind] += 1
            match kind:
                case "touch":
                    account.edit(rng.choice(live), prompt=f"Say {rng.random()}.", name=f"N{rng.randint(0, 999)}")
                case "quiet":
                    # Few greetings, so that a configuration also returns to an earlier state.
                    account.edit(rng.choice(live), touch=False, begin_message=rng.choice(["Hi.", "Hello.", None]))
                case "lists":
                    account.edit(rng.choice(live), touch=rng.random() < 0.7, **self._lists())
                case "create":
                    account.create()
                case "delete":
                    account.delete(rng.choice(live))
                case "restore":
                    account.restore(rng.choice(gone), touch=rng.random() < 0.3)
                case "swap":  # `count` stays as it is while the pages shift
                    account.delete(rng.choice(live))
                    account.create()
                case "rename":
                    account.rename_voice(rng.choice(account.voices)["voice_id"], f"Voice {rng.randint(0, 99)}")
                case "shared":
                    account.edit_user(rng.choice(account.users)["email"], name=f"User {rng.randint(0, 99)}")

    def _lists(self) -> dict[str, Any]:
        rng = self._random
        states = [
            {"state_id": f"s{number}", "prompt": f"P{rng.randint(0, 9)}", "children": [{"state_id": f"c{number}"}]}
            for number in range(rng.randint(0, 3))
        ]
        return {
            "variables": [{"name": f"v{number}", "value": rng.randint(0, 9)} for number in range(rng.randint(0, 3))],
            "voice_emotion": rng.sample(["calm", "warm", "dry"], rng.randint(0, 3)),
            "llm_states": states,
        }


def look_of(record: dict[str, Any]) -> Look:
    """What of an answer makes a version: all of it but the shared voice's and user's own fields."""
    rest = {name: value for name, value in record.items() if name not in ("user", "voice", "updated_at")}
    voice, user = record.get("voice"), record.get("user")
    rest["voice_id"] = voice.get("voice_id") if isinstance(voice, dict) else voice
    rest["has_user"] = isinstance(user, dict) and any(user.get(name) for name in ("email", "name", "dp"))
    updated_at = record.get("updated_at")
    moment = datetime.fromisoformat(updated_at) if isinstance(updated_at, str) else None
    return moment, json.dumps(rest, sort_keys=True)


def look_of_version(config: str, updated_at: datetime | None) -> Look:
    """The same of a stored version."""
    rest = json.loads(config)
    rest["has_user"] = rest.pop("user_id") is not None
    return updated_at, json.dumps(rest, sort_keys=True)


def settings_for(folder: Path, base_url: str, **options: Any) -> Settings:
    """Settings of a sync that fails fast; its warehouse is `folder`/data."""
    values: dict[str, Any] = {"api_key": "demo-key", "retry_budget": 2.0, "timeout": 5.0, "page_size": 5} | options
    return Settings(folder, folder / "data", ApiSettings(base_url=base_url, **values))


def select(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over what is published, times in UTC."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def skip_models(environment: pytest.MonkeyPatch) -> None:
    """Syncs in this process build no models: most of a small sync's time, and no part of what a storm tests."""
    environment.setattr("puretalk.models.build.build_models", lambda *_, **__: None)
