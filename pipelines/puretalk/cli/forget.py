"""`puretalk forget`: remove a person from the data directory."""

from __future__ import annotations

from pathlib import Path

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import load, settings_options
from puretalk.cli.outlet import say_all


@click.command()
@click.argument("who", metavar="E-MAIL|USER")
@settings_options
def forget(who: str, data_dir: Path | None, debug: bool) -> None:
    """Remove a person from every table, version, snapshot, log and dashboard of the data directory, for good.

    E-MAIL|USER is an e-mail address, a user_id, or a name that one user has. Syncs store nothing of the person from
    then on. Prints what was touched, and what cannot be reached. A call that was stopped is completed by the next.
    """
    from puretalk.erasure.run import run_forget
    from puretalk.operations.runlog import append_event

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        done = run_forget(settings, who)
        if done.had_dashboard:
            from puretalk.dashboard import write_dashboard

            write_dashboard(settings.data_dir / "puretalk.duckdb", settings.data_dir / "dashboard.html")
    # The log does not name the person.
    append_event(settings, "run", {"command": "forget", "outcome": "forgotten", "exit_code": 0})
    say_all([f"  {sentence}" for sentence in done.touched] or ["Nothing in the data directory names them."])
    say_all(["Not reached:", *(f"  {place}" for place in done.unreachable)])
