"""What the dashboard shows, as declared in `spec.yml` and in the user's own file that is merged into it.

    charts:
      - title: Assistants by time zone
        sql: SELECT assistant_id, timezone AS label FROM marts.dim_assistants WHERE is_live

Columns with a meaning: `assistant_id` (the row takes part in filters), `label`, `series`, `value`, `mark` (a badge next
to the label), `position` (orders labels), `moment` (of a line or a trend), `version_number` (of a table: which version
of the assistant the row is about). docs/dashboard.md explains every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from puretalk.errors import ConfigurationError

AGGREGATES: Final = ("count", "assistants", "sum", "share")
FORMATS: Final = ("integer", "number", "percent", "seconds")
CHART_KINDS: Final = ("bars", "columns", "matrix", "line", "chips")
DETAIL_KINDS: Final = ("settings", "texts", "tree", "table", "timeline", "compare")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "aggregate": AGGREGATES,
    "format": FORMATS,
    "good": ("up", "down", "neither"),
    "order": ("value", "label"),
}


#: Chart id → the column with the label of that chart, or the columns with its label and its series. The filter of that
#: chart narrows the rows themselves; without a match, it narrows the assistants that they belong to.
Match = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Tile:
    """One number: `aggregate` over the rows of `sql`; `trend` (moment, value) gives the change and the small line."""

    id: str
    title: str
    sql: str
    section: str = ""
    aggregate: str = "count"
    format: str = "integer"
    trend: str = ""
    delta_days: int = 7
    delta_note: str = ""
    good: str = "neither"
    note: str = ""
    chart: str = ""
    """Id of a chart whose parts are listed under the number."""
    match: Match = field(default_factory=dict)
    opens: Mapping[str, str] = field(default_factory=dict)
    """Table id → the cut-off with which the number leads there: `sync`, `friday` or `7d`."""


@dataclass(frozen=True)
class Chart:
    """Rows of `sql` (label and, by kind, series, value, mark, position), added up by label and series."""

    id: str
    title: str
    sql: str
    section: str = ""
    kind: str = "bars"
    aggregate: str = "count"
    format: str = "integer"
    order: str = "value"
    limit: int = 8
    width: int = 4
    step_days: int = 0
    note: str = ""
    match: Match = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of `sql` as they are; the column aliases are the headings. A column whose alias begins with `_` is not
    shown. `since` is the column of times that a cut-off narrows; `tab` is the one at which an assistant opens."""

    id: str
    title: str
    sql: str
    section: str = ""
    page_size: int = 10
    since: str = ""
    tab: str = ""
    width: int = 12
    note: str = ""
    match: Match = field(default_factory=dict)


@dataclass(frozen=True)
class Detail:
    """A part of the view of one assistant, shown in `tab`. Only a timeline has `changes`."""

    id: str
    title: str
    sql: str
    tab: str = "Settings"
    kind: str = "table"
    changes: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of settings and texts: column → the path in the configuration that it shows, for the view of an older version."""


@dataclass(frozen=True)
class Spec:
    title: str
    sections: tuple[str, ...]
    tiles: tuple[Tile, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]
    details: tuple[Detail, ...]


_Item = TypeVar("_Item", Tile, Chart, Table, Detail)


def load_spec(own: Path | None = None) -> Spec:
    """The built-in spec with `own` merged in. ConfigurationError names the file, the item and its fault."""
    built_in = resources.files(__package__).joinpath("spec.yml").read_text(encoding="utf-8")
    merged = _parsed(built_in, "spec.yml")
    if own is not None:
        try:
            text = own.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The dashboard spec {own} cannot be read: {error}") from error
        merged = _merge(merged, _parsed(text, str(own)), str(own))
    sections = list(merged["sections"])
    tiles = _items(Tile, merged["tiles"], sections[0])
    charts = _items(Chart, merged["charts"], sections[0])
    tables = _items(Table, merged["tables"], sections[0])
    used = [*(tile.section for tile in tiles), *(chart.section for chart in charts), *(one.section for one in tables)]
    for section in used:
        if section not in sections:
            sections.append(section)
    chart_ids = {chart.id for chart in charts}
    # A tile whose chart is hidden keeps its number and loses its parts.
    tiles = tuple(tile if tile.chart in chart_ids else replace(tile, chart="") for tile in tiles)
    return Spec(str(merged["title"]), tuple(sections), tiles, charts, tables, _items(Detail, merged["details"], ""))


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"The dashboard spec {name} is not valid YAML: {error}") from error
    if not isinstance(parsed, dict):
        raise ConfigurationError(f"The dashboard spec {name} is not a mapping with keys such as charts:")
    known = {"title": str, "sections": list, "tiles": list, "charts": list, "tables": list, "details": list}
    for key, value in parsed.items():
        if key not in known:
            raise ConfigurationError(
                f"The dashboard spec {name} has the unknown key {key!r}; known: {', '.join(known)}"
            )
        if not isinstance(value, known[key]):
            raise ConfigurationError(f"In the dashboard spec {name}, {key} must be a {known[key].__name__}")
    for key in ("tiles", "charts", "tables", "details"):
        parsed[key] = [_identified(item, key, name) for item in parsed.get(key, [])]
    return parsed


def _identified(item: object, key: str, name: str) -> dict[str, Any]:
    if not isinstance(item, dict) or not (item.get("id") or item.get("title")):
        raise ConfigurationError(f"In the dashboard spec {name}, an item of {key} has neither id nor title: {item!r}")
    identity = str(item.get("id") or re.sub(r"\W+", "_", str(item["title"]).lower()).strip("_"))
    if not re.fullmatch(r"\w+", identity):
        raise ConfigurationError(f"In the dashboard spec {name}, the id {identity!r} is not made of letters and digits")
    return {**item, "id": identity}


def _merge(base: dict[str, Any], own: dict[str, Any], name: str) -> dict[str, Any]:
    merged = {"title": own.get("title", base["title"])}
    merged["sections"] = [str(section) for section in own.get("sections", base["sections"])] or base["sections"]
    for key in ("tiles", "charts", "tables", "details"):
        items = {item["id"]: item for item in base[key]}
        for item in own[key]:
            items[item["id"]] = {**items.get(item["id"], {}), **item, "from": name}
        merged[key] = [item for item in items.values() if not item.get("hide")]
    return merged


def _items(kind: type[_Item], raw: list[dict[str, Any]], section: str) -> tuple[_Item, ...]:
    return tuple(_item(kind, item, section) for item in raw)


def _item(kind: type[_Item], raw: Mapping[str, Any], section: str) -> _Item:
    noun, known = kind.__name__.lower(), {one.name: one for one in fields(kind)}
    name = f"the {noun} {raw['id']!r}" + (f" in {raw['from']}" if "from" in raw else "")
    values = {key: value for key, value in raw.items() if key not in ("from", "hide")}
    if unknown := sorted(str(key) for key in values.keys() - known.keys()):
        raise ConfigurationError(f"{name} has the unknown key {unknown[0]!r}; known: {', '.join(known)}")
    for one in known.values():
        if one.name not in values:
            if one.default is MISSING and one.default_factory is MISSING:
                raise ConfigurationError(f"{name} has no {one.name}")
            continue
        wanted = {"str": str, "int": int}.get(str(one.type), Mapping)
        if not isinstance(values[one.name], wanted) or isinstance(values[one.name], bool):
            raise ConfigurationError(f"{name}: {one.name} must be {one.type}, not {values[one.name]!r}")
        choices = _choices(kind, one.name)
        if choices and values[one.name] not in choices:
            raise ConfigurationError(f"{name}: {one.name} must be one of {', '.join(choices)}")
    if "section" in known:
        values["section"] = values.get("section") or section
    if not values["sql"].strip():
        raise ConfigurationError(f"{name} has no SQL")
    values["sql"] = values["sql"].strip().rstrip(";")
    return kind(**values)


def _choices(kind: type[object], name: str) -> tuple[str, ...]:
    if name == "kind":
        return CHART_KINDS if kind is Chart else DETAIL_KINDS
    return _CHOICES.get(name, ())
