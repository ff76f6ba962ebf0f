"""The published states and the engines that the tests of replicas share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.postgres import PostgresServer
from support.replicas import Select, State, publish_five_states


@pytest.fixture(scope="session")
def five_states(_empty_environment: None, tmp_path_factory: pytest.TempPathFactory) -> list[State]:
    """Five published states of one account, each in a data directory of its own."""
    return publish_five_states(tmp_path_factory.mktemp("five-states"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def in_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """The server without any dataset, configured as the destination ENGINE."""
    for dataset in ("puretalk", "puretalk_marts", "puretalk_incoming"):
        postgres.select(f"DROP SCHEMA IF EXISTS {dataset} CASCADE")
    monkeypatch.setenv("DESTINATION__ENGINE__DESTINATION_TYPE", "postgres")
    monkeypatch.setenv("DESTINATION__ENGINE__CREDENTIALS", postgres.url)
    return postgres


@pytest.fixture
def in_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Select:
    """A DuckDB file, configured as the destination ENGINE."""
    file = tmp_path / "replica.duckdb"
    monkeypatch.setenv("DESTINATION__ENGINE__DESTINATION_TYPE", "duckdb")
    monkeypatch.setenv("DESTINATION__ENGINE__CREDENTIALS", str(file))

    def select(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(file)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    return select
