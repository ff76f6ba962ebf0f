"""The fleet at a moment, against an independent replay of what the account answered."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.clients import python_with_duckdb
from support.history import Month
from support.storm import settings_for

import puretalk
from puretalk.demo import DemoApi
from puretalk.errors import UsageError
from puretalk.renditions.places import find_place, read_fleet
from puretalk.sync.run import run_sync
from puretalk.warehouse import work_file


def replay(month: Month, moment: Any) -> dict[str, Any]:
    """What the account had last answered by the moment."""
    known = [records for at, records in month.seen if at <= moment]
    return known[-1] if known else {}


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """What of a record is the assistant's own."""
    return {name: value for name, value in record.items() if name not in ("user", "voice", "updated_at")}


def own(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in ("user_id", "voice_id")}


def test_as_of_equals_a_replay_at_200_random_moments(month: Month) -> None:
    rng = random.Random(15)
    moments = [at + timedelta(microseconds=shift) for at, _ in month.seen for shift in (-1, 0, 1)]
    first, last = month.seen[0][0], month.seen[-1][0]
    moments += [first + (last - first) * rng.uniform(-0.1, 1.1) for _ in range(200)]
    with duckdb.connect(str(month.path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for moment in moments:
            rows = connection.execute(
                "SELECT assistant_id, config::VARCHAR, assistant_name, prompt, epoch_us(valid_to) "
                "FROM marts.fleet_as_of(?)",
                [moment],
            ).fetchall()
            expected = replay(month, moment)
            assert len(rows) == len(expected)
            found = {row[0]: own(json.loads(row[1])) for row in rows}
            assert found == {each: plain(record) for each, record in expected.items()}
            assert {row[0]: (row[2], row[3]) for row in rows} == {
                each: (record["name"], record["prompt"]) for each, record in expected.items()
            }
            fleet = read_fleet(connection, moment)
            assert {each: own(place.config) for each, place in fleet.items()} == found


def test_the_fleet_of_now_is_dim_assistants(month: Month) -> None:
    with duckdb.connect(str(month.path), read_only=True) as connection:
        columns = "assistant_id, assistant_name, owner_name, voice_name, voice_language, model, prompt_characters"
        now = connection.execute(f"SELECT {columns} FROM marts.fleet_as_of('2999-01-01') ORDER BY 1").fetchall()
        live = connection.execute(f"SELECT {columns} FROM marts.dim_assistants WHERE is_live ORDER BY 1").fetchall()
    assert now == live


def test_a_single_assistant_is_found_after_its_deletion_too(month: Month) -> None:
    gone = {each for _, records in month.seen for each in records} - month.seen[-1][1].keys()
    assert gone
    with duckdb.connect(str(month.path), read_only=True) as connection:
        for assistant_id in gone:
            place = find_place(connection, assistant_id)
            assert place.ended_at is not None
            last = [records[assistant_id] for _, records in month.seen if assistant_id in records][-1]
            assert own(place.config) == plain(last)


_OLD_CLIENT = """
import duckdb, sys
direct = duckdb.connect(sys.argv[1], read_only=True)
print(duckdb.__version__)
print(direct.execute("SELECT count(*) FROM marts.fleet_as_of(TIMESTAMP '2999-01-01')").fetchone()[0])
print(direct.execute("SELECT count(*) FROM puretalk.marts.fleet_as_of('1999-01-01')").fetchone()[0])
attached = duckdb.connect()
attached.execute(f"ATTACH '{sys.argv[1]}' AS pt (READ_ONLY)")
attached.execute("USE pt")
print(attached.execute("SELECT count(*) FROM pt.marts.fleet_as_of(DATE '2999-01-01')").fetchone()[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.4", "1.5", None])
def test_every_duckdb_from_1_4_on_expands_the_macro(synced_data: Path, version: str | None) -> None:
    command, environment = python_with_duckdb(version)
    ended = subprocess.run(
        [*command, "-c", _OLD_CLIENT, str(synced_data / "puretalk.duckdb")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found, *counts = ended.stdout.split()
    assert found.startswith(version or "2.")
    assert counts == ["7", "0", "7"]


def test_a_compacted_snapshot_and_a_later_sync_keep_the_macro(
    synced_data: Path, tmp_path: Path, api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_file, "_COMPACT_SIZE", 0)
    monkeypatch.setattr(work_file, "_COMPACT_SHARE", -1)
    run_sync(settings_for(tmp_path, api.base_url))
    assert len(puretalk.fleet_as_of("2999-01-01", data_dir=synced_data)) == 7


def test_the_macro_has_a_comment(synced_data: Path) -> None:
    found = puretalk.read(
        "SELECT comment FROM duckdb_functions() WHERE function_name = 'fleet_as_of'", data_dir=synced_data
    )
    assert found["comment"][0].startswith("The assistants that were live at a moment")


def test_python_asks_for_a_moment(synced_data: Path) -> None:
    assert len(puretalk.fleet_as_of("2999-01-01", data_dir=synced_data)) == 7
    assert puretalk.fleet_as_of("1999-01-01 10:00", data_dir=synced_data).empty
    with pytest.raises(UsageError, match="is no time"):
        puretalk.fleet_as_of("yesterday", data_dir=synced_data)
