"""Where a result goes: to a file, to a terminal (long ones through a pager), or to another program."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from puretalk.cli.outlet import put_document
from puretalk.errors import ConfigurationError
from puretalk.readers.formats import FORMAT_OF_SUFFIX, Format
from puretalk.warehouse.lock import is_in_data_dir

if TYPE_CHECKING:
    import duckdb


def choose_format(form: Format | None, out: Path | None) -> Format:
    """The form that was asked for, else that of the file's name, else a table on a terminal and CSV elsewhere.

    Raises click.UsageError for a name that tells no form, and for Parquet on a terminal.
    """
    if form is None and out is not None and out.suffix.lower() not in FORMAT_OF_SUFFIX:
        raise click.UsageError(
            f"--out {out}: the ending {out.suffix!r} is unknown. Use {', '.join(FORMAT_OF_SUFFIX)}, or say --format."
        )
    is_shown = out is None and sys.stdout.isatty()
    by_name = FORMAT_OF_SUFFIX[out.suffix.lower()] if form is None and out is not None else None
    chosen = form or by_name or ("table" if is_shown else "csv")
    if chosen == "parquet" and is_shown:
        raise click.UsageError("Parquet is not for a terminal; use --out FILE.")
    return chosen


def put_result(
    result: duckdb.DuckDBPyRelation, form: Format, out: Path | None = None, *, keep_formulas: bool = False
) -> None:
    """Write the result to the file, or print it. On a terminal a table is cut to its width. In a file of CSV or TSV no
    text runs as a formula, unless `keep_formulas`."""
    from puretalk.readers.results import render_result, render_screen

    if out is not None:
        write_file(out, render_result(result, form, is_for_spreadsheet=not keep_formulas))
    elif form == "table" and sys.stdout.isatty():
        put_document(render_screen(result, shutil.get_terminal_size().columns))
    else:
        put_document(render_result(result, form))


def write_file(path: Path, content: bytes) -> None:
    """Write a file that a person asked for, whole or not at all, readable for its owner only. A device or a pipe is
    written to. Raises ConfigurationError when its folder is missing or not writable, or puretalk keeps files in it."""
    if is_in_data_dir(path):
        raise ConfigurationError(
            f"{path} is in a data directory of puretalk",
            action="Name a file in another folder: only puretalk writes to this one.",
        )
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with tempfile.NamedTemporaryFile(dir=path.resolve().parent, delete=False) as file:  # of mode 0600
            try:
                file.write(content)
                file.flush()
                os.replace(file.name, path.resolve())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            action="Name a file in a folder that exists and that you may write to, then run the same command again.",
        ) from error
