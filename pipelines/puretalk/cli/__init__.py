"""The command line: it parses, calls and prints. `run` is the entry point of the installed `puretalk`."""

from puretalk.cli.commands import run

__all__ = ["run"]
