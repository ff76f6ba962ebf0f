"""The commands for the people who own the prompts: `show`, `git`, `diff`, `restore-plan`."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import load, settings_options
from puretalk.cli.output import show_text

_AS_OF = click.option("--as-of", "as_of", metavar="TIME", help="At that moment: 2026-03-03 or 2026-03-03T10:15Z (UTC).")


def _print(text: str) -> None:
    if sys.stdout.isatty():
        show_text(text)
    else:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()


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
        _print(show_place(place, moment) if path is None else choose_file(place, path).decode())


def register(group: click.Group) -> None:
    """Add the commands of this file to the command line."""
    for command in (show,):
        group.add_command(command)
