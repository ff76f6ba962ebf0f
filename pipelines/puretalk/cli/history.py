"""The commands for the people who own the prompts: `show`, `git`, `diff`, `restore-plan`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import load, settings_options
from puretalk.cli.outlet import put_document, say
from puretalk.errors import PuretalkError
from puretalk.settings import Settings

if TYPE_CHECKING:
    from puretalk.renditions.diff_text import DiffFormat

_AS_OF = click.option("--as-of", "as_of", metavar="TIME", help="At that moment: 2026-03-03 or 2026-03-03T10:15Z (UTC).")


@click.command()
@click.argument("assistant")
@_AS_OF
@click.option("--file", "path", metavar="FILE", help="Only this file, exactly: prompt.md, config.yml, states/NAME.md.")
@settings_options
def show(assistant: str, as_of: str | None, path: str | None, data_dir: Path | None, debug: bool) -> None:
    """Print a version of an assistant as files: prompt, greeting, states, and everything else as YAML.

    ASSISTANT is its id, the beginning of its id, or its name, as long as only one assistant has it.
    """
    from puretalk.readers.assistants import find_assistant
    from puretalk.readers.connection import connect
    from puretalk.readers.moments import parse_moment
    from puretalk.renditions.places import find_place
    from puretalk.renditions.shown import choose_file, show_place

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug), closing(connect(settings.data_dir)) as connection:
        moment = None if as_of is None else parse_moment(as_of)
        place = find_place(connection, find_assistant(connection, assistant), moment)
        put_document(show_place(place, moment) if path is None else choose_file(place, path))


@click.command("git")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--with-secrets", is_flag=True, help="Write although the audit found what looks like a secret.")
@settings_options
def git_command(folder: Path, with_secrets: bool, data_dir: Path | None, debug: bool) -> None:
    """Write the history as a git repository in DIR, or continue it: a commit for each moment of observation."""
    from puretalk.readers.connection import connect
    from puretalk.renditions.git_history import write_git_history

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug), closing(connect(settings.data_dir)) as connection:
        written = write_git_history(connection, folder, with_secrets=with_secrets)
    if written.set_back:
        say(f"the warehouse was set back: {written.set_back} commits hold what it no longer knows; they stay")
    say(f"{written.commits} new commits in {folder}, now at {written.head or 'no commit'}")


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json", "html"]),
    default="text",
    show_default=True,
    help="Form.",
)
@settings_options
def diff(old: str, new: str, form: DiffFormat, data_dir: Path | None, debug: bool) -> None:
    """Print what differs between A and B: word by word on a terminal, as a unified diff elsewhere.

    Each is a data directory (of another account, for example), the id of a snapshot, a time, or an assistant.
    """
    from puretalk.renditions.comparison import compare_sides, read_side
    from puretalk.renditions.diff_text import render_diff

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        comparison = compare_sides(read_side(old, settings.data_dir), read_side(new, settings.data_dir))
        has_colour = form == "text" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
        put_document(render_diff(comparison, form, has_colour=has_colour), is_escaped=has_colour)


@click.command("restore-plan")
@click.argument("assistant")
@click.option("--as-of", "as_of", metavar="TIME", required=True, help="The moment to return to (UTC).")
@settings_options
def restore_plan(assistant: str, as_of: str, data_dir: Path | None, debug: bool) -> None:
    """Print what to type back into PureTalk so that ASSISTANT is what it was. Sends nothing."""
    from puretalk.readers.assistants import find_assistant
    from puretalk.readers.connection import connect
    from puretalk.readers.moments import parse_moment
    from puretalk.renditions.places import find_place
    from puretalk.renditions.restore_plan import describe_plan, plan_restore

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug), closing(connect(settings.data_dir)) as connection:
        moment, assistant_id = parse_moment(as_of), find_assistant(connection, assistant)
        plan = plan_restore(find_place(connection, assistant_id), find_place(connection, assistant_id, moment))
        put_document("\n".join(describe_plan(plan, moment)) + "\n")


def continue_git(settings: Settings) -> PuretalkError | None:
    """Continue the repository of the setting `git_dir` after a sync. Gives the error instead of raising it: the sync
    has published, and its own outcome must be told too."""
    from puretalk.readers.connection import connect
    from puretalk.renditions.git_history import write_git_history

    folder = settings.locate(settings.git_dir)
    assert folder is not None
    try:
        with closing(connect(settings.data_dir)) as connection:
            write_git_history(connection, folder)
    except PuretalkError as error:
        return error
    return None


def register(group: click.Group) -> None:
    """Add the commands of this file to the command line."""
    for command in (show, git_command, diff, restore_plan):
        group.add_command(command)
