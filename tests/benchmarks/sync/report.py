"""The tables of the benchmark in Markdown, the goals, and the place of the tables in docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.sync.processes import Cost
from benchmarks.sync.rounds import PHASES, Measurement, WalkMeasurement

OURS: Final = "puretalk"
BASES: Final = ("floor", "import dlt")
MARKERS: Final = ("<!-- bench -->", "<!-- /bench -->")
LIBRARIES: Final = ("dlt", "duckdb", "httpx", "msgspec", "pandas", "pyarrow")


@dataclass(frozen=True)
class Goals:
    """What a sync may cost for an account of one size. `ratios` by phase: times `base`, in wall and in CPU seconds;
    `without_models`: the same for a full load without the step of the models; `peak` in MB."""

    base: str
    ratios: dict[str, float]
    peak: float
    without_models: float | None = None


GOALS: Final = {
    240: Goals("import dlt", {"full": 4, "no change": 1, "1 % changed": 2.5}, 250),
    10_000: Goals("floor", {"full": 4, "no change": 1.5, "1 % changed": 3}, 300, without_models=2.5),
    50_000: Goals("floor", {"full": 4, "no change": 1.5, "1 % changed": 3}, 400),
}
MODEL_STEPS: Final = ("models", "checks")
WALK_GOAL: Final = 1.3
WALK_GOAL_FROM: Final = 10_000  # assistants; page 1 is fetched alone, which a short walk cannot make up for

Key = tuple[int, float, str, str]


def describe(measured: Sequence[Measurement], walks: Sequence[WalkMeasurement]) -> str:
    """All tables, under a line about the machine."""
    by_key: defaultdict[Key, list[Measurement]] = defaultdict(list)
    for each in measured:
        by_key[each.assistants, each.latency, each.contestant, each.phase].append(each)
    runs = max(map(len, by_key.values()))
    sections = [
        f"{describe_machine()} {'One run' if runs == 1 else f'Medians of {runs} runs'}, {datetime.now(UTC):%Y-%m-%d}.",
        _section("Wall seconds / CPU seconds / most memory in MB:", _cost_table(by_key)),
        _section("How many times as much `puretalk sync` takes:", _goal_table(by_key)),
        _section("Wall seconds of the steps of `puretalk sync`:", _step_table(by_key)),
        _section(
            "The walk alone, without the start of the process, against (pages / window) × latency:", _walk_table(walks)
        ),
    ]
    return "\n\n".join(section for section in sections if section)


def _section(title: str, table: str) -> str:
    return f"{title}\n\n{table}" if table else ""


def describe_machine() -> str:
    """Cores, memory, processor and versions; nothing that tells one machine of a kind from another."""
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", information, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    processor = model[1] if model else platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {processor}, {memory:.0f} GB of memory; Python {platform.python_version()}, {libraries}."


def insert(tables: str, document: str) -> str:
    """The document with these tables between the markers."""
    before, start, rest = document.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    assert end, "the document has both markers"
    return f"{before}{start}\n{tables}\n{end}{after}"


def _cost_table(by_key: dict[Key, list[Measurement]]) -> str:
    rows = []
    for assistants, latency, contestant in dict.fromkeys(key[:3] for key in sorted(by_key, key=lambda key: key[:2])):
        costs = [_median_cost(by_key[assistants, latency, contestant, phase]) for phase in PHASES]
        cells = [f"{cost.wall:.2f} / {cost.cpu:.2f} / {cost.peak:.0f}" for cost in costs]
        rows.append([f"{assistants:,}", f"{latency:g} ms", contestant, *cells])
    return _table(["assistants", "latency", "", *PHASES], rows)


def _goal_table(by_key: dict[Key, list[Measurement]]) -> str:
    rows = []
    for assistants, latency in dict.fromkeys(key[:2] for key in sorted(by_key)):
        goals = GOALS.get(assistants) if latency == 0 else None
        size = [f"{assistants:,}", f"{latency:g} ms"]
        for phase in PHASES:
            ours = by_key.get((assistants, latency, OURS, phase), [])
            for base in BASES:
                theirs = by_key.get((assistants, latency, base, phase), [])
                pairs = list(zip(ours, theirs, strict=False))
                if not pairs:
                    continue
                wall = median(one.cost.wall / other.cost.wall for one, other in pairs)
                cpu = median(one.cost.cpu / other.cost.cpu for one, other in pairs)
                goal = goals.ratios[phase] if goals and goals.base == base else None
                name = f"{phase} ÷ {base}"
                rows.append([*size, name, f"{wall:.3g} ×", f"{cpu:.3g} ×", *_judge(goal, " ×", wall, cpu)])
                if phase == "full" and goals and goals.without_models and goals.base == base and ours[0].steps:
                    wall = median(_without_models(one) / other.cost.wall for one, other in pairs)
                    name = f"{phase}, without models, ÷ {base}"
                    rows.append([*size, name, f"{wall:.3g} ×", "", *_judge(goals.without_models, " ×", wall)])
        ours = [each for phase in PHASES for each in by_key.get((assistants, latency, OURS, phase), [])]
        if ours:
            peak = max(each.cost.peak for each in ours)
            goal = goals.peak if goals else None
            rows.append([*size, "most memory of all phases", f"{peak:.0f} MB", "", *_judge(goal, " MB", peak)])
    return _table(["assistants", "latency", "", "wall", "CPU", "goal", "met"], rows)


def _without_models(measurement: Measurement) -> float:
    """Wall seconds without the steps that build and check the models."""
    steps = _group_steps(measurement)
    return measurement.cost.wall - sum(steps.get(name, 0.0) for name in MODEL_STEPS)


def _judge(goal: float | None, unit: str, *values: float) -> list[str]:
    """The goal, and whether all values keep it; empty where there is no goal."""
    if goal is None:
        return ["", ""]
    return [f"≤ {goal:g}{unit}", "yes" if all(value <= goal for value in values) else "**no**"]


def _step_table(by_key: dict[Key, list[Measurement]]) -> str:
    """Empty where no run log has steps. `start, end`: what is outside of all steps, mostly imports."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for assistants, latency, contestant, phase in sorted(by_key, key=lambda key: key[:2]):
        runs = by_key[assistants, latency, contestant, phase]
        if any(each.steps for each in runs):
            parts = [_group_steps(each) for each in runs]
            medians = {name: median(part.get(name, 0.0) for part in parts) for part in parts for name in part}
            found[f"{assistants:,}", f"{latency:g} ms", phase] = medians
    names = list(dict.fromkeys(name for medians in found.values() for name in medians))
    rows = [[*place, *(f"{medians.get(name, 0):.2f}" for name in names)] for place, medians in found.items()]
    return _table(["assistants", "latency", "phase", *names], rows)


def _group_steps(measurement: Measurement) -> dict[str, float]:
    """Seconds by the first word of a step: `work: copy` and `work: sweep` are both `work`."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for name, value in measurement.steps.items():
        seconds[name.partition(":")[0]] += value
    return {**seconds, "start, end": measurement.cost.wall - sum(seconds.values())}


def _walk_table(walks: Iterable[WalkMeasurement]) -> str:
    by_key: defaultdict[tuple[int, float, str], list[WalkMeasurement]] = defaultdict(list)
    for each in walks:
        by_key[each.assistants, each.latency, each.account].append(each)
    rows = []
    for (assistants, latency, account), runs in sorted(by_key.items()):
        seconds, cpu = median(each.seconds for each in runs), median(each.cpu for each in runs)
        bound = runs[0].bound
        ratio = seconds / bound if bound else None
        goal = WALK_GOAL if ratio and assistants >= WALK_GOAL_FROM else None
        cells = [f"{assistants:,}", f"{latency:g} ms", account, str(runs[0].pages), f"{seconds:.2f}", f"{cpu:.2f}"]
        cells += [f"{bound:.2f}", f"{ratio:.3g} ×"] if ratio else ["", ""]
        rows.append([*cells, *_judge(goal, " ×", ratio or 0)])
    header = ["assistants", "latency", "account", "pages", "wall s", "CPU s", "bound s", "ratio", "goal", "met"]
    return _table(header, rows)


def _median_cost(measured: Sequence[Measurement]) -> Cost:
    costs = [each.cost for each in measured]
    return Cost(
        median(cost.wall for cost in costs), median(cost.cpu for cost in costs), median(cost.peak for cost in costs)
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a cell of the first columns is left out where it repeats the one above. Empty without rows."""
    if not rows:
        return ""
    shown = [list(rows[0])]
    for above, row in pairwise(rows):
        same = next((place for place in range(2) if above[place] != row[place]), 2)
        shown.append([""] * same + list(row[same:]))
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *shown])
