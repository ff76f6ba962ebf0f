"""The prompt of `puretalk sql`: statements end with a semicolon, dot commands as in the command line of DuckDB."""

from __future__ import annotations

import code
import contextlib
import sqlite3
import sys

import duckdb

from puretalk.cli.output import put_result
from puretalk.errors import PuretalkError
from puretalk.readers.connection import find_relation
from puretalk.readers.query import explained_sql, run_statement
from puretalk.readers.relations import list_columns, list_relations
from puretalk.terminal import escape_text

HELP = """\
SELECT …;       runs when the statement ends with a semicolon
.tables         lists the tables and views
.tables NAME    describes one
.help           shows this
.quit           ends, as does Ctrl-D"""


class SqlPrompt(code.InteractiveConsole):
    """Reads statements from a terminal and shows their results."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__()
        self._connection = connection

    def start(self, banner: str) -> None:
        """Read and answer until the person leaves."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (line editing and a history, where the system has it)
        sys.ps1, sys.ps2 = "puretalk> ", "     ...> "
        self.interact(banner, exitmsg="")

    def runsource(self, source: str, filename: str = "", symbol: str = "") -> bool:  # noqa: ARG002
        """Run what was typed so far if it is complete; True asks for another line."""
        command, _, name = source.strip().rstrip(";").partition(" ")
        is_command = command.startswith(".")
        if command in (".quit", ".exit"):
            raise SystemExit(0)
        if source.strip() and not is_command and not sqlite3.complete_statement(source):
            return True
        try:
            with explained_sql():
                if command == ".tables":
                    self._describe(name.strip())
                elif is_command:
                    self.write(f"{HELP}\n")
                else:
                    for statement in duckdb.extract_statements(source):
                        put_result(run_statement(self._connection, statement.query), "table")
        except PuretalkError as error:
            self.write("\n".join(filter(None, (error.message, error.action))) + "\n")
        return False

    def write(self, data: str) -> None:
        """Print to stderr. An error may quote the data."""
        super().write(escape_text(data))

    def _describe(self, name: str) -> None:
        if name:
            put_result(list_columns(self._connection, *find_relation(self._connection, name)), "table")
        else:
            put_result(list_relations(self._connection), "table")
