"""Claims about the notice: each event arrives once or more under one id, over TLS or nowhere, and fails no sync."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from support.certificates import Authority
from support.commandline import PURETALK, CommandLine
from support.told import NASTY, SECRET, Told, tell

from puretalk.demo import Account, DemoApi
from puretalk.notices import begin_notices, delivery, send_notices
from puretalk.notices.bodies import MAX_BYTES, MAX_LINES, render_slack, render_teams
from puretalk.notices.cursor import cursor_path
from puretalk.operations.runlog import log_folder
from puretalk.readers.news import ChangedAssistant, Named, News
from puretalk.settings import NoticeSettings, Settings
from puretalk.warehouse.snapshots import SnapshotStore

pytestmark = pytest.mark.slow

KEY = "signed-with-this"


class Receiver:
    """A webhook on loopback. `status`: what it answers; `location`: where it points to; `hold`: it answers nothing
    until it is set, or, if it `drips`, a byte of a header now and then."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status = 200
        self.location: str | None = None
        self.hold: threading.Event | None = None
        self.drips = False
        self.asked = threading.Event()
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.got.append((dict(self.headers), body))
                receiver.asked.set()
                if receiver.hold is not None:
                    with contextlib.suppress(OSError):  # the sender has gone
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: " if receiver.drips else b"")
                        while not receiver.hold.wait(0.05):
                            self.wfile.write(b"x" if receiver.drips else b"")
                    return
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls is not None else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/hooks/T0-very-secret"

    @property
    def ids(self) -> list[str]:
        return [headers["X-Puretalk-Event"] for headers, _ in self.got]

    def facts(self, number: int = -1) -> dict[str, Any]:
        return json.loads(self.got[number][1])  # type: ignore[no-any-return]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(tmp_path_factory.mktemp("told"))


class Warehouse:
    """A copy of the told warehouse, published again sync by sync, with notices to a receiver."""

    def __init__(self, told: Told, folder: Path, receiver: Receiver, **notice: Any) -> None:
        self.told = told
        shutil.copytree(told.settings.data_dir, folder / "data", symlinks=True)
        chosen = NoticeSettings(**{"notify_url": receiver.url, "notify_secret": KEY, **notice})
        self.settings: Settings = replace(told.settings, data_dir=folder / "data", notice=chosen)
        self.publish(0)
        begin_notices(self.settings)

    def publish(self, sync: int) -> None:
        SnapshotStore(self.settings.data_dir).roll_back(self.told.snapshots[sync])

    def publish_and_send(self, sync: int) -> None:
        self.publish(sync)
        send_notices(self.settings)

    def log(self) -> list[str]:
        lines = [
            line for path in log_folder(self.settings.data_dir).glob("*") for line in path.read_text().splitlines()
        ]
        return [line["message"] for line in map(json.loads, lines) if line["event"] == "notice"]


@pytest.fixture
def warehouse(told: Told, tmp_path: Path, receiver: Receiver) -> Warehouse:
    return Warehouse(told, tmp_path, receiver)


def changed(facts: dict[str, Any]) -> set[str]:
    return {one["assistant_id"] for one in facts["changed"]}


def test_each_publish_with_news_is_one_signed_notice(warehouse: Warehouse, receiver: Receiver) -> None:
    ids = warehouse.told.ids
    warehouse.publish_and_send(1)
    warehouse.publish_and_send(1)
    warehouse.publish_and_send(2)
    assert [changed(receiver.facts(0)), changed(receiver.facts(1)) & {ids.silent, ids.nasty}] == [
        {ids.loud, ids.silent, ids.fixed},
        {ids.nasty},
    ]
    assert len(set(receiver.ids)) == 2
    for headers, body in receiver.got:
        signed = headers["X-Puretalk-Timestamp"].encode() + b"." + body
        expected = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["X-Puretalk-Signature"] == f"sha256={expected}"
        assert json.loads(body)["event_id"] == headers["X-Puretalk-Event"]
        assert SECRET.encode() not in body
    assert warehouse.log() == []


def test_without_a_secret_nothing_is_signed(told: Told, tmp_path: Path, receiver: Receiver) -> None:
    Warehouse(told, tmp_path, receiver, notify_secret="").publish_and_send(1)
    assert "X-Puretalk-Signature" not in receiver.got[0][0]


def test_prompts_are_sent_only_where_asked_for(told: Told, tmp_path: Path, receiver: Receiver) -> None:
    Warehouse(told, tmp_path, receiver, notify_texts=1).publish_and_send(1)
    assert SECRET.encode() in receiver.got[0][1]


def test_a_receiver_that_fails_gets_the_same_event_again_and_then_the_rest_as_one(
    warehouse: Warehouse, receiver: Receiver
) -> None:
    receiver.status = 500
    warehouse.publish_and_send(1)
    warehouse.publish_and_send(1)
    warehouse.publish_and_send(2)
    receiver.status = 204
    warehouse.publish_and_send(2)
    warehouse.publish_and_send(2)
    first, *others, last = receiver.ids
    assert others == [first] * 3
    assert last != first
    assert len({body for _, body in receiver.got[:2]}) == 1
    assert warehouse.log() == ["the notice did not arrive: HTTP status 500"] * 3


def test_a_run_that_died_before_its_notice_is_told_with_the_next(warehouse: Warehouse, receiver: Receiver) -> None:
    ids = warehouse.told.ids
    warehouse.publish(1)
    warehouse.publish_and_send(2)
    assert len(receiver.got) == 1
    assert changed(receiver.facts()) >= {ids.loud, ids.silent, ids.fixed, ids.nasty, ids.broken}


def test_after_a_rollback_nothing_is_sent_and_nothing_is_lost(warehouse: Warehouse, receiver: Receiver) -> None:
    receiver.status = 500
    warehouse.publish_and_send(2)
    warehouse.publish_and_send(1)
    receiver.status = 200
    warehouse.publish_and_send(2)
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1


def test_a_redirect_is_not_followed(warehouse: Warehouse, receiver: Receiver) -> None:
    with Receiver() as other:
        for status in (301, 302, 307, 308):
            receiver.status, receiver.location = status, other.url
            warehouse.publish_and_send(1)
        assert other.got == []
    assert warehouse.log() == [f"the notice did not arrive: HTTP status {status}" for status in (301, 302, 307, 308)]


@pytest.mark.parametrize("drips", [False, True])
def test_a_receiver_that_never_answers_takes_bounded_time(
    warehouse: Warehouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, drips: bool
) -> None:
    monkeypatch.setattr(delivery, "NOTICE_SECONDS", 0.3)
    receiver.hold, receiver.drips = threading.Event(), drips
    started = time.monotonic()
    warehouse.publish_and_send(1)
    assert time.monotonic() - started < 5
    [line] = warehouse.log()
    assert line in ("the notice did not arrive: no answer within 0.3 s", "the notice did not arrive: ReadTimeout")


def test_a_receiver_that_is_not_there_is_a_line_in_the_log(told: Told, tmp_path: Path, receiver: Receiver) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        warehouse = Warehouse(told, tmp_path, receiver, notify_url=url)
        warehouse.publish_and_send(1)
    assert warehouse.log() == ["the notice did not arrive: ConnectError"]


@pytest.mark.parametrize(
    "url", ["http://hooks.example/x", "file:///etc/hostname", "hooks.example", "https://", "x:/", "http://\n"]
)
def test_a_notice_goes_over_tls_or_nowhere(url: str) -> None:
    said = delivery.post_notice(url, KEY, "id", b"{}")
    assert said in ("notify_url must begin with https://", "InvalidURL")


def test_where_notices_stand_is_private(warehouse: Warehouse) -> None:
    before = os.umask(0)
    try:
        warehouse.publish_and_send(1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cursor_path(warehouse.settings.data_dir).stat().st_mode) == 0o600


def test_a_private_authority_vouches_for_the_receiver_where_it_is_named(told: Told, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Receiver(authority.server("here", "IP:127.0.0.1")) as receiver:
        warehouse = Warehouse(told, tmp_path, receiver)
        warehouse.publish_and_send(1)
        assert (receiver.got, warehouse.log()) == ([], ["the notice did not arrive: ConnectError"])
        for bundle in (tmp_path / "none.pem", authority.bundle):
            api = replace(warehouse.settings.api, ca_bundle=str(bundle))
            send_notices(replace(warehouse.settings, api=api))
        assert len(receiver.got) == 1
        assert warehouse.log()[1:] == [
            f"the notice did not arrive: ca_bundle is {tmp_path / 'none.pem'}, which is no file of certificates (PEM): "
            "FileNotFoundError"
        ]


def test_a_broken_cursor_or_format_is_said_and_sends_nothing(warehouse: Warehouse, receiver: Receiver) -> None:
    chosen = replace(warehouse.settings.notice, notify_format="pigeon")
    warehouse.publish(1)
    send_notices(replace(warehouse.settings, notice=chosen))
    cursor_path(warehouse.settings.data_dir).write_text("{")
    send_notices(warehouse.settings)
    assert receiver.got == []
    unknown, broken = warehouse.log()
    assert unknown == "the notice did not arrive: notify_format must be one of json, slack, teams"
    assert broken.endswith("notices.json cannot be read: remove it, and notices begin again from what is published")


def test_a_secret_that_is_no_text_is_a_line_in_the_log(told: Told, tmp_path: Path, receiver: Receiver) -> None:
    warehouse = Warehouse(told, tmp_path, receiver, notify_secret="\udcff")
    warehouse.publish_and_send(1)
    assert warehouse.log() == ["the notice did not arrive: UnicodeEncodeError"]


def test_an_error_that_nobody_foresaw_is_a_line_in_the_log_and_fails_no_sync(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish(1)
    with monkeypatch.context() as broken:
        broken.setattr("puretalk.notices.sending.read_newest", lambda _: 1 / 0)
        send_notices(warehouse.settings)
    assert warehouse.log() == ["the notice did not arrive: ZeroDivisionError"]


def many(count: int) -> News:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    each = (ChangedAssistant(Named(str(number), NASTY * 40), 1, False, {"prompt": 1}) for number in range(count))
    return News(moment, moment, changed=tuple(each))


def test_a_message_of_slack_has_no_markup_and_a_bounded_length() -> None:
    body = render_slack("e1", many(5000))
    assert body["mrkdwn"] is False
    assert not set("<>") & set(body["text"])
    assert body["text"].count("\n") <= MAX_LINES + 2
    assert len(body["text"].encode()) < MAX_BYTES + 1000
    assert "more lines: `puretalk changes` prints them all. Event e1" in body["text"]
    assert "more lines" not in render_slack("e1", many(2))["text"]


def test_a_message_of_teams_is_a_card_of_plain_text_runs() -> None:
    body = render_teams("e1", many(5000))
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    runs = [run for block in attachment["content"]["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert all(run["text"] for run in runs)
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 28_000


def test_a_sync_is_silent_and_succeeds_whatever_the_receiver_does_and_tells_no_secret(
    synced_data: Path, tmp_path: Path, account: Account, api: DemoApi, receiver: Receiver
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    receiver.status = 503
    account.edit(account.live_ids()[0], prompt="Another one.")
    ended = command("sync", PURETALK_NOTIFY_URL=receiver.url, PURETALK_NOTIFY_SECRET=KEY)
    assert (ended.exit_code, ended.output, ended.error) == (0, "", "")
    receiver.status = 200
    verbose = command("sync", "-v", PURETALK_NOTIFY_URL=receiver.url, PURETALK_NOTIFY_SECRET=KEY)
    assert verbose.exit_code == 0
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    logs = "".join(path.read_text() for path in log_folder(synced_data).glob("*"))
    assert "HTTP status 503" in logs
    for text in (logs, verbose.error, verbose.output, cursor_path(synced_data).read_text()):
        assert "T0-very-secret" not in text
        assert KEY not in text


def test_a_sync_that_is_killed_while_its_notice_is_under_way_sends_the_same_event_again(
    synced_data: Path, tmp_path: Path, account: Account, api: DemoApi, receiver: Receiver
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    receiver.hold = threading.Event()
    account.edit(account.live_ids()[0], prompt="Another one.")
    environment = command.environment(PURETALK_NOTIFY_URL=receiver.url)
    process = subprocess.Popen([PURETALK, "sync"], env=environment, cwd="/", stderr=subprocess.DEVNULL)
    assert receiver.asked.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    receiver.hold.set()
    receiver.hold = None
    account.edit(account.live_ids()[1], prompt="And another one.")
    assert command("sync", PURETALK_NOTIFY_URL=receiver.url).exit_code == 0
    first, again, rest = receiver.ids
    assert first == again != rest
    assert receiver.got[0][1] == receiver.got[1][1]
