"""Claims about the programs that readers use: what they stored of names holds after the next publish."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.publishing import count_rows
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.storm

#: An environment of its own: `make .venv/clients/ready`.
CLIENTS = Path(sys.prefix) / "clients"
#: Superset needs versions of its own: `make .venv/superset/ready`.
SUPERSET = Path(sys.prefix) / "superset"
PYTHON_CLIENTS = ("duckdb-engine", "duckdb-sqlalchemy", "ibis", "polars", "pandas", "adbc", "duckdb-cli")


class Client:
    """A running client; `ask` gives the snapshot's id, the rows of dim_assistants and its first column."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> list[object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer: list[object] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(assistants=12)


@pytest.fixture(scope="module")
def api(account: Account) -> Iterator[DemoApi]:
    with DemoApi(account) as api:
        yield api


def start(kind: str, database: Path) -> Client:
    if kind == "node":
        return Client("node", str(CLIENTS / "node" / "client.mjs"), str(database))
    if kind == "superset":
        folder = database.parents[1] / "superset"
        folder.mkdir()
        script = Path(__file__).parent / "clients" / "superset_client.py"
        return Client(str(SUPERSET / "bin" / "python"), "-W", "ignore", str(script), str(folder), str(database))
    return Client(
        str(CLIENTS / "bin" / "python"),
        *("-W", "ignore", str(Path(__file__).parent / "clients" / "client.py"), kind, str(database)),
    )


@pytest.mark.parametrize("kinds", [PYTHON_CLIENTS, ("node",), ("superset",)], ids=["python", "node", "superset"])
def test_stored_names_hold_in_every_client_across_publishes(
    tmp_path: Path, account: Account, api: DemoApi, kinds: tuple[str, ...]
) -> None:
    assert CLIENTS.is_dir(), "there are no clients in the environment: run `make .venv/clients/ready`"
    if "node" in kinds and not (CLIENTS / "node" / "node_modules").is_dir():
        pytest.skip("npm could not install the client for Node")
    if "superset" in kinds and sys.version_info[:2] != (3, 11):
        pytest.skip("Superset's environment is locked for Python 3.11")
    settings = settings_for(tmp_path, api.base_url)
    database = settings.data_dir / "puretalk.duckdb"
    run_sync(settings)
    with ExitStack() as stack:
        clients = {kind: start(kind, database) for kind in kinds}
        for client in clients.values():
            stack.callback(client.close)
        for _ in range(3):
            snapshot_id, assistants, _ = count_rows(database)
            expected = [snapshot_id, assistants, "assistant_id"]
            assert {kind: client.ask() for kind, client in clients.items()} == dict.fromkeys(clients, expected)
            account.create(name="One more")
            run_sync(settings)
    assert {kind: client.process.returncode for kind, client in clients.items()} == dict.fromkeys(clients, 0)
