"""Claims about what a run reports for monitoring: log, metrics, ping, freshness."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import duckdb
import pytest
from support.certificates import Authority

from puretalk.catalogue import TABLES
from puretalk.errors import EXIT_CODES, EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK, ConfigurationError
from puretalk.listener import Step
from puretalk.operations import reports as monitoring
from puretalk.operations.metrics import METRICS
from puretalk.operations.reports import report_failure, report_start, report_success
from puretalk.operations.runlog import append_event, log_folder
from puretalk.readers.freshness import check_freshness, parse_age
from puretalk.release import VERSION
from puretalk.schema import SQL_TYPES, STORAGE_SCHEMA
from puretalk.settings import ApiSettings, Settings
from puretalk.sync.run import SyncOutcome
from puretalk.sync.sync_run import SyncRun
from puretalk.sync.verdict import Exact, HeldBack, Incomplete, Verdict
from puretalk.warehouse.lock import hold_lock
from puretalk.warehouse.work_file import Warehouse, describe

KEY = "key-that-nobody-may-see"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(project_dir=tmp_path, data_dir=tmp_path / "data", api=ApiSettings(KEY))


def watched(settings: Settings, **changes: Any) -> Settings:
    """The settings, with these changes for monitoring."""
    return replace(settings, operations=replace(settings.operations, **changes))


class HealthChecks:
    """A health-check service on loopback. `asked`: what came, as (method, target, bytes of body, header text)."""

    def __init__(self, status: int = 200, location: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str, int, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer.asked.append((self.command, self.path, length, str(self.headers)))
                self.send_response(status)
                if location is not None:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}/ping/0f3c"

    @property
    def targets(self) -> list[str]:
        return [target for _, target, _, _ in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def health_checks() -> Iterator[HealthChecks]:
    with HealthChecks() as service:
        yield service


EXACT = SyncRun(
    run_id="20261122T115900Z-ab",
    started_at=NOON - timedelta(minutes=1),
    finished_at=NOON,
    pages=2,
    received=2,
    seen=2,
    api_count=2,
    new=2,
    changed=0,
    silent=0,
    unchanged=0,
    older=0,
    deleted=0,
    returned=0,
    held=0,
    rejected=0,
    rejected_new=0,
    set_aside=0,
    users_changed=0,
    voices_changed=0,
    versions=2,
    rows_loaded=5,
    retries=0,
    walks=1,
    is_complete=True,
    is_settled=True,
    settled_from=NOON - timedelta(seconds=50),
    settled_until=NOON - timedelta(seconds=1),
    is_exact=True,
    drift={"tone": 2},
)

ALL_WELL = Exact()


def a_run(**changes: Any) -> dict[str, Any]:
    """A row of sync_runs that went well."""
    return replace(EXACT, **changes).to_row()


def outcome_of(verdict: Verdict = ALL_WELL) -> SyncOutcome:
    run = replace(EXACT, is_exact=isinstance(verdict, Exact), held=len(verdict.held))
    snapshot = Path("snapshots/20261122T120000000000Z/puretalk.duckdb")
    return SyncOutcome(run, verdict, snapshot, {}, ("look here",), 1.25)


def publish(settings: Settings, *runs: dict[str, Any]) -> Path:
    """A published snapshot of two living assistants and a deleted one, with these runs."""
    settings.data_dir.mkdir(exist_ok=True)
    warehouse = Warehouse(settings.data_dir)
    assistants = [{"assistant_id": name, "deleted_at": NOON if name == "c" else None} for name in "abc"]
    with warehouse.open_work_file() as work:
        with work.connection.cursor() as connection:
            for table in TABLES.values():
                columns = ", ".join(f"{column.name} {SQL_TYPES[column.type]}" for column in table.columns)
                connection.execute(f"CREATE TABLE {STORAGE_SCHEMA}.{table.name} ({columns})")
            for name, rows in (("sync_runs", runs), ("assistants", assistants)):
                for row in rows:
                    values = ", ".join(f"${column}" for column in row)
                    connection.execute(f"INSERT INTO {STORAGE_SCHEMA}.{name} ({', '.join(row)}) VALUES ({values})", row)
            describe(connection)
        return warehouse.publish(work)


def log_lines(settings: Settings, event: str | None = None) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted(log_folder(settings.data_dir).glob("*.jsonl"))]
    lines = [json.loads(line) for text in texts for line in text.splitlines() if line]
    return [line for line in lines if event in (None, line["event"])]


def parse_metrics(text: str) -> dict[str, float]:
    """A strict little parser of Prometheus' text format: HELP, TYPE and one sample for each metric, in this order."""
    assert text.endswith("\n")
    lines = iter(text.splitlines())
    values: dict[str, float] = {}
    for line in lines:
        described = re.fullmatch(r"# HELP ([a-z_]+) \S.*", line)
        assert described, line
        name = described[1]
        assert next(lines) == f"# TYPE {name} gauge"
        sample = re.fullmatch(rf"{name} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", next(lines))
        assert sample
        assert name not in values
        values[name] = float(sample[1])
    return values


# --- the ping


def test_an_exact_run_pings_start_and_then_success(settings: Settings, health_checks: HealthChecks) -> None:
    settings = watched(settings, ping_url=health_checks.url)
    report_start(settings)
    report_success(settings, outcome_of())
    assert health_checks.targets == ["/ping/0f3c/start", "/ping/0f3c"]
    assert log_lines(settings, "ping") == []


@pytest.mark.parametrize(
    "verdict", [Incomplete(("a doubt",)), HeldBack(frozenset("abc"), 3)], ids=["incomplete", "held"]
)
def test_a_run_that_published_but_not_all_is_well_pings_a_failure(
    settings: Settings, health_checks: HealthChecks, verdict: Verdict
) -> None:
    report_success(watched(settings, ping_url=health_checks.url), outcome_of(verdict))
    assert health_checks.targets == ["/ping/0f3c/fail"]


def test_a_failed_run_pings_a_failure_and_tells_nothing_else(settings: Settings, health_checks: HealthChecks) -> None:
    settings = watched(settings, ping_url=health_checks.url)
    report_failure(settings, "RetryLaterError", "the API is away", 3, 2.0, "run-1")
    [(method, target, body_length, headers)] = health_checks.asked
    assert (method, target, body_length) == ("GET", "/ping/0f3c/fail", 0)
    assert KEY not in headers
    assert "the API is away" not in headers


def test_a_run_that_found_another_at_work_leaves_reporting_to_it(
    settings: Settings, health_checks: HealthChecks, tmp_path: Path
) -> None:
    settings = watched(settings, ping_url=health_checks.url, metrics_file=str(tmp_path / "puretalk.prom"))
    report_failure(settings, "WarehouseBusyError", "another run is at work", 7, 0.1, None)
    assert health_checks.asked == []
    assert not (tmp_path / "puretalk.prom").exists()
    assert [line["outcome"] for line in log_lines(settings, "run")] == ["busy"]


def test_a_query_in_the_ping_address_stays_behind_the_path(settings: Settings, health_checks: HealthChecks) -> None:
    report_start(watched(settings, ping_url=f"{health_checks.url}?create=1"))
    assert health_checks.targets == ["/ping/0f3c/start?create=1"]


@pytest.mark.parametrize(
    "url", ["http://ping.example/0f3c", "file:///etc/hostname", "ping.example", "https://[", "x:/"]
)
def test_a_ping_goes_over_tls_or_nowhere(settings: Settings, url: str) -> None:
    settings = watched(settings, ping_url=url)
    report_start(settings)
    [line] = log_lines(settings, "ping")
    assert line["message"] in (
        "the start ping did not arrive: ping_url must begin with https://",
        "the start ping did not arrive: ValueError",
    )


def test_a_ping_is_not_carried_to_where_a_redirect_points(settings: Settings, health_checks: HealthChecks) -> None:
    with HealthChecks(302, health_checks.url) as moved:
        settings = watched(settings, ping_url=moved.url)
        report_start(settings)
        assert moved.targets == ["/ping/0f3c/start"]
    assert health_checks.asked == []
    assert [line["message"] for line in log_lines(settings, "ping")] == [
        "the start ping did not arrive: HTTP status 302"
    ]


def test_a_private_authority_vouches_for_the_health_checks_where_it_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with HealthChecks(tls=authority.server("here", "IP:127.0.0.1")) as service:
        settings = watched(settings, ping_url=service.url)
        for bundle in ("", str(tmp_path / "none.pem"), str(authority.bundle)):
            report_start(replace(settings, api=replace(settings.api, ca_bundle=bundle)))
        assert service.targets == ["/ping/0f3c/start"]
    assert [line["message"] for line in log_lines(settings, "ping")] == [
        "the start ping did not arrive: SSLCertVerificationError",
        f"the start ping did not arrive: ca_bundle is {tmp_path / 'none.pem'}, which is no file of certificates (PEM): "
        "FileNotFoundError",
    ]


def test_a_ping_that_nobody_answers_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "PING_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = watched(settings, ping_url=f"http://127.0.0.1:{silent.getsockname()[1]}/0f3c")
        report_start(settings)
    [line] = log_lines(settings, "ping")
    assert line["message"] in {
        f"the start ping did not arrive: {why}" for why in ("no answer within 0.2 s", "TimeoutError")
    }
    assert "0f3c" not in json.dumps(line)


# --- the log


def test_a_run_is_one_line_of_the_log(settings: Settings) -> None:
    report_success(settings, outcome_of(), steps={Step.LOAD: 1.00049, Step.MODELS: 0.25})
    [line] = log_lines(settings)
    assert datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    assert line == {
        "event": "run",
        "version": VERSION,
        "run_id": "20261122T115900Z-ab",
        "command": "sync",
        "outcome": "published",
        "exit_code": EXIT_OK,
        "seconds": 1.25,
        "steps": {"load": 1.0, "models": 0.25},
        "snapshot": "20261122T120000000000Z",
        "counts": EXACT.counts(),
        "drift": {"tone": 2},
        "warnings": ["look here"],
        "message": "",
    }  # fmt: skip


def test_a_run_that_failed_is_one_line_too(settings: Settings) -> None:
    report_failure(settings, "CheckFailedError", "a check found rows", 6, 3.14159, None)
    [line] = log_lines(settings)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "run",
        "version": VERSION,
        "run_id": None,
        "command": "sync",
        "outcome": "failed",
        "exit_code": 6,
        "seconds": 3.142,
        "steps": {},
        "error": "CheckFailedError",
        "warnings": [],
        "message": "a check found rows",
    }


@pytest.mark.parametrize(
    ("verdict", "outcome", "exit_code"),
    [
        (Incomplete(("a doubt",)), "incomplete", EXIT_INCOMPLETE),
        (HeldBack(frozenset("abc"), 3), "held", EXIT_HELD),
    ],
)
def test_the_log_tells_what_kind_of_publication_it_was(
    settings: Settings, verdict: Verdict, outcome: str, exit_code: int
) -> None:
    report_success(settings, outcome_of(verdict))
    assert [(line["outcome"], line["exit_code"]) for line in log_lines(settings)] == [(outcome, exit_code)]


def test_neither_the_key_nor_the_ping_address_gets_into_the_log(settings: Settings) -> None:
    settings = watched(settings, ping_url="https://ping.example/0f3c")
    content = {"message": f"X-API-KEY: {KEY}", KEY: [{"deep": f"<{KEY}>"}], "url": settings.operations.ping_url}
    append_event(settings, "run", content)
    text = "".join(path.read_text() for path in log_folder(settings.data_dir).iterdir())
    assert KEY not in text
    assert "0f3c" not in text
    [line] = log_lines(settings)
    assert line["***"] == [{"deep": "<***>"}]


def test_the_log_is_private(settings: Settings) -> None:
    append_event(settings, "run", {})
    folder = log_folder(settings.data_dir)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


def test_logs_rotate_by_day_and_go_after_their_days(settings: Settings) -> None:
    settings = watched(settings, log_days=2)
    folder = log_folder(settings.data_dir)
    for day in range(5):
        append_event(settings, "run", {}, now=NOON + timedelta(days=day))
    (folder / "puretalk-2001-99-99.jsonl").touch()
    (folder / "notes.txt").touch()
    append_event(settings, "run", {}, now=NOON + timedelta(days=5))
    assert sorted(path.name for path in folder.iterdir()) == [
        "notes.txt",
        "puretalk-2001-99-99.jsonl",
        "puretalk-2026-11-25.jsonl",
        "puretalk-2026-11-26.jsonl",
        "puretalk-2026-11-27.jsonl",
    ]


def test_a_line_that_a_full_disk_cut_does_not_swallow_the_next(settings: Settings) -> None:
    folder = log_folder(settings.data_dir)
    folder.mkdir(parents=True)
    path = folder / f"puretalk-{NOON:%Y-%m-%d}.jsonl"
    path.write_text('{"time": "2026-11-22T11')
    append_event(settings, "run", {}, now=NOON)
    assert path.read_text().splitlines()[1:] == ['{"time": "2026-11-22T12:00:00.000000Z", "event": "run"}']


def test_lines_of_runs_at_the_same_time_do_not_mix(settings: Settings) -> None:
    def append(writer: int) -> None:
        for number in range(50):
            append_event(settings, "run", {"writer": writer, "number": number, "filler": "x" * 5000}, now=NOON)

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = sorted((line["writer"], line["number"]) for line in log_lines(settings))
    assert seen == [(writer, number) for writer in range(4) for number in range(50)]


def test_a_full_disk_or_a_forbidden_folder_does_not_make_a_run_fail(settings: Settings, tmp_path: Path) -> None:
    folder = log_folder(settings.data_dir)
    folder.mkdir(parents=True)
    (folder / f"puretalk-{datetime.now(UTC):%Y-%m-%d}.jsonl").symlink_to("/dev/full")
    report_success(settings, outcome_of())
    (tmp_path / "file").touch()
    report_success(replace(settings, data_dir=tmp_path / "file" / "data"), outcome_of())


# --- the metrics


def test_the_metrics_tell_how_the_run_and_the_data_are(settings: Settings, tmp_path: Path) -> None:
    settings = watched(settings, metrics_file="node/puretalk.prom")
    (tmp_path / "node").mkdir()
    run = a_run(changed=3, retries=4)
    publish(settings, run)
    before = datetime.now(UTC).timestamp()
    report_success(settings, outcome_of())
    path = tmp_path / "node" / "puretalk.prom"
    metrics = parse_metrics(path.read_text())
    assert before <= metrics.pop("puretalk_last_run_timestamp_seconds") <= datetime.now(UTC).timestamp()
    assert metrics == {
        "puretalk_last_exit_code": 0,
        "puretalk_last_run_duration_seconds": 1.25,
        "puretalk_last_success_timestamp_seconds": NOON.timestamp(),
        "puretalk_snapshot_timestamp_seconds": NOON.timestamp(),
        "puretalk_assistants": 2,
        "puretalk_rows_loaded": 5,
        "puretalk_new": 2,
        "puretalk_changed": 3,
        "puretalk_silent": 0,
        "puretalk_deleted": 0,
        "puretalk_held": 0,
        "puretalk_rejected": 0,
        "puretalk_retries": 4,
    }
    assert [entry.name for entry in path.parent.iterdir()] == ["puretalk.prom"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_failed_run_keeps_the_time_of_the_last_success(settings: Settings, tmp_path: Path) -> None:
    settings = watched(settings, metrics_file="puretalk.prom")
    later = a_run(run_id="20261122T125900Z-cd", finished_at=NOON + timedelta(hours=1), is_exact=False, held=7)
    publish(settings, a_run(), later)
    report_failure(settings, "RetryLaterError", "the API is away", 3, 2.5, None)
    metrics = parse_metrics((tmp_path / "puretalk.prom").read_text())
    del metrics["puretalk_last_run_timestamp_seconds"]
    assert {name: metrics[name] for name in list(metrics)[:6]} == {
        "puretalk_last_exit_code": 3,
        "puretalk_last_run_duration_seconds": 2.5,
        "puretalk_last_success_timestamp_seconds": NOON.timestamp(),
        "puretalk_snapshot_timestamp_seconds": (NOON + timedelta(hours=1)).timestamp(),
        "puretalk_assistants": 2,
        "puretalk_rows_loaded": 5,
    }
    assert metrics["puretalk_held"] == 7


def test_before_the_first_snapshot_the_metrics_speak_of_the_run_only(settings: Settings, tmp_path: Path) -> None:
    report_failure(watched(settings, metrics_file="puretalk.prom"), "KeyRejectedError", "no", 4, 0.5, None)
    assert list(parse_metrics((tmp_path / "puretalk.prom").read_text())) == [
        "puretalk_last_run_timestamp_seconds",
        "puretalk_last_exit_code",
        "puretalk_last_run_duration_seconds",
    ]


def test_a_metrics_file_that_cannot_be_written_is_noted_in_the_log(settings: Settings) -> None:
    settings = watched(settings, metrics_file="no/such/folder/puretalk.prom")
    report_success(settings, outcome_of())
    assert [line["message"] for line in log_lines(settings, "metrics")] == [
        "the metrics file cannot be written: No such file or directory"
    ]


# --- freshness


def test_a_snapshot_is_fresh_up_to_its_age_and_no_longer(settings: Settings) -> None:
    snapshot = publish(settings, a_run(), a_run(run_id="before", finished_at=NOON - timedelta(days=1)))
    fresh = check_freshness(settings, timedelta(hours=2), NOON + timedelta(hours=2))
    stale = check_freshness(settings, timedelta(hours=2), NOON + timedelta(hours=2, seconds=1))
    assert (fresh.is_fresh, fresh.age, fresh.finished_at) == (True, timedelta(hours=2), NOON)
    assert fresh.snapshot_id == snapshot.parent.name
    assert fresh.message == "the published data is 2 h old (2026-11-22 12:00:00 UTC), within the 2 h allowed"
    assert (stale.is_fresh, stale.age) == (False, timedelta(hours=2, seconds=1))
    assert stale.message == "the published data is 2 h 1 s old (2026-11-22 12:00:00 UTC), more than the 2 h allowed"


def test_a_missing_snapshot_is_not_fresh(settings: Settings) -> None:
    freshness = check_freshness(settings, timedelta(days=999))
    assert (freshness.is_fresh, freshness.age, freshness.snapshot_id, freshness.finished_at) == (
        False,
        None,
        None,
        None,
    )
    assert freshness.message == f"nothing has been published in {settings.data_dir} yet"


def test_a_snapshot_that_cannot_be_read_is_not_fresh(settings: Settings) -> None:
    settings.data_dir.mkdir()
    published = settings.data_dir / "puretalk.duckdb"
    published.symlink_to("snapshots/gone.duckdb")
    assert "points to a snapshot that is gone" in check_freshness(settings, timedelta(days=999)).message
    published.unlink()
    published.write_bytes(os.urandom(4096))
    broken = check_freshness(settings, timedelta(days=999))
    assert not broken.is_fresh
    assert broken.message.startswith("the published snapshot cannot be read: ")


def test_a_snapshot_without_a_sync_is_not_fresh(settings: Settings) -> None:
    publish(settings)
    freshness = check_freshness(settings, timedelta(days=999), NOON)
    assert (freshness.is_fresh, freshness.message) == (False, "the published snapshot holds no sync")


def test_a_snapshot_from_the_future_is_not_fresh(settings: Settings) -> None:
    publish(settings, a_run())
    assert check_freshness(settings, timedelta(hours=2), NOON - timedelta(minutes=5)).is_fresh
    ahead = check_freshness(settings, timedelta(hours=2), NOON - timedelta(minutes=6))
    assert not ahead.is_fresh
    assert "in the future: compare the clocks" in ahead.message


def test_an_overdue_run_keeps_the_snapshot_from_being_fresh(settings: Settings) -> None:
    publish(settings, a_run())
    with hold_lock(settings.data_dir, "sync"):
        deadline = timedelta(seconds=settings.operations.run_deadline)
        since = datetime.fromisoformat(json.loads((settings.data_dir / "sync.holder.json").read_text())["since"])
        in_time = check_freshness(settings, timedelta(days=9999), since + deadline)
        overdue = check_freshness(settings, timedelta(days=9999), since + deadline + timedelta(seconds=1))
    assert in_time.is_fresh
    assert not overdue.is_fresh
    assert overdue.message == (
        f"`puretalk sync` with process id {os.getpid()} has held the lock since {since:%Y-%m-%dT%H:%M:%SZ}, longer "
        "than run_deadline (21600 s) allows; no other run can publish before it ends"
    )


def test_the_note_of_a_run_that_died_is_not_a_run(settings: Settings) -> None:
    publish(settings, a_run())
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    note = {"pid": dead.pid, "command": "sync", "since": "2020-01-01T00:00:00Z"}
    (settings.data_dir / "sync.holder.json").write_text(json.dumps(note))
    assert check_freshness(settings, timedelta(days=9999), NOON).is_fresh


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        (" 1D2H3M4S ", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_ages_are_read(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2 hours", "-2h", "0m", "30m1h", "1.5h", "9" * 30 + "d", "9" * 9000 + "s"]
)
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an age"):
        parse_age(text)


# --- the docs

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def table_under(heading: str) -> dict[str, str]:
    """The first table after a heading of the docs, as its first column → its second."""
    lines = OPERATIONS.split(f" {heading}\n", 1)[1].split("\n#", 1)[0].splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row[1] for row in rows[2:]}


def test_the_docs_name_every_exit_code() -> None:
    assert table_under("Exit codes") == {str(code): text for code, text in EXIT_CODES.items()}


def test_the_docs_name_every_metric() -> None:
    assert table_under("Metrics") == METRICS


def test_the_query_in_the_docs_reads_the_log(settings: Settings) -> None:
    report_success(settings, outcome_of())
    report_failure(settings, "RetryLaterError", "the API is away", 3, 2.5, None)
    query = (
        OPERATIONS.split("```sql\n", 1)[1].split("```", 1)[0].replace("data/logs", str(log_folder(settings.data_dir)))
    )
    with duckdb.connect() as connection:
        rows = connection.execute(query).fetchall()
    assert [row[1:] for row in rows] == [("failed", 3, 2.5, "the API is away"), ("published", 0, 1.25, "")]
