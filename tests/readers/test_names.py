"""Claims about names: each table has one, every DuckDB knows it, and what a client stored holds after a publish."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.clients import python_with_duckdb
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.models.dictionary import describe_warehouse
from puretalk.models.references import find_references
from puretalk.readers.connection import connect, table
from puretalk.sync.run import run_build, run_sync

pytestmark = pytest.mark.slow

CLIENT = Path(__file__).parents[1] / "support" / "naming_client.py"
#: How a reader may write it.
SPELLINGS = ("assistants", "main.assistants", "puretalk.assistants", '"puretalk"."main"."assistants"', "pt.assistants")
MARTS = ("marts.dim_assistants", "puretalk.marts.dim_assistants", 'pt."marts"."dim_assistants"')


@pytest.fixture(scope="module")
def documented() -> list[str]:
    """What the data dictionary lists, without what is not for readers."""
    hidden = ("intermediate", "_internal")
    return sorted(found.relation for found in describe_warehouse() if found.schema not in hidden)


def answer(client: subprocess.Popen[str], line: str = "") -> dict[str, Any]:
    assert client.stdin
    assert client.stdout
    if line:
        client.stdin.write(f"{line}\n")
        client.stdin.flush()
    said: dict[str, Any] = json.loads(client.stdout.readline())
    return said


@pytest.mark.parametrize("version", ["1.4", "1.5", None])
def test_stored_names_survive_a_publish_in_every_duckdb(
    synced_data: Path, account: Account, api: DemoApi, documented: list[str], tmp_path: Path, version: str | None
) -> None:
    published = synced_data / "puretalk.duckdb"
    command, environment = python_with_duckdb(version)
    command += [str(CLIENT), str(published), str(tmp_path / "own.duckdb")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as client:
        found = answer(client)
        assert found.pop("version").startswith(version or "2.")
        assert found == {
            "catalog": "puretalk",
            "shown": [name.removeprefix("main.") for name in documented if name.startswith("main.")],
            "listed": documented,
        }
        before = answer(client, "read")
        assert {before[name] for name in (*SPELLINGS, *MARTS, "puretalk.staging.stg_assistants")} == {7}
        account.create()
        outcome = run_sync(settings_for(tmp_path, api.base_url))
        after = answer(client, "read")
        assert client.stdin
        client.stdin.close()
    assert (after["snapshot"], after["the own view"]) == (outcome.snapshot_id, outcome.snapshot_id)
    assert before["the own view"] == before["snapshot"] < after["snapshot"]
    assert {after[name] for name in (*SPELLINGS, *MARTS, "puretalk.staging.stg_assistants")} == {8}
    rows = [value for name, value in (before | after).items() if name not in ("snapshot", "the own view")]
    assert [value for value in rows if not isinstance(value, int)] == []
    assert before.keys() == after.keys()
    assert len(rows) > 2 * len(documented)


def test_no_view_names_a_catalog_not_even_one_of_a_user_who_wrote_it(synced_data: Path) -> None:
    own = synced_data.parent / "own"
    own.mkdir()
    (own / "names.sql").write_text("select name from puretalk.main.assistants")
    (own / "names.yml").write_text("models: [{name: names, config: {materialized: view}}]")
    (own / "counted.sql").write_text("select count(*) as assistants from puretalk.assistants")
    run_build(replace(settings_for(synced_data.parent, "http://127.0.0.1:1"), models_dir=str(own)))
    with closing(connect(synced_data)) as connection:
        views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
        assert len(views) > 10
        selects = [sql.partition(" AS ")[2].rstrip(";") for (sql,) in views]
        assert {found.catalog for sql in selects for found in find_references(connection, sql)} == {""}
    with closing(duckdb.connect()) as connection:
        connection.execute(f"ATTACH '{synced_data / 'puretalk.duckdb'}' AS pt (READ_ONLY)")
        assert connection.execute("SELECT count(*) FROM pt.models.names").fetchall() == [(7,)]
        assert connection.execute("SELECT assistants FROM pt.models.counted").fetchall() == [(7,)]


def test_pandas_reads_a_table_by_each_of_its_names(synced_data: Path) -> None:
    names = ("assistants", "main.assistants", "puretalk.assistants", "puretalk.main.assistants")
    assert [len(table(name, data_dir=synced_data)) for name in names] == [7, 7, 7, 7]
    marts = ("dim_assistants", "marts.dim_assistants", "puretalk.marts.dim_assistants")
    assert [len(table(name, data_dir=synced_data)) for name in marts] == [7, 7, 7]
