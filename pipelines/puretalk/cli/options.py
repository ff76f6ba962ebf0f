"""What several commands share: options, the settings that follow from them, and log lines for `-v`."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.outlet import LineFormatter
from puretalk.errors import UsageError
from puretalk.settings import Settings, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """Seconds of an option, up to a week. click's own range takes NaN, which is neither too small nor too large."""

    def __init__(self, least: float = 0) -> None:
        super().__init__(least, 604_800)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Fails outside of the range."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return float(seconds)


class SqlCommand(click.Command):
    """A command with SQL as its argument, which may begin with a comment: click takes `-- …` for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A blank before the comment keeps it from being an option, and changes nothing for SQL."""
        comments = [arg.startswith("-- ") or (arg.startswith("--") and "\n" in arg) for arg in args]
        spaced = [f" {arg}" if is_comment else arg for arg, is_comment in zip(args, comments, strict=True)]
        return super().parse_args(ctx, spaced)


def read_sql(sql: str | None, file: Path | None) -> str:
    """The SQL of a command: its argument, a file, or stdin where neither is given; `-` is stdin. Raises UsageError."""
    if sql is not None and file is not None:
        raise UsageError("SQL is given twice: as an argument and as a file")
    if sql not in (None, "-"):
        return str(sql)
    try:
        if file is not None and str(file) != "-":
            content = file.read_bytes()
        elif sys.stdin is None or (sql is None and file is None and sys.stdin.isatty()):
            raise UsageError("there is no SQL: give it as an argument, as -f FILE, or on stdin")
        else:
            content = sys.stdin.buffer.read()
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        source = "stdin" if file is None else file
        raise UsageError(f"the SQL of {source} cannot be read as UTF-8 text: {error}") from error


def settings_options(command: Command) -> Command:
    """`--data-dir` and `--debug`."""
    command = click.option("--debug", is_flag=True, help="Show tracebacks.")(command)
    return click.option(
        "--data-dir", type=click.Path(path_type=Path), help="Folder of the warehouse [PURETALK_DATA_DIR]."
    )(command)


def verbose_option(command: Command) -> Command:
    """`-v`: log lines on stderr. The command itself gets no argument for it."""

    def log(_context: click.Context, _option: click.Parameter, is_verbose: bool) -> None:
        if is_verbose:
            log_to_stderr()

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=log,
        help="Log every request, walk, verdict and step on stderr, one line each.",
    )(command)


def log_to_stderr() -> None:
    """Write the log lines of puretalk, and of no other library, to stderr. Times are UTC."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s.%(msecs)03dZ %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("puretalk")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def is_verbose() -> bool:
    """Whether `-v` was given: log lines and a progress bar would overwrite each other."""
    return logging.getLogger("puretalk").isEnabledFor(logging.INFO)


def load(data_dir: Path | None, *, debug: bool, with_key: bool = False, **flags: Any) -> Settings:
    """The settings of a command. A relative folder is below the current one when a person types it, and below the
    project in a setting. `with_key`: the command asks the API."""
    with explained_errors(None, debug=debug):
        return load_settings({"data_dir": data_dir and data_dir.absolute(), **flags}, with_key=with_key)
    raise AssertionError("unreachable")
