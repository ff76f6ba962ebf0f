"""The rounds of the benchmark: which contestants there are, what they meet, and what one round gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.sync.account_server import NEW_LINE, Phase, changed_count
from benchmarks.sync.processes import Cost, ServerProcess, measure

SCRIPTS: Final = Path(__file__).parent / "contestants"
#: The phases of a round in their order, and what the server serves in them.
PHASES: Final[dict[str, Phase]] = {"full": "same", "no change": "same", "1 % changed": "changed"}
_COUNT = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall()[0]))
"""


class WrongResultError(Exception):
    """A contestant's table does not hold what the account has."""


@dataclass(frozen=True)
class Contestant:
    """A command, and where it leaves the assistants. In `command`, PYTHON stands for this interpreter, SCRIPTS and
    FOLDER for the folders of the scripts and of the contestant. `database` is a file in FOLDER."""

    name: str
    command: tuple[str, ...]
    database: str | None = None
    table: str = "assistants"


def _script(name: str) -> tuple[str, ...]:
    return ("PYTHON", "-P", f"SCRIPTS/{name}.py", "FOLDER")


CONTESTANTS: Final[dict[str, Contestant]] = {
    each.name: each
    for each in (
        Contestant("puretalk", (f"{Path(sys.executable).parent}/puretalk", "sync"), "puretalk.duckdb"),
        Contestant("floor", _script("floor"), "floor.duckdb"),
        Contestant("pandas script", _script("pandas_script"), "pandas_script.duckdb"),
        Contestant("dlt rest_api", _script("rest_api"), "rest_api.duckdb", "account.assistants"),
        Contestant("import dlt", ("PYTHON", "-c", "import dlt")),
    )
}


@dataclass(frozen=True)
class Measurement:
    """One contestant in one phase. `steps`: seconds by step, of puretalk only."""

    assistants: int
    latency: float
    phase: str
    contestant: str
    cost: Cost
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WalkMeasurement:
    """One walk, without the start of its process. `account`: new to the walk, or known from the walk before. Wall and
    CPU seconds; `bound` is (pages / window) × latency, in seconds."""

    assistants: int
    latency: float
    account: str
    pages: int
    seconds: float
    cpu: float
    bound: float


def run_round(
    server: ServerProcess, assistants: int, latency: float, contestants: Sequence[Contestant]
) -> Iterator[Measurement]:
    """Every contestant in every phase, each with an empty folder at first. In a phase they take turns, so that what
    else keeps the machine busy meets all of them. Raises WrongResultError and CommandFailedError."""
    with tempfile.TemporaryDirectory() as root:
        for contestant in contestants:
            (Path(root) / contestant.name).mkdir()
        for phase, served in PHASES.items():
            server.set(served, latency)
            changed = changed_count(assistants) if served == "changed" else 0
            for contestant in contestants:
                folder = Path(root) / contestant.name
                command, environment = _fill_in(contestant, folder), _environment(server, folder)
                cost = measure(command, environment, folder, Path(root) / "log")
                _check(contestant, folder, (assistants, changed))
                yield Measurement(assistants, latency, phase, contestant.name, cost, read_steps(folder))


def run_walks(server: ServerProcess, assistants: int, latency: float) -> list[WalkMeasurement]:
    """A walk of a new account, and one of the same account that is known. Raises WrongResultError and
    CommandFailedError."""
    server.set("same", latency)
    with tempfile.TemporaryDirectory() as root:
        folder, log = Path(root), Path(root) / "log"
        measure([sys.executable, "-P", str(SCRIPTS / "walk.py")], _environment(server, folder), folder, log)
        said = json.loads(log.read_text(encoding="utf-8"))
    walks = []
    for walk in said["walks"]:
        if walk.pop("records") != assistants:
            raise WrongResultError(f"the walk did not see {assistants} assistants")
        bound = walk["pages"] / said["window"] * latency / 1000
        walks.append(WalkMeasurement(assistants=assistants, latency=latency, bound=bound, **walk))
    return walks


def read_steps(folder: Path) -> dict[str, float]:
    """Seconds by step of the last run in a data directory, as its run log has them; empty where there is no log."""
    logs = sorted(folder.glob("logs/puretalk-*.jsonl"))
    lines = logs[-1].read_text(encoding="utf-8").splitlines() if logs else []
    runs = [event for event in map(json.loads, lines) if event["event"] == "run"]
    return dict(runs[-1].get("steps", {})) if runs else {}


def _fill_in(contestant: Contestant, folder: Path) -> list[str]:
    places = {"PYTHON": sys.executable, "FOLDER": str(folder)}
    return [places.get(word, word.replace("SCRIPTS", str(SCRIPTS))) for word in contestant.command]


def _environment(server: ServerProcess, folder: Path) -> dict[str, str]:
    """Only what a contestant needs: no setting of the shell, and byte-code is written."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PURETALK_BASE_URL": server.base_url,
        "PURETALK_API_KEY": "benchmark",
        "PURETALK_DATA_DIR": str(folder),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def _check(contestant: Contestant, folder: Path, expected: tuple[int, int]) -> None:
    """Raise WrongResultError unless the table has so many assistants, and so many of them with the new line."""
    if contestant.database is None:
        return
    query = f"SELECT count(*), count(*) FILTER (WHERE ends_with(prompt, '{NEW_LINE}')) FROM {contestant.table}"
    # In a process of its own: what this one holds in memory would count as the peak of the processes that it starts.
    command = [sys.executable, "-c", _COUNT, str(folder / contestant.database), query]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if tuple(json.loads(said)) != expected:
        raise WrongResultError(f"{contestant.name} has {said.strip()} assistants and changed ones, not {expected}")
