"""`puretalk export parquet`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from puretalk.cli.messages import explained_errors
from puretalk.cli.options import load, settings_options
from puretalk.cli.outlet import say


@click.command("parquet")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@settings_options
def export_parquet_files(folder: Path, data_dir: Path | None, debug: bool) -> None:
    """Write the published tables as Parquet files below DIR: DIR/current is the newest set, and never half of one."""
    from puretalk.replication.parquet_export import export_parquet

    settings = load(data_dir, debug=debug)
    with explained_errors(settings, debug=debug):
        done = export_parquet(settings, folder)
    if sys.stdout.isatty():
        say(
            f"{folder / 'current'} holds the snapshot {done.snapshot_id}: {done.tables} files, of which {done.files} "
            f"are new or differ, in {done.seconds:.1f} s"
        )
