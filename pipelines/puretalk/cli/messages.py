"""What a person or a program is told: failures in four lines, the outcome of a sync, the status of the warehouse."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import click

from puretalk.cli.outlet import complain, complain_at_length
from puretalk.errors import EXIT_BUG, EXIT_CODES, EXIT_INTERRUPTED, PuretalkError, UsageError, WarehouseError
from puretalk.schema import CATALOG
from puretalk.settings import Settings, scrubber_of
from puretalk.terminal import escape_text

if TYPE_CHECKING:
    from puretalk.listener import Step
    from puretalk.readers.published import Published
    from puretalk.sync.run import SyncOutcome

_DOCS = "docs/operations.md"


def print_failure(message: str, state: str, action: str, exit_code: int) -> None:
    """The message at 3 a.m., on stderr: what failed, what state the data is in, what to do, where to read more."""
    complain(f"puretalk: {message if message.endswith('?') else message.rstrip('.') + '.'}")
    complain(f"State: {state}")
    complain(f"Do: {action}")
    complain(f"More: {_DOCS} (exit code {exit_code})")


def print_verdict(outcome: SyncOutcome) -> None:
    """The warnings of a sync that published; where it is not exact, also the state, what to do, where to read more."""
    for warning in outcome.warnings:
        complain(f"puretalk: {warning}.")
    if outcome.exit_code:
        complain(f"State: {EXIT_CODES[outcome.exit_code]}.")
        complain(f"Do: {'; '.join(outcome.verdict.actions)}.")
        complain(f"More: {_DOCS} (exit code {outcome.exit_code})")


@contextmanager
def explained_errors(settings: Settings | None, *, debug: bool) -> Iterator[None]:
    """Turn errors into the four lines and the exit code of their kind."""
    try:
        yield
    except UsageError as error:  # click tells these, as it tells a wrong option
        # DuckDB shows the place in several lines. Indented, none of them passes for a line of puretalk's own.
        message = escape_text(error.message).replace("\n", "\n  ")
        raise click.UsageError("\n".join(filter(None, (message, escape_text(error.action))))) from error
    except PuretalkError as error:
        if debug:
            _print_traceback(settings)
        print_failure(scrub(error.message, settings), describe_state(settings), error.action, error.exit_code)
        sys.exit(error.exit_code)
    except click.exceptions.ClickException:
        raise
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        from puretalk.warehouse.disk_errors import concerns

        if debug:
            _print_traceback(settings)
        if settings is None or not concerns(error, settings.data_dir):
            _end_with_bug(error, settings)
        refused = WarehouseError(f"{error.filename} cannot be used: {error.strerror}")
        print_failure(refused.message, describe_state(settings), refused.action, refused.exit_code)
        sys.exit(refused.exit_code)
    except Exception as error:  # noqa: BLE001  (the bug has its message and exit code; --debug shows the traceback)
        if debug:
            _print_traceback(settings)
        _end_with_bug(error, settings)


def _end_with_bug(error: Exception, settings: Settings | None) -> NoReturn:
    text = scrub(f"{type(error).__name__}: {error}".splitlines()[0], settings)
    print_failure(
        f"an error in puretalk itself ({text})", describe_state(settings), PuretalkError.default_action, EXIT_BUG
    )
    sys.exit(EXIT_BUG)


def scrub(text: str, settings: Settings | None) -> str:
    """The text without the key. No message should hold it in the first place."""
    return text if settings is None else scrubber_of(settings).hide(text)


def describe_state(settings: Settings | None) -> str:
    """What readers get now. "Unharmed" is said only of a snapshot whose seal was verified."""
    if settings is None:
        return "nothing was touched."
    try:
        from puretalk.warehouse.snapshots import SnapshotStore

        store = SnapshotStore(settings.data_dir)
        if not store.is_published():
            return "nothing has been published yet; nothing was changed."
        current = next((snapshot for snapshot in store.list_snapshots() if snapshot.is_current), None)
        is_intact = current is not None and store.is_intact(current.path)
    except (OSError, PuretalkError):
        current, is_intact = None, False
    if current is None:
        return "the published snapshot could not be read."
    moment = f"readers still get the snapshot of {current.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{moment}, unharmed." if is_intact else f"{moment}, which was written to or cannot be verified."


def explain_exit_codes() -> str:
    """The exit codes as an epilog of a command's help."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {text}" for code, text in EXIT_CODES.items())


def to_json(value: object) -> str:
    """What `json.dumps` writes for a value that JSON does not know: a time in ISO 8601, else its text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def describe_outcome(outcome: SyncOutcome) -> Iterator[str]:
    """What a sync did, in a few lines."""
    run = outcome.run
    yield (
        f"synced {run.seen} assistants in {outcome.seconds:.1f} s: {run.pages} pages walked, "
        f"{run.rows_loaded} rows loaded, {run.unchanged} assistants unchanged"
    )
    parts = [
        f"{count} {word}"
        for count, word in (
            (run.new, "new"),
            (run.changed, "changed"),
            (run.silent, "silently changed"),
            (run.deleted, "deleted"),
            (run.returned, "came back"),
            (run.held, "held back"),
            (run.voices_changed, "new or changed voices"),
            (run.users_changed, "new or changed users"),
            (run.retries, "repeated requests"),
        )
        if count
    ]
    yield "  " + (", ".join(parts) or "nothing changed")


def describe_steps(durations: Mapping[Step, float]) -> Iterator[str]:
    """Wall seconds of the steps of a run and their share of it, a line each. Steps of one kind, such as `work: sweep`
    and `work: copy`, are one line."""
    seconds: dict[str, float] = {}
    for step, duration in durations.items():
        kind = step.value.partition(":")[0]
        seconds[kind] = seconds.get(kind, 0.0) + duration
    whole = sum(seconds.values())
    for kind, duration in (*seconds.items(), ("whole run", whole)):
        yield f"{duration:8.3f} s  {duration / whole:4.0%}  {kind}"


def status_facts(published: Published) -> dict[str, object]:
    """What `status --json` prints. The age is in seconds."""
    return {
        "snapshot": str(published.path),
        "run_id": published.run_id,
        "finished_at": published.finished_at,
        "age_seconds": _age_seconds(published.finished_at) if published.finished_at else None,
        "is_exact": published.is_exact,
        "cursor": published.cursor,
        "tables": dict(published.row_counts),
    }


def describe_status(published: Published) -> Iterator[str]:
    """The same for people."""
    yield f"snapshot   {published.path}"
    if published.finished_at:
        exact = "exact" if published.is_exact else "not exact: see `notes` in puretalk.sync_runs"
        age = _describe_age(_age_seconds(published.finished_at))
        yield f"read at    {published.finished_at:%Y-%m-%d %H:%M:%S} UTC, {age} ago ({exact})"
    if published.cursor:
        yield f"cursor     updated_at {published.cursor:%Y-%m-%d %H:%M:%S.%f} UTC"
    yield from describe_tables(published.row_counts)


def describe_tables(counts: Mapping[str, int]) -> Iterator[str]:
    """Tables and their row counts."""
    width = max(map(len, counts))
    for name, rows in counts.items():
        yield f"  {CATALOG}.{name:<{width}}  {rows:>8,} rows"


def _print_traceback(settings: Settings | None) -> None:
    """The traceback of the error that is being handled. It quotes what libraries say, so it is scrubbed too."""
    complain_at_length(scrub(traceback.format_exc().rstrip("\n"), settings))


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _describe_age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
