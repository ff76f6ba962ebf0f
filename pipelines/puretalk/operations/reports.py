"""What a run reports for monitoring: the log file, the metrics file, the ping of a health-check service.

No report can make a run fail, and none holds data of the account. The ping is a bare GET: of `…/start` when a run
starts, of the configured address when it published an exact, complete state, of `…/fail` otherwise.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from puretalk.api.origin import is_loopback, trusted_authorities
from puretalk.errors import EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK, ConfigurationError, WarehouseBusyError
from puretalk.listener import Step
from puretalk.operations.metrics import write_metrics
from puretalk.operations.runlog import append_event
from puretalk.release import VERSION
from puretalk.settings import Settings

if TYPE_CHECKING:
    from puretalk.sync.run import SyncOutcome

#: Seconds that a ping may take in total.
PING_SECONDS = 5.0

_OUTCOMES = {EXIT_OK: "published", EXIT_INCOMPLETE: "incomplete", EXIT_HELD: "held"}
_MESSAGES = {
    EXIT_INCOMPLETE: "published, but not exact",
    EXIT_HELD: "published, but a person must look first",
}


def report_start(settings: Settings) -> None:
    """Report that a run starts. Never raises."""
    _ping(settings, "start")


def report_success(
    settings: Settings, outcome: SyncOutcome, *, steps: Mapping[Step, float] | None = None, command: str = "sync"
) -> None:
    """Report a run that published. Where the result is incomplete or held back, the ping says failure.
    `steps`: seconds by step. Never raises."""
    run = outcome.run
    _report(
        settings,
        {
            "run_id": run.run_id,
            "command": command,
            "outcome": _OUTCOMES.get(outcome.exit_code, "published"),
            "exit_code": outcome.exit_code,
            "seconds": round(outcome.seconds, 3),
            "steps": round_steps(steps or {}),
            "snapshot": outcome.snapshot_id,
            "counts": run.counts(),
            "drift": dict(run.drift),
            "warnings": list(outcome.warnings),
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
    steps: Mapping[Step, float] | None = None,
    command: str = "sync",
) -> None:
    """Report a run that published nothing. A run that found another at work is logged only. Never raises."""
    _report(
        settings,
        {
            "run_id": run_id,
            "command": command,
            "outcome": "busy" if exit_code == WarehouseBusyError.exit_code else "failed",
            "exit_code": exit_code,
            "seconds": round(seconds, 3),
            "steps": round_steps(steps or {}),
            "error": error_kind,
            "warnings": [],
            "message": message,
        },
    )


def _report(settings: Settings, run: dict[str, Any]) -> None:
    append_event(settings, "run", {"version": VERSION, **run})
    if run["outcome"] == "busy":
        return
    trouble = write_metrics(
        settings, ended_at=datetime.now(UTC), exit_code=run["exit_code"], seconds=round(run["seconds"], 3)
    )
    if trouble:
        append_event(settings, "metrics", {"message": trouble})
    _ping(settings, "success" if run["exit_code"] == EXIT_OK else "fail")


def round_steps(steps: Mapping[Step, float]) -> dict[str, float]:
    """Seconds by the name of the step, to the millisecond."""
    return {step.value: round(seconds, 3) for step, seconds in steps.items()}


def _ping(settings: Settings, event: Literal["start", "success", "fail"]) -> None:
    """One GET in a thread, to bound its time: urllib's timeout covers neither a slow name server nor slow bytes."""
    if not settings.operations.ping_url:
        return
    troubles: list[str | None] = []

    def get() -> None:
        troubles.append(_get(settings.operations.ping_url, event, settings.api.ca_bundle))

    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    thread.join(PING_SECONDS)
    trouble = troubles[0] if troubles else f"no answer within {PING_SECONDS:g} s"
    if trouble:
        append_event(settings, "ping", {"ping": event, "message": f"the {event} ping did not arrive: {trouble}"})


def _get(ping_url: str, event: str, ca_bundle: str) -> str | None:
    """The reason when the ping did not arrive, else None. It never holds the address, which is a secret."""
    try:
        url = urlsplit(ping_url)
        is_local = is_loopback(url.hostname or "")
        if url.scheme != "https" and not (url.scheme == "http" and is_local):
            return "ping_url must begin with https://"
        path = url.path if event == "success" else f"{url.path.rstrip('/')}/{event}"
        request = urllib.request.Request(
            url._replace(path=path, fragment="").geturl(), headers={"User-Agent": f"puretalk/{VERSION}"}
        )
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})] if is_local else []
        if ca_bundle and url.scheme == "https":
            handlers.append(urllib.request.HTTPSHandler(context=trusted_authorities(ca_bundle)))
        with urllib.request.build_opener(_NoRedirect, *handlers).open(request, timeout=PING_SECONDS):
            return None
    except ConfigurationError as error:
        return error.message
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return f"HTTP status {error.code}"
    except urllib.error.URLError as error:
        return type(error.reason).__name__ if isinstance(error.reason, Exception) else "the address is not usable"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return type(error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the address is a secret and must not reach another server."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None
