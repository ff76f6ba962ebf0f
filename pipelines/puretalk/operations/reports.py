"""What a run tells those who watch over it: the log file, the metrics file, the ping of a health-check service.

None of it can make a run fail, and none of it sees data: the ping is a bare GET of the configured address, of
`…/start` when a run starts and of `…/fail` when it was not all well.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from puretalk import __version__
from puretalk.errors import EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK, WarehouseBusyError
from puretalk.operations.metrics import write_metrics
from puretalk.operations.runlog import append_event
from puretalk.settings import Settings

if TYPE_CHECKING:
    from puretalk.sync.run import SyncOutcome

#: Seconds that a ping may take, all in all.
PING_SECONDS = 5.0

_OUTCOMES = {EXIT_OK: "published", EXIT_INCOMPLETE: "incomplete", EXIT_HELD: "held"}
_MESSAGES = {EXIT_INCOMPLETE: "published, but not completely read", EXIT_HELD: "published, but deletions are held back"}


def report_start(settings: Settings) -> None:
    """A run starts. Never raises."""
    _ping(settings, "start")


def report_success(
    settings: Settings, outcome: SyncOutcome, *, steps: Mapping[str, float] | None = None, command: str = "sync"
) -> None:
    """A run published; what it published may still be incomplete or held back, which a ping calls a failure. `steps`:
    seconds by step. Never raises."""
    run = outcome.run
    _report(
        settings,
        {
            "run_id": run["run_id"],
            "command": command,
            "outcome": _OUTCOMES.get(outcome.exit_code, "published"),
            "exit_code": outcome.exit_code,
            "seconds": round(outcome.seconds, 3),
            "steps": _rounded(steps),
            "snapshot": outcome.snapshot.name,
            "counts": {name: value for name, value in run.items() if type(value) is int},
            "drift": json.loads(run["drift"]) if run.get("drift") else {},
            "warnings": outcome.warnings,
            "message": _MESSAGES.get(outcome.exit_code, ""),
        },
    )


def report_failure(
    settings: Settings,
    error_kind: str,
    message: str,
    exit_code: int,
    seconds: float,
    run_id: str | None,
    *,
    steps: Mapping[str, float] | None = None,
    command: str = "sync",
) -> None:
    """A run published nothing. One that found another at work is logged only: the other one reports. Never raises."""
    _report(
        settings,
        {
            "run_id": run_id,
            "command": command,
            "outcome": "busy" if exit_code == WarehouseBusyError.exit_code else "failed",
            "exit_code": exit_code,
            "seconds": round(seconds, 3),
            "steps": _rounded(steps),
            "error": error_kind,
            "warnings": [],
            "message": message,
        },
    )


def _report(settings: Settings, run: dict[str, Any]) -> None:
    append_event(settings, "run", {"version": __version__, **run})
    if run["outcome"] == "busy":
        return
    trouble = write_metrics(
        settings, ended_at=datetime.now(UTC), exit_code=run["exit_code"], seconds=round(run["seconds"], 3)
    )
    if trouble:
        append_event(settings, "metrics", {"message": trouble})
    _ping(settings, "success" if run["exit_code"] == EXIT_OK else "fail")


def _rounded(steps: Mapping[str, float] | None) -> dict[str, float]:
    return {step: round(seconds, 3) for step, seconds in (steps or {}).items()}


def _ping(settings: Settings, event: Literal["start", "success", "fail"]) -> None:
    """One GET, bounded in time by a thread: a name server or a server that drips bytes has time-outs of its own."""
    if not settings.ping_url:
        return
    troubles: list[str | None] = []
    thread = threading.Thread(target=lambda: troubles.append(_get(settings.ping_url, event)), daemon=True)
    thread.start()
    thread.join(PING_SECONDS)
    trouble = troubles[0] if troubles else f"no answer within {PING_SECONDS:g} s"
    if trouble:
        append_event(settings, "ping", {"ping": event, "message": f"the {event} ping did not arrive: {trouble}"})


def _get(ping_url: str, event: str) -> str | None:
    """Gives the reason when the ping did not arrive; never the address, which is a secret of its own."""
    try:
        url = urlsplit(ping_url)
        is_loopback = _is_loopback(url.hostname)
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback):
            return "ping_url must begin with https://"
        path = url.path if event == "success" else f"{url.path.rstrip('/')}/{event}"
        request = urllib.request.Request(
            url._replace(path=path, fragment="").geturl(), headers={"User-Agent": f"puretalk/{__version__}"}
        )
        proxies = [urllib.request.ProxyHandler({})] if is_loopback else []
        with urllib.request.build_opener(_NoRedirect, *proxies).open(request, timeout=PING_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return f"HTTP status {error.code}"
    except urllib.error.URLError as error:
        return type(error.reason).__name__ if isinstance(error.reason, Exception) else "the address is not usable"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return type(error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is a secret: it is not carried to wherever an answer points."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
