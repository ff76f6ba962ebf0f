"""The page as HTML: the figures in a template, packed blocks of data, and a policy that lets nothing else run or load.

Jinja escapes everything. The policy allows the script and the style by their hash, so injected attributes and elements
cannot run or style anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources
from typing import Any, Final

import jinja2
from markupsafe import Markup

from puretalk.dashboard.answers import Scalar
from puretalk.dashboard.figures import ChartFigure, Figures, TileFigure
from puretalk.dashboard.history import Histories, pack
from puretalk.dashboard.members import Match, Members
from puretalk.dashboard.script import read_script
from puretalk.dashboard.spec import Spec

#: Number of colours; further series share the last one.
COLOURS: Final = 8

#: The style sheets, in the order in which a later one has the last word.
STYLES: Final = ("dashboard.css", "reading.css", "narrow.css", "forced_colours.css", "print.css")

#: Most rows in the data view of a chart; the SQL next to them gives all of them.
DATA_ROWS: Final = 500


def render_page(
    spec: Spec,
    figures: Figures,
    histories: Histories,
    *,
    include_prompts: bool,
    now: datetime,
    stale_after: timedelta,
) -> str:
    """The whole page, self-contained."""
    script, style = read_script(), _style()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("puretalk.dashboard"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_without_nul,
    )
    environment.filters.update(shown=shown, change=_change, slug=_slug)
    environment.globals.update(
        bar_width=_bar_width, stack=_stack, spark=_spark, line=_line, step=_step, DATA_ROWS=DATA_ROWS, COLOURS=COLOURS
    )
    finished_at = figures.last_sync.finished_at
    return environment.get_template("page.html.j2").render(
        spec=spec,
        figures=figures,
        sections=figures.sections(spec),
        ids=list(figures.assistants),
        charts={figure.chart.id: figure for figure in figures.charts},
        filled=[figure.table.id for figure in figures.tables if not figure.is_empty],
        policy=policy,
        script=Markup(script),
        style=Markup(style),
        data=pack(_data(spec, figures, histories, include_prompts, stale_after)),
        chunks=histories.chunks,
        include_prompts=include_prompts,
        synced_at=None if finished_at is None else finished_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        made_at=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        is_stale=finished_at is not None and now - finished_at > stale_after,
    )


def _style() -> str:
    files = [resources.files(__package__).joinpath(name) for name in STYLES]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    if "</" in text:
        raise AssertionError("a style sheet cannot hold the end of an element")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _without_nul(value: object) -> object:
    """HTML cannot hold NUL; a prompt may."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) and "\x00" in value else value


def _data(
    spec: Spec, figures: Figures, histories: Histories, include_prompts: bool, stale_after: timedelta
) -> dict[str, Any]:
    """What the script needs: the same figures by assistant, so that it can add up the rows that a filter leaves."""
    return {
        "ids": list(figures.assistants),
        "names": list(figures.assistants.values()),
        "deleted": {str(place): deleted_at for place, deleted_at in figures.deleted.items()},
        "chunkOf": histories.chunk_of,
        "lastSync": figures.last_sync.started_at,
        "hasPrompts": include_prompts,
        "staleSeconds": stale_after.total_seconds(),
        "colours": COLOURS,
        "dataRows": DATA_ROWS,
        "tiles": [
            {
                "id": one.tile.id,
                "aggregate": one.tile.aggregate,
                "format": one.tile.format,
                "chart": one.tile.chart,
                "members": _packed_members(one.members),
            }
            for one in figures.tiles
        ],
        "charts": [
            {
                "id": one.chart.id,
                "title": one.chart.title,
                "kind": one.chart.kind,
                "aggregate": one.chart.aggregate,
                "format": one.chart.format,
                "order": one.chart.order,
                "limit": one.chart.limit,
                "labels": one.labels,
                "marks": one.marks,
                "series": one.series,
                "members": _packed_members(one.members),
            }
            for one in figures.charts
            if one.chart.kind != "line"
        ],
        "tables": [
            {
                "id": one.table.id,
                "title": one.table.title,
                "pageSize": one.table.page_size,
                "since": one.table.since,
                "tab": one.table.tab,
                "titles": one.rows.titles,
                "formats": one.rows.formats,
                "columns": one.rows.columns,
                "assistants": one.assistants,
                "matches": _packed_matches(one.matches),
                "versions": one.versions,
            }
            for one in figures.tables
            if not one.is_empty
        ],
        "details": [
            {
                "id": detail.id,
                "title": detail.title,
                "tab": detail.tab,
                "kind": detail.kind,
                "titles": histories.columns[detail.id][0],
                "formats": histories.columns[detail.id][1],
                "changes": histories.columns[f"{detail.id}.changes"][0] if detail.changes else None,
                "fields": dict(detail.fields),
            }
            for detail in spec.details
        ],
    }


def _packed_members(members: Members | None) -> dict[str, Any] | None:
    if members is None:
        return None
    return {
        "assistants": members.assistants,
        "labels": members.labels,
        "series": members.series,
        "values": members.values,
        "matches": _packed_matches(members.matches),
    }


def _packed_matches(matches: Mapping[str, Match]) -> dict[str, Any]:
    return {chart_id: {"labels": one.labels, "series": one.series} for chart_id, one in matches.items()}


def shown(value: Scalar, format_: str = "text") -> str:
    """A value as the page writes it; `shown` in script/values.js does the same."""
    if value is None or value == "":
        return "–"
    if format_ == "bool":
        return "yes" if value else "no"
    if format_ == "time":
        return str(value)[:16].replace("T", " ")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if format_ == "percent":
        return _rounded(value * 100, 1) + "%"
    if format_ == "seconds":
        return _rounded(value, 1) + " s"
    return _rounded(value, 0 if format_ == "integer" else 3)


def _rounded(value: float, digits: int) -> str:
    exact = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{exact:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _change(figure: TileFigure) -> str:
    """`+3` or `−1.2 pts`; `no change` for none."""
    delta = figure.delta or 0
    is_share = figure.tile.format == "percent"
    text = _rounded(abs(delta) * (100 if is_share else 1), 1)
    if text == "0":
        return "no change"
    return ("+" if delta > 0 else "−") + text + (" pts" if is_share else "")


def _slug(text: str | None) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in (text or "").lower())


def _bar_width(value: float, largest: float) -> str:
    """Width of a bar in percent of the widest; a value above 0 is always visible."""
    if largest <= 0 or value <= 0:
        return "0"
    return f"{max(value / largest * 100, 0.8):.1f}"


def _stack(figure: ChartFigure) -> list[list[tuple[str, str, int]]]:
    """For each label, the parts of its column from the bottom: y and height in percent, index of the colour."""
    largest = max((figure.total(label) for label in range(len(figure.labels))), default=0)
    columns = []
    for values in figure.values:
        parts: list[tuple[str, str, int]] = []
        top = 100.0
        for place, value in enumerate(values):
            if value and largest:
                height = value / largest * 100
                top -= height
                parts.append((f"{top:.2f}", f"{height:.2f}", min(place, COLOURS - 1)))
        columns.append(parts)
    return columns


def _spark(trend: Sequence[tuple[str, float | None]]) -> str:
    """The points of a small line in a box of 100 by 28."""
    return _points([value for _, value in trend], 100, 28, from_zero=False)


def _line(figure: ChartFigure) -> str:
    return _points([values[0] for values in figure.values], 100, 40, from_zero=True)


def _points(values: Sequence[float | None], width: int, height: int, *, from_zero: bool) -> str:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = (0.0 if from_zero else min(known)), max(known)
    scale = (height - 4) / (high - low) if high > low else 0.0
    across = width / (len(known) - 1)
    floor = height - 2 if high > low or from_zero else height / 2
    return " ".join(f"{place * across:.2f},{floor - (value - low) * scale:.2f}" for place, value in enumerate(known))


def _step(labels: Sequence[str], most: int) -> int:
    """n, to label every nth column with at most `most` labels."""
    return max(1, -(-len(labels) // most))
