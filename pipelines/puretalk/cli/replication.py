"""`puretalk replicate`, and what `puretalk sync` does for the setting `replicate_to`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from puretalk.cli.messages import describe_state, explained_errors, print_failure, scrub
from puretalk.cli.options import load, settings_options
from puretalk.cli.outlet import say
from puretalk.errors import EXIT_OK, EXIT_REPLICA, PuretalkError, WarehouseBusyError
from puretalk.settings import Settings

if TYPE_CHECKING:
    from puretalk.replication.replica import Replication


@click.command("replicate")
@click.argument("name")
@click.option("--everything", is_flag=True, help="Send all rows again, whatever the engine says it holds.")
@settings_options
def replicate_command(name: str, everything: bool, data_dir: Path | None, debug: bool) -> None:
    """Bring the dlt destination NAME to the published snapshot; only what differs travels.

    NAME is configured as dlt does it: [destination.NAME] in .dlt/secrets.toml, or DESTINATION__NAME__… variables.
    """
    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        done = replicate_and_log(settings, name, everything=everything)
    if sys.stdout.isatty():
        say(
            f"{name} holds the snapshot {done.snapshot_id} now: {done.rows:,} rows of {done.tables} tables sent in "
            f"{done.seconds:.1f} s"
        )


def replicate_after_sync(settings: Settings) -> int:
    """Bring each destination of `replicate_to` to what was just published. Prints what fails; returns the exit code.
    Another replication at work is no failure: the next run catches up."""
    exit_code = EXIT_OK
    for name in settings.replication.destinations:
        try:
            replicate_and_log(settings, name)
        except WarehouseBusyError:
            continue
        except PuretalkError as error:
            exit_code = EXIT_REPLICA
            print_failure(scrub(error.message, settings), describe_state(settings), error.action, exit_code)
    return exit_code


def replicate_and_log(settings: Settings, name: str, *, everything: bool = False) -> Replication:
    """Replicate, and add a line to the run log."""
    from puretalk.operations.runlog import append_event
    from puretalk.replication.replica import replicate

    line: dict[str, object] = {"command": "replicate", "destination": name}
    try:
        done = replicate(settings, name, everything=everything)
    except PuretalkError as error:
        failed = {"outcome": type(error).__name__, "exit_code": error.exit_code, "message": error.message}
        append_event(settings, "run", line | failed)
        raise
    append_event(
        settings,
        "run",
        line
        | {
            "outcome": "replicated",
            "exit_code": EXIT_OK,
            "seconds": round(done.seconds, 3),
            "snapshot": done.snapshot_id,
            "counts": {"tables": done.tables, "parts": done.parts, "rows": done.rows},
        },
    )
    return done
