"""Claims about docs/cookbook.md: its SQL runs, and each answer is what the configurations themselves give."""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[1] / "docs" / "cookbook.md"
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Version:
    """A version as main.assistant_versions has it; `ended_at` as its successor or the deletion tells."""

    assistant_id: str
    config: dict[str, Any]
    observed_at: datetime
    updated_at: datetime | None
    is_silent: bool
    ended_at: datetime | None

    @property
    def changed_at(self) -> datetime:
        return self.observed_at if self.is_silent or not self.updated_at else min(self.updated_at, self.observed_at)


@dataclass(frozen=True)
class Fleet:
    """A warehouse, and what its configurations say without any model."""

    connection: duckdb.DuckDBPyConnection
    versions: dict[str, list[Version]]
    live: dict[str, dict[str, Any]]
    voices: dict[str, dict[str, Any]]
    emails: dict[str | None, str | None]

    def answer(self, number: int) -> Rows:
        """What the page's query of that number gives."""
        sql = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)[number - 1]
        return self.connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The demo account after a few days of work."""
    folder = tmp_path_factory.mktemp("fleet")
    account = Account(assistants=60)
    with DemoApi(account) as api:
        settings = settings_for(folder, api.base_url)
        for step in range(4):
            run_sync(settings)
            account.evolve()
            ids = account.live_ids()
            account.edit(ids[step], prompt=f"Offer another appointment. {step}", voice_speed=0.9 + step / 10)
            account.edit(ids[step + 10], touch=False, model=f"model-{step}")
            account.edit(ids[step + 20], phone_number="+49 30 5550100")
        run_sync(settings)
    with duckdb.connect(str(settings.data_dir / "puretalk.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield read_fleet(connection)


def read_fleet(connection: duckdb.DuckDBPyConnection) -> Fleet:
    def rows(sql: str) -> list[dict[str, Any]]:
        found = connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    deleted = {row["assistant_id"]: row["deleted_at"] for row in rows("FROM main.assistants")}
    versions: dict[str, list[Version]] = defaultdict(list)
    following: dict[str, datetime | None] = dict(deleted)
    for row in rows("FROM main.assistant_versions ORDER BY observed_at DESC"):
        key = row["assistant_id"]
        version = Version(
            key, json.loads(row["config"]), row["observed_at"], row["updated_at"], row["is_silent"], following[key]
        )
        versions[key].insert(0, version)
        following[key] = row["previous_deleted_at"] or row["observed_at"]
    return Fleet(
        connection,
        versions,
        live={key: versions[key][-1].config for key, gone in deleted.items() if gone is None},
        voices={row["voice_id"]: row for row in rows("FROM main.voices")},
        emails={None: None, **{row["user_id"]: row["email"] for row in rows("FROM main.users")}},
    )


def states_of(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All states of a configuration, at any depth."""
    waiting = list(config.get("llm_states") or [])
    while waiting:
        state = waiting.pop()
        yield state
        waiting += state.get("children") or []


def own_tools_of(config: dict[str, Any]) -> list[Any]:
    """The tools in the API's string; none where it is not a JSON list."""
    try:
        tools = json.loads(config.get("tools") or "[]")
    except ValueError:
        return []
    return tools if isinstance(tools, list) else [tools]


def prompts_of(config: dict[str, Any]) -> list[str]:
    """The texts of all prompts, as a key that changes when one of them does."""
    return sorted(json.dumps(each.get("prompt")) for each in (config, *states_of(config)))


def test_the_oldest_prompt_of_each_language(fleet: Fleet) -> None:
    found: dict[str | None, list[datetime]] = defaultdict(list)
    for key, config in fleet.live.items():
        changed_at, before = fleet.versions[key][0].changed_at, prompts_of(fleet.versions[key][0].config)
        for version in fleet.versions[key][1:]:
            if prompts_of(version.config) != before:
                changed_at, before = version.changed_at, prompts_of(version.config)
        voice = fleet.voices.get(config["voice_id"]) or {}
        found[voice.get("language")].append(changed_at)
    expected = sorted((min(moments), language, len(moments)) for language, moments in found.items())
    assert fleet.answer(1) == [(language, count, moment) for moment, language, count in expected]


def test_the_hosts_that_tools_call(fleet: Fleet) -> None:
    uses: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for key, config in fleet.live.items():
        for tool in [
            *own_tools_of(config),
            *(tool for state in states_of(config) for tool in state.get("tools") or []),
        ]:
            for url in re.findall(r'"(https?://[^"]+)"', json.dumps(tool)):
                uses[urlsplit(url).hostname or ""].append((key, url.startswith("https://")))
    assert len(uses) > 2
    expected = [
        (host, len({key for key, _ in own}), len(own), all(safe for _, safe in own)) for host, own in uses.items()
    ]
    assert fleet.answer(2) == sorted(expected, key=lambda row: (-row[1], row[0]))


def test_phone_numbers_of_several_assistants(fleet: Fleet) -> None:
    named: dict[str, list[str]] = defaultdict(list)
    for config in fleet.live.values():
        if config.get("phone_number"):
            named[config["phone_number"]].append(config["name"])
    expected = [(number, sorted(names)) for number, names in sorted(named.items()) if len(names) > 1]
    assert expected
    assert fleet.answer(3) == expected


def test_the_areas_that_change(fleet: Fleet) -> None:
    """The areas of single settings; how items of lists are counted is the models' own matter, and tested there."""
    areas = {"model": "model", "phone_number": "phone", "name": "identity", "call_recording_enabled": "recording"}
    changes: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for key, versions in fleet.versions.items():
        for before, after in pairwise(versions):
            for name, area in areas.items():
                if before.config.get(name) != after.config.get(name):
                    changes[area].append((key, after.is_silent))
    expected = {
        area: (len({key for key, _ in own}), len(own), sum(silent for _, silent in own))
        for area, own in changes.items()
    }
    found = {area: tuple(counts) for area, *counts in fleet.answer(4) if area in {"model", "phone", "recording"}}
    assert expected["model"][2] > 0
    assert found == {area: counts for area, counts in expected.items() if area in {"model", "phone", "recording"}}


def test_who_records_calls(fleet: Fleet) -> None:
    total: Counter[str | None] = Counter()
    recorded: Counter[str | None] = Counter()
    for config in fleet.live.values():
        email = fleet.emails[config["user_id"]]
        total[email] += 1
        recorded[email] += config.get("call_recording_enabled") is True
    expected = [(email, count, recorded[email]) for email, count in total.items()]
    assert fleet.answer(5) == sorted(expected, key=lambda row: (-row[2], row[0] is None, row[0]))


def test_voices_of_several_owners(fleet: Fleet) -> None:
    owners: dict[str, list[str | None]] = defaultdict(list)
    for config in fleet.live.values():
        if config["voice_id"]:
            owners[config["voice_id"]].append(config["user_id"])
    expected = [
        (fleet.voices[voice]["name"], len({*own} - {None}), len(own))
        for voice, own in owners.items()
        if len({*own} - {None}) > 1
    ]
    assert expected
    assert fleet.answer(6) == sorted(expected, key=lambda row: (-row[1], row[0]))


@pytest.mark.parametrize("is_past", [True, False])
def test_the_models_of_a_day(fleet: Fleet, is_past: bool) -> None:
    moments = sorted(version.observed_at for versions in fleet.versions.values() for version in versions)
    moment = moments[len(moments) * 2 // 3] if is_past else datetime.fromisoformat("2099-01-01T00:00:00+00:00")
    sql = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)[6].replace("2099-01-01 00:00:00+00", str(moment))
    expected = Counter(
        version.config.get("model")
        for versions in fleet.versions.values()
        for version in versions
        if version.observed_at <= moment and (version.ended_at is None or version.ended_at > moment)
    )
    found = fleet.connection.execute(sql).fetchall()
    assert dict(found) == dict(expected)


def test_prompts_that_mention_a_word(fleet: Fleet) -> None:
    expected = []
    for key, config in fleet.live.items():
        if "appointment" in (config.get("prompt") or "").lower():
            expected.append((key, "prompt"))
        expected += [
            (key, f"state {state['state_id']}")
            for state in states_of(config)
            if "appointment" in (state.get("prompt") or "").lower()
        ]
    assert len({place for _, place in expected}) > 1
    assert fleet.answer(8) == sorted(expected)


def test_how_long_configurations_last(fleet: Fleet) -> None:
    days: dict[str | None, list[float]] = defaultdict(list)
    for versions in fleet.versions.values():
        for version in versions:
            if version.ended_at is not None:
                lasted = (version.ended_at - version.observed_at).total_seconds() / 86400
                days[fleet.emails[version.config["user_id"]]].append(lasted)
    expected = {email: (len(own), pytest.approx(statistics.median(own))) for email, own in days.items()}
    assert expected
    assert {email: (count, median) for email, count, median in fleet.answer(9)} == expected


def test_variables_that_others_of_the_owner_lack(fleet: Fleet) -> None:
    declared: dict[tuple[str, Any], set[str]] = defaultdict(set)
    fleets: Counter[str] = Counter()
    for key, config in fleet.live.items():
        if (email := fleet.emails[config["user_id"]]) is not None:
            fleets[email] += 1
            for item in config.get("variables") or []:
                name = item.get("name") if isinstance(item, dict) else item
                declared[email, name].add(key)
    expected = [
        (email, name, len(own), fleets[email]) for (email, name), own in declared.items() if len(own) < fleets[email]
    ]
    assert expected
    assert fleet.answer(10) == sorted(expected)


def test_the_page_has_ten_questions_and_each_has_a_test() -> None:
    text = PAGE.read_text()
    assert re.findall(r"^## (\d+)\. ", text, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert text.count("```sql") == 10
