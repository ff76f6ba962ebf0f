"""Claims about `puretalk mcp` as a program: the SDK's own client starts it, asks it, and sees each new snapshot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.commandline import MEASURED, PURETALK
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.storm

#: The SDK is not a part of the base install: `make .venv/mcp-sdk/ready`.
SDK = Path(sys.prefix) / "mcp-sdk"


class Session:
    """A client of the SDK, and the server that it started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, *request: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        is_error, text = self.ask("tool", tool, arguments)
        assert not is_error, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def refuse(self, tool: str, **arguments: Any) -> str:
        is_error, text = self.ask("tool", tool, arguments)
        assert is_error, text
        return str(text)


@contextmanager
def open_session(data_dir: Path, home: Path, *options: str) -> Iterator[Session]:
    assert SDK.is_dir(), "the SDK is not there: run `make .venv/mcp-sdk/ready`"
    client = Path(__file__).parent / "sdk_client.py"
    command = [sys.executable, str(client), PURETALK, "mcp", "--data-dir", str(data_dir), *options]
    environment = MEASURED | {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(SDK)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=home
    ) as process:
        yield Session(process)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_session_reads_the_warehouse_and_each_new_snapshot(tmp_path: Path) -> None:
    account = Account(assistants=7)
    home = tmp_path / "home"
    home.mkdir()
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        first = run_sync(settings)
        with open_session(settings.data_dir, home, "--max-rows", "50", "--max-seconds", "2") as session:
            assert session.ask("tools") == dict.fromkeys(["findings", "changes", "show", "query"], True)
            count = {"sql": "SELECT count(*) AS n FROM assistants"}
            assert [session.call("query", **count)[name] for name in ("snapshot", "rows")] == [
                first.snapshot_id,
                [{"n": 7}],
            ]
            assert session.call("findings")["rows"]
            assert len(session.call("query", sql="FROM range(51)")["rows"]) == 50
            assert "longer than 2 seconds" in session.refuse(
                "query", sql="SELECT count(*) FROM range(1000000000000) AS a WHERE hash(a.range) = 1"
            )
            assert "disabled by configuration" in session.refuse("query", sql="FROM read_text('/etc/passwd')")
            assert "--texts" in session.refuse("show", assistant=account.live_ids()[0], with_texts=True)
            assert "did you mean" in session.refuse(
                "show", assistant=account.record(account.live_ids()[0])["name"][:-1]
            )
            assert "### rpt_config_findings" in session.ask("resource", "puretalk://data-dictionary")

            account.create(name="Newcomer")
            account.edit(account.live_ids()[0], prompt="A sentence that nobody else wrote.")
            second = run_sync(settings)
            assert [session.call("query", **count)[name] for name in ("snapshot", "rows")] == [
                second.snapshot_id,
                [{"n": 8}],
            ]
            changes = session.call("changes", since=first.snapshot_id)
            assert [one["name"] for one in changes["new"]] == ["Newcomer"]
            assert [one["areas"] for one in changes["changed"]] == [{"prompt": 1}]
            shown = session.call("show", assistant=account.live_ids()[0])
            assert shown["left_out"]["prompt"] == "text of 34 characters"
        with open_session(settings.data_dir, home, "--texts") as session:
            shown = session.call("show", assistant=account.live_ids()[0], with_texts=True)
            assert shown["config"]["prompt"] == "A sentence that nobody else wrote."
    assert list(home.iterdir()) == []
