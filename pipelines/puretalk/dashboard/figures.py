"""The figures of the page: the results of the SQL of a spec, added up where a chart or a tile asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import duckdb

from puretalk.dashboard.answers import Rows, Scalar, fetch
from puretalk.dashboard.members import (
    Axes,
    Match,
    Members,
    label_text,
    numeric,
    read_matches,
    read_members,
    read_series,
)
from puretalk.dashboard.spec import Chart, Spec, Table, Tile
from puretalk.errors import ConfigurationError, WarehouseError

#: Days that the small line of a tile covers.
TREND_DAYS: Final = 90

_AGGREGATES: Final[Mapping[str, str]] = {
    "count": "count(*)",
    "assistants": "count(DISTINCT assistant_id)",
    "sum": "sum(value)",
    "share": "avg(value)",
}


@dataclass(frozen=True)
class TileFigure:
    tile: Tile
    value: float | None
    delta: float | None
    trend: list[tuple[str, float | None]]
    members: Members | None
    sql: str


@dataclass(frozen=True)
class ChartFigure:
    """`values[label][series]` is None where there is no row; labels are in the order in which they are drawn."""

    chart: Chart
    labels: list[str]
    marks: list[str | None]
    series: list[str]
    values: list[list[float | None]]
    members: Members | None
    sql: str

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw; a line needs two points."""
        return len(self.labels) < (2 if self.chart.kind == "line" else 1)

    @property
    def adds_up(self) -> bool:
        """Whether the sum of all columns or bars means something; shares and distinct assistants do not add up."""
        return self.chart.kind in ("bars", "columns") and self.chart.aggregate in ("count", "sum")

    def sum(self) -> float:
        return sum(self.total(label) for label in range(len(self.labels)))

    def total(self, label: int) -> float:
        return sum(value or 0 for value in self.values[label])


@dataclass(frozen=True)
class TableFigure:
    """`assistants[row]` is the place of the row's assistant, `versions[row]` the number of the version that it is
    about; None where the SQL has no such column."""

    table: Table
    rows: Rows
    assistants: list[int | None] | None
    matches: Mapping[str, Match]
    versions: list[Scalar] | None
    sql: str

    @property
    def is_empty(self) -> bool:
        return not len(self.rows)


@dataclass(frozen=True)
class LastSync:
    """The newest run that published, and how many have; `finished_at` is None for a snapshot that no sync wrote."""

    started_at: str
    finished_at: datetime | None
    is_settled: bool
    is_exact: bool
    held: int
    syncs: int


@dataclass(frozen=True)
class Figures:
    """`assistants`: id → name, or the id where there is none, in the order that gives each its place; `deleted`: place
    → deleted_at."""

    assistants: Mapping[str, str]
    deleted: Mapping[int, str]
    last_sync: LastSync
    tiles: list[TileFigure]
    charts: list[ChartFigure]
    tables: list[TableFigure]

    def sections(self, spec: Spec) -> list[str]:
        """The sections of the page; while there is no assistant, only those that have something to show."""
        filled = {one.tile.section for one in self.tiles}
        filled |= {one.chart.section for one in self.charts if not one.is_empty}
        filled |= {one.table.section for one in self.tables if not one.is_empty}
        return [section for section in spec.sections if section in filled or self.assistants]

    def awaits_second_sync(self, section: str) -> bool:
        """Whether a section is about changes, and only one sync has been."""
        is_about_versions = any(one.versions is not None for one in self.tables if one.table.section == section)
        return self.last_sync.syncs < 2 and is_about_versions

    def empty(self, section: str) -> list[str]:
        """The titles of what has nothing to show in a section: it gets one line instead of a card each."""
        charts = [one.chart.title for one in self.charts if one.is_empty and one.chart.section == section]
        return charts + [one.table.title for one in self.tables if one.is_empty and one.table.section == section]


def read_figures(connection: duckdb.DuckDBPyConnection, spec: Spec) -> Figures:
    """Run the SQL of tiles, charts and tables. ConfigurationError names the item whose SQL does not run."""
    try:
        known = connection.execute(
            "SELECT assistant_id, coalesce(assistant_name, assistant_id), is_live, "
            "strftime(deleted_at, '%Y-%m-%dT%H:%M:%SZ') FROM marts.dim_assistants ORDER BY assistant_name, assistant_id"
        ).fetchall()
        last = connection.execute(
            "SELECT strftime(started_at, '%Y-%m-%dT%H:%M:%SZ'), epoch_us(finished_at), is_settled, is_exact, "
            "held_count, count(*) OVER () FROM marts.rpt_sync_health ORDER BY started_at DESC LIMIT 1"
        ).fetchall()
    except duckdb.Error as error:
        raise WarehouseError(
            f"The snapshot has no marts to read: {error}", action="Run `puretalk build` or `puretalk sync`."
        ) from error
    places = {row[0]: place for place, row in enumerate(known)}
    answers = {chart.id: _chart_rows(connection, chart) for chart in spec.charts}
    charts = [_chart_figure(connection, chart, answers[chart.id]) for chart in spec.charts]
    axes = {figure.chart.id: _axes(figure) for figure in charts if figure.chart.kind != "line"}
    return Figures(
        assistants={assistant_id: name for assistant_id, name, _, _ in known},
        deleted={place: deleted_at for place, (_, _, is_live, deleted_at) in enumerate(known) if not is_live},
        last_sync=_last_sync(last),
        tiles=[_tile_figure(connection, tile, places, axes) for tile in spec.tiles],
        charts=[
            replace(figure, members=read_members(answers[figure.chart.id], places, figure.chart, axes))
            for figure in charts
        ],
        tables=[_table_figure(connection, table, places, axes) for table in spec.tables],
    )


def _last_sync(rows: Sequence[tuple[Any, ...]]) -> LastSync:
    if not rows:
        return LastSync("", None, True, True, 0, 0)
    started_at, finished_us, is_settled, is_exact, held, syncs = rows[0]
    finished_at = None
    if finished_us is not None:
        finished_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=finished_us)
    return LastSync(started_at or "", finished_at, is_settled is not False, is_exact is not False, held or 0, syncs)


def _tile_figure(
    connection: duckdb.DuckDBPyConnection, tile: Tile, places: Mapping[str, int], axes: Mapping[str, Axes]
) -> TileFigure:
    item = f"the tile {tile.id!r}"
    rows = fetch(connection, tile.sql, item)
    sql = f"SELECT {_AGGREGATES[tile.aggregate]} AS value\nFROM (\n{_indented(tile.sql)}\n)"
    total = fetch(connection, sql, item).column("value")
    trend = _trend(fetch(connection, f"{tile.trend}\nORDER BY moment", item)) if tile.trend else []
    members = read_members(rows, places, tile, axes)
    return TileFigure(tile, numeric(total[0] if total else None), _delta(trend, tile.delta_days), trend, members, sql)


def _trend(rows: Rows) -> list[tuple[str, float | None]]:
    columns = zip(rows.column("moment"), rows.column("value"), strict=True)
    points = [(str(moment), numeric(value)) for moment, value in columns]
    if not points:
        return []
    first_day = date.fromisoformat(points[-1][0][:10]) - timedelta(days=TREND_DAYS)
    return [point for point in points if date.fromisoformat(point[0][:10]) > first_day]


def _delta(trend: Sequence[tuple[str, float | None]], days: int) -> float | None:
    if not trend or trend[-1][1] is None:
        return None
    day = date.fromisoformat(trend[-1][0][:10]) - timedelta(days=days)
    before = [value for moment, value in trend if date.fromisoformat(moment[:10]) <= day and value is not None]
    return trend[-1][1] - before[-1] if before else None


def _chart_rows(connection: duckdb.DuckDBPyConnection, chart: Chart) -> Rows:
    item = f"the chart {chart.id!r}"
    if chart.kind == "line":
        return fetch(connection, f"{chart.sql}\nORDER BY moment", item)
    rows = fetch(connection, chart.sql, item)
    if "label" not in rows.titles:
        raise ConfigurationError(f"The SQL of {item} in the dashboard spec gives no column named label")
    return rows


def _chart_figure(connection: duckdb.DuckDBPyConnection, chart: Chart, rows: Rows) -> ChartFigure:
    """The figure, without members: those need the labels of all charts."""
    if chart.kind == "line":
        labels = [str(moment) for moment in rows.column("moment")]
        values = [[numeric(value)] for value in rows.column("value")]
        return ChartFigure(chart, labels, [None] * len(labels), [""], values, None, chart.sql)
    groups = ["label"] + (["series"] if "series" in rows.titles else [])
    names = ", ".join(groups)
    sql = (
        f"SELECT {names}, {_AGGREGATES[chart.aggregate]} AS value\nFROM (\n{_indented(chart.sql)}\n)\nGROUP BY {names}"
    )
    answer = fetch(connection, sql, f"the chart {chart.id!r}")
    cells: dict[tuple[str, str], float | None] = {}
    for label, one, value in zip(answer.column("label"), read_series(answer), answer.column("value"), strict=True):
        cells[label_text(label), one] = numeric(value)

    marks: dict[str, str] = {}
    positions: dict[str, float] = {}
    columns = zip(rows.column("label"), rows.column("mark"), rows.column("position"), strict=True)
    for label, mark, position in columns:
        if mark is not None:
            marks[label_text(label)] = str(mark)
        if (number := numeric(position)) is not None:
            positions[label_text(label)] = min(number, positions.get(label_text(label), math.inf))

    totals: dict[str, float] = {}
    series_totals: dict[str, float] = {}
    for (label, one), value in cells.items():
        totals[label] = totals.get(label, 0) + (value or 0)
        series_totals[one] = series_totals.get(one, 0) + (value or 0)
    by_label: Callable[[str], tuple[float, str]] = lambda label: (positions.get(label, math.inf), label)  # noqa: E731
    labels = sorted(totals, key=by_label)
    if chart.kind in ("bars", "matrix") and chart.order == "value":
        weights = totals if chart.kind == "bars" else _weights(rows)
        labels.sort(key=lambda label: -weights.get(label, 0))
    if chart.kind == "columns":
        labels = _steps(labels, chart.step_days)[-chart.limit :]
    order = sorted(series_totals, key=lambda one: (-series_totals[one], one)) if chart.kind == "columns" else None
    series = order or list(dict.fromkeys(read_series(rows)))
    values = [[cells.get((label, one)) for one in series] for label in labels]
    return ChartFigure(chart, labels, [marks.get(label) for label in labels], series, values, None, sql)


def _weights(rows: Rows) -> dict[str, float]:
    weights: dict[str, float] = {}
    for label in rows.column("label"):
        weights[label_text(label)] = weights.get(label_text(label), 0) + 1
    return weights


def _steps(labels: list[str], days: int) -> list[str]:
    """Dates with the missing ones filled in, so that a quiet week is drawn as a gap."""
    if not days or not labels:
        return labels
    try:
        first, last = date.fromisoformat(labels[0]), date.fromisoformat(labels[-1])
    except ValueError:
        return labels
    return [(first + timedelta(days=step)).isoformat() for step in range(0, (last - first).days + 1, days)]


def _table_figure(
    connection: duckdb.DuckDBPyConnection, table: Table, places: Mapping[str, int], axes: Mapping[str, Axes]
) -> TableFigure:
    rows = fetch(connection, table.sql, f"the table {table.id!r}")
    if table.since and table.since not in rows.titles:
        raise ConfigurationError(f"The table {table.id!r} in the dashboard spec has no column {table.since!r}")
    matches = read_matches(rows, table, axes)
    assistants = (
        [places.get(str(one)) for one in rows.column("assistant_id")] if "assistant_id" in rows.titles else None
    )
    versions = rows.column("version_number") if "version_number" in rows.titles else None
    hidden = ("assistant_id", "version_number", *(title for title in rows.titles if title.startswith("_")))
    for title in hidden:
        rows = rows.without(title)
    return TableFigure(table, rows, assistants, matches, versions, table.sql)


def _axes(figure: ChartFigure) -> Axes:
    return Axes(
        {label: place for place, label in enumerate(figure.labels)},
        {one: place for place, one in enumerate(figure.series)},
    )


def _indented(sql: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in sql.splitlines())
