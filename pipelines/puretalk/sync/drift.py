"""Schema drift, short enough for a log, a message and a column: the most frequent differences, and how many more.

An account can have as many unknown fields as it likes, with names of any length. `extra` keeps them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set

#: Differences that a run records by name.
MOST_RECORDED = 100
#: Names that one message shows.
MOST_SHOWN = 10
#: Characters of a name; a longer one is cut.
LONGEST_NAME = 100


def count_drift(drift: Mapping[str, Set[str]]) -> dict[str, int]:
    """Difference → in how many assistants, the most frequent first; from `difference → ids`. Differences beyond
    MOST_RECORDED are one entry, "and N more"."""
    cut: dict[str, set[str]] = {}
    for name, ids in drift.items():
        cut.setdefault(_cut(name), set()).update(ids)
    ranked = sorted(cut, key=lambda name: (-len(cut[name]), name))
    counts = {name: len(cut[name]) for name in ranked[:MOST_RECORDED]}
    rest = ranked[MOST_RECORDED:]
    if rest:
        counts[f"and {len(rest):,} more"] = len(set().union(*(cut[name] for name in rest)))
    return counts


def name_some(names: Iterable[str]) -> str:
    """Names for one line: at most MOST_SHOWN of them, none too long, and how many more there are."""
    found: Collection[str] = list(names)
    shown = [_cut(name) for name in found][:MOST_SHOWN]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
