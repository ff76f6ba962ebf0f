"""What hundreds of syncs do to the size of the snapshot and to the time of a sync.

    make bench-growth ARGS="[syncs] [assistants]"

Prints, for a quiet account and for one with a small change before each sync: the size of the newest snapshot, how much
of it is holes, and the CPU seconds of a sync (mean of the last ten; those of the demo API included).
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb

from puretalk.demo import Account, DemoApi
from puretalk.settings import ApiSettings, RetentionSettings, Settings
from puretalk.sync.run import run_sync

MARKS = (1, 10, 25, 50, 100, 200, 300, 500, 1000)


def measure_growth(data_dir: Path, syncs: int, assistants: int, *, is_quiet: bool) -> None:
    """Sync so many times and print a line at each mark."""
    account = Account(assistants=assistants)
    ids = account.live_ids()
    seconds: list[float] = []
    with DemoApi(account) as api:
        settings = Settings(project_dir=data_dir, data_dir=data_dir, api=ApiSettings(api.key, api.base_url))
        settings = replace(settings, retention=RetentionSettings(keep_hourly=0, keep_daily=0))
        for number in range(1, syncs + 1):
            before = _cpu_seconds()
            snapshot = run_sync(settings).snapshot
            seconds.append(_cpu_seconds() - before)
            if number in MARKS or number == syncs:
                with closing(duckdb.connect(str(snapshot), read_only=True)) as connection:
                    sizes = connection.execute(
                        "SELECT total_blocks, free_blocks FROM pragma_database_size()"
                    ).fetchall()
                total, free = sizes[0]
                recent = seconds[-10:]
                size = snapshot.stat().st_size / 2**20
                print(
                    f"{'quiet' if is_quiet else 'one change':>10}  {number:5} syncs  {size:7.2f} MiB"
                    f"  {100 * free / total:3.0f} % holes  {sum(recent) / len(recent):6.2f} CPU-s a sync",
                    flush=True,
                )
            if not is_quiet:
                account.edit(ids[number % len(ids)], prompt=f"Be brief, for the {number}th time.")


def _cpu_seconds() -> float:
    """Of this process and of the ones that it started."""
    return sum(os.times()[:4])


def main() -> None:
    """Both accounts, one after the other, each in a folder that is removed afterwards."""
    syncs, assistants = (int(text) for text in (sys.argv[1:] + ["300", "100"][len(sys.argv) - 1 :]))
    for is_quiet in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            measure_growth(Path(folder), syncs, assistants, is_quiet=is_quiet)


if __name__ == "__main__":
    main()
