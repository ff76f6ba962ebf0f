"""A warehouse in memory, and folders of small models for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support.models import write
from support.warehouses import insert_rows, open_warehouse


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse() as connection:
        yield connection


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with a view, two tables that build on it, and a check."""
    write(tmp_path / "staging/stg_users.sql", "select user_id, name from main.users")
    write(tmp_path / "marts/b.sql", "select user_id from marts.a")
    write(tmp_path / "marts/a.sql", "select user_id, name from staging.stg_users")
    write(tmp_path / "marts/voices.sql", "select voice_id from main.voices")
    return tmp_path


@pytest.fixture
def divided(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> Path:
    """A folder with an incremental model of ten assistants, `marts.a`."""
    write(tmp_path / "staging/stg_assistants.sql", "select assistant_id, name from main.assistants")
    write(tmp_path / "marts/a.sql", "select assistant_id, name from staging.stg_assistants")
    config = "{materialized: incremental, unique_key: assistant_id}"
    write(tmp_path / "marts/m.yml", f"models: [{{name: a, config: {config}}}]")
    insert_rows(warehouse, "assistants", [{"assistant_id": f"{number}", "name": "7"} for number in range(10)])
    return tmp_path
