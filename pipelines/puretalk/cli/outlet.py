"""The one place of the command line that prints. Names and texts come from the account, and anybody may have typed
them; a terminal would obey some of their characters, so it gets them escaped, and stderr always does. Another program
gets on stdout exactly what there is.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable

import click

from puretalk.terminal import escape_line, escape_text


def say(line: str = "") -> None:
    """Print a line to stdout. On a terminal it stays one line, whatever is in it."""
    click.echo(escape_line(line) if sys.stdout.isatty() else line)


def say_all(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    for line in lines:
        say(line)


def complain(line: str) -> None:
    """Print a line to stderr."""
    click.echo(escape_line(line), err=True)


def complain_at_length(text: str) -> None:
    """Print several lines to stderr, such as a traceback."""
    click.echo(escape_text(text), err=True)


def put_text(text: str) -> None:
    """Print several lines to stdout."""
    click.echo(escape_text(text) if sys.stdout.isatty() else text, nl=False)


def put_document(content: bytes | str, *, is_escaped: bool = False) -> None:
    """Print a document to stdout: on a terminal through the pager when it is longer than the screen, elsewhere its
    bytes as they are. `is_escaped`: it holds no escape sequences but puretalk's own colours."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)
        sys.stdout.buffer.flush()
        return
    text = content if isinstance(content, str) else content.decode(errors="backslashreplace")
    if not is_escaped:
        text = escape_text(text)
    if text.count("\n") < shutil.get_terminal_size().lines:
        click.echo(text, nl=False)
        return
    os.environ.setdefault("LESS", "FRX")  # as git does: the text stays on the screen when the pager is left
    click.echo_via_pager(text.removesuffix("\n"))


class EscapedErrors(click.Group):
    """A group of commands whose errors, which click prints, are fit for stderr."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = escape_text(error.message)  # type: ignore[misc]  # click prints this attribute
            raise


class LineFormatter(logging.Formatter):
    """Log lines for stderr. Times are UTC."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return escape_line(super().format(record))
