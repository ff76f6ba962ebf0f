"""What a sync costs, against what else could do its work: `make bench ARGS="--sizes 240 10000 --runs 3 --write"`.

Not collected by pytest. Prints Markdown; `--write` puts it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import compileall
import sys
from pathlib import Path

from benchmarks.sync.processes import ServerProcess
from benchmarks.sync.report import describe, insert
from benchmarks.sync.rounds import CONTESTANTS, Measurement, WalkMeasurement, run_round, run_walks

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENT = REPOSITORY / "docs" / "performance.md"
WALK_LATENCY = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[240, 1_000, 10_000], help="assistants of the accounts")
    parser.add_argument("--latencies", type=float, nargs="+", default=[0.0], help="milliseconds before each answer")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each size; medians are reported")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="contestants")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    arguments = parser.parse_args()

    # No contestant pays for the byte-code of what was edited since the set-up.
    compileall.compile_dir(REPOSITORY / "pipelines", quiet=1)
    contestants = [CONTESTANTS[name] for name in arguments.only]
    measured: list[Measurement] = []
    walks: list[WalkMeasurement] = []
    for assistants in arguments.sizes:
        print(f"{assistants:,} assistants: rendering the account", file=sys.stderr)
        with ServerProcess(assistants) as server:
            for number in range(arguments.runs):
                turn = number % len(contestants)
                for latency in arguments.latencies:
                    for each in run_round(server, assistants, latency, contestants[turn:] + contestants[:turn]):
                        measured.append(each)
                        cost = f"{each.cost.wall:.2f} s, CPU {each.cost.cpu:.2f} s, {each.cost.peak:.0f} MB"
                        print(f"  run {number + 1}, {each.phase}, {each.contestant}: {cost}", file=sys.stderr)
                for latency in sorted({*arguments.latencies, WALK_LATENCY}):
                    walks += run_walks(server, assistants, latency)
    tables = describe(measured, walks)
    print(tables)
    if arguments.write:
        DOCUMENT.write_text(insert(tables, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
