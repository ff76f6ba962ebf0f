"""`puretalk mcp`: the warehouse for an AI assistant."""

from __future__ import annotations

from pathlib import Path

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import Seconds, load, settings_options


@click.command()
@click.option("--texts", "may_show_texts", is_flag=True, help="Allow answers with prompts and other texts.")
@click.option("--max-rows", type=click.IntRange(1), default=200, show_default=True, help="Most rows of one answer.")
@click.option("--max-bytes", type=click.IntRange(1), default=200_000, show_default=True, help="Most bytes of its rows.")
@click.option("--max-seconds", type=Seconds(0.1), default=20.0, show_default=True, help="Longest time for one answer.")
@settings_options
def mcp(
    may_show_texts: bool, max_rows: int, max_bytes: int, max_seconds: float, data_dir: Path | None, debug: bool
) -> None:
    """Answer the questions of an AI assistant, read-only, over the Model Context Protocol on stdin and stdout.

    An AI program starts this command; nobody types it. It needs puretalk[mcp].
    """
    from puretalk.errors import ConfigurationError
    from puretalk.model_context import Caps, Tools

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        try:
            from puretalk.model_context.server import serve
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"the Python package {error.name} is not installed",
                action="Install puretalk with its extra: puretalk[mcp].",
            ) from error
        serve(Tools(settings.data_dir, Caps(max_rows, max_bytes, max_seconds), may_show_texts))
