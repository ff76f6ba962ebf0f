"""Claims about what the command line says under a policy: neither messages nor logs quote what is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.commandline import CommandLine
from support.private import EMAIL, TEXTS, make_account
from support.traces import find_traces

from puretalk.demo import DemoApi

pytestmark = pytest.mark.slow

HIDDEN = sorted({text for texts in TEXTS.values() for text in texts})
POLICY: dict[str, Any] = {f"PURETALK_PRIVACY_{group.upper()}": "drop" for group in TEXTS}


class _Odd(BaseHTTPRequestHandler):
    """Answers what is no page, and begins with an address."""

    def do_GET(self) -> None:
        body = f'[{{"email": "{EMAIL}"}}]'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def odd_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("verb", ["sync", "check"])
def test_a_message_quotes_no_body_under_a_policy(tmp_path: Path, odd_url: str, verb: str) -> None:
    puretalk = CommandLine(tmp_path / "data", tmp_path)
    api: dict[str, Any] = {"PURETALK_BASE_URL": odd_url, "PURETALK_API_KEY": "demo-key"}
    open_, private = puretalk(verb, **api), puretalk(verb, **api, PURETALK_PRIVACY_EMAILS="hash")
    assert open_.exit_code == private.exit_code == 5
    assert EMAIL in open_.output + open_.error
    assert EMAIL not in private.output + private.error
    assert "a JSON list" in private.output + private.error
    for path in (tmp_path / "data").rglob("*.jsonl"):
        [_, line] = path.read_text().splitlines()
        assert EMAIL not in line


def test_the_command_line_shows_no_hidden_text(tmp_path: Path) -> None:
    with DemoApi(make_account()) as api:
        puretalk = CommandLine(tmp_path / "data", tmp_path, api, has_models=False)
        said = ""
        for command in (("check",), ("sync", "-v", "--timing"), ("sync", "--json"), ("status",)):
            ended = puretalk(*command, **POLICY)
            assert ended.exit_code == 0, ended.error
            said += ended.output + ended.error
    assert [text for text in HIDDEN if text.lower() in said.lower()] == []
    assert "privacy: emails: drop" in said
    assert "empty_prompt" in said
    assert find_traces(tmp_path, HIDDEN) == []


def test_what_is_no_treatment_is_refused(tmp_path: Path) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path)(
        "sync", PURETALK_PRIVACY_PROMPTS="hide", PURETALK_API_KEY="demo-api-0815"
    )
    assert ended.exit_code == 4
    assert "privacy_prompts is 'hide', not keep, hash, mask or drop" in ended.message[0]
