"""The rows behind tiles, charts and tables, as the page's script filters them: places in lists instead of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from puretalk.dashboard.answers import Rows, Scalar
from puretalk.dashboard.spec import Chart, Table, Tile
from puretalk.errors import ConfigurationError

#: The text for a label or series that is NULL or empty.
NONE: Final = "(none)"

#: What a row has in a chart: the place of a label (or series), places of several; -1 for one that is not drawn.
Place = int | list[int]


@dataclass(frozen=True)
class Match:
    """By row, what it has in another chart. `series` is None where rows do not tell them apart."""

    labels: list[Place]
    series: list[Place] | None


@dataclass(frozen=True)
class Members:
    """Rows that take part in filtering: places of assistants and, for a chart, of its own labels and series; values;
    and by chart what its filter sees in them."""

    assistants: list[int]
    labels: list[int]
    series: list[int]
    values: list[float | None] | None
    matches: Mapping[str, Match]


@dataclass(frozen=True)
class Axes:
    """The places of a chart's labels and series."""

    labels: Mapping[str, int]
    series: Mapping[str, int]


def read_matches(rows: Rows, item: Tile | Chart | Table, axes: Mapping[str, Axes]) -> dict[str, Match]:
    """What the rows of an item have in the charts that it names; a chart that the user's own spec hides is none."""
    found = {}
    for chart_id, named in item.match.items():
        columns = [named] if isinstance(named, str) else list(named)
        for column in columns:
            if column not in rows.titles:
                kind = type(item).__name__.lower()
                raise ConfigurationError(
                    f"The {kind} {item.id!r} in the dashboard spec has no column {column!r} to match"
                )
        if chart_id in axes:
            labels, series = axes[chart_id].labels, axes[chart_id].series
            found[chart_id] = Match(
                [_places(value, labels) for value in rows.column(columns[0])],
                [_places(value, series) for value in rows.column(columns[1])] if len(columns) > 1 else None,
            )
    return found


def _places(value: Scalar, axis: Mapping[str, int]) -> Place:
    """The place of a text; or the places of its lines, if the text is a list."""
    text = label_text(value)
    if text in axis or "\n" not in text:
        return axis.get(text, -1)
    return [axis[line] for line in text.split("\n") if line in axis]


def read_members(rows: Rows, places: Mapping[str, int], item: Tile | Chart, axes: Mapping[str, Axes]) -> Members | None:
    if "assistant_id" not in rows.titles or (item.id not in axes and isinstance(item, Chart)):
        return None
    own = axes[item.id] if isinstance(item, Chart) else None
    matches = read_matches(rows, item, axes)
    lists = [one for each in matches.values() for one in (each.labels, each.series) if one is not None]
    found = []
    columns = zip(
        rows.column("assistant_id"), rows.column("label"), read_series(rows), rows.column("value"), strict=True
    )
    for row, (assistant_id, label, one, value) in enumerate(columns):
        place = places.get(str(assistant_id))
        if place is None or (own is not None and label_text(label) not in own.labels):
            continue
        mine = (own.labels[label_text(label)], own.series[str(one)]) if own else (0, 0)
        found.append((place, *mine, numeric(value), [each[row] for each in lists]))
    # SQL without ORDER BY gives rows in any order; sorted, the same snapshot makes the same page.
    found.sort(key=lambda row: (row[:3], row[3] is None, row[3] or 0, str(row[4])))
    ordered = iter([[row[4][number] for row in found] for number in range(len(lists))])
    return Members(
        assistants=[row[0] for row in found],
        labels=[row[1] for row in found] if own else [],
        series=[row[2] for row in found] if own else [],
        values=[row[3] for row in found] if "value" in rows.titles else None,
        matches={
            chart_id: Match(next(ordered), None if each.series is None else next(ordered))
            for chart_id, each in matches.items()
        },
    )


def read_series(rows: Rows) -> list[str]:
    if "series" not in rows.titles:
        return [""] * len(rows)
    return [label_text(one) for one in rows.column("series")]


def label_text(value: Scalar) -> str:
    return NONE if value is None or value == "" else str(value)


def numeric(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
