"""The data dictionary: every table, view and column with type and meaning, as Markdown and as one HTML page.

None of it is written by hand: types come from building the models over an empty warehouse, meanings from `tables` and
the YAML files of the models, the lineage from what each model reads.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from jinja2 import Environment
from markupsafe import Markup

from puretalk.catalogue import TABLES
from puretalk.database import quote_name
from puretalk.models.build import build_models
from puretalk.models.comments import describe_column
from puretalk.models.model import Model, sql_folder
from puretalk.models.project import read_project
from puretalk.schema import CATALOG, SQL_TYPES, STORAGE_SCHEMA
from puretalk.warehouse.work_file import SNAPSHOT_INFO_COLUMNS, SNAPSHOT_INFO_DESCRIPTION

_LAYERS: Mapping[str, str] = {
    STORAGE_SCHEMA: "The normalized layer: what `puretalk sync` loads, one to one. It is DuckDB's default schema, so "
    f"`assistants`, `{CATALOG}.assistants` and `{CATALOG}.{STORAGE_SCHEMA}.assistants` name the same table.",
    "staging": "Views on the normalized layer in the analysts' words, one for each table.",
    "intermediate": "Steps that several marts share. They exist while the models are built and are not published.",
    "_internal": "What a build keeps for the next one. Readers need none of it; it may change with any release.",
    "marts": "What analysts and BI tools read.",
}


@dataclass(frozen=True)
class Described:
    """A relation of the dictionary; `columns` are (name, DuckDB type, meaning); its SQL answers `question`."""

    schema: str
    name: str
    description: str
    question: str
    columns: tuple[tuple[str, str, str], ...]
    reads: tuple[str, ...]

    @property
    def relation(self) -> str:
        """schema.name"""
        return f"{self.schema}.{self.name}"


def describe_warehouse(folder: Path | None = None) -> list[Described]:
    """All relations, layer by layer, from models that are built over empty tables in memory."""
    folder = folder or sql_folder()
    with duckdb.connect() as connection:
        _create_tables(connection)
        build_models(connection, sql_dirs=[folder])
        project = read_project(connection, [folder])
        types = {
            (relation, column): type_
            for relation, column, type_ in connection.execute(
                "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE NOT internal ORDER BY column_index"
            ).fetchall()
        }
    described = [
        Described(
            STORAGE_SCHEMA,
            table.name,
            table.description,
            "",
            tuple((column.name, SQL_TYPES[column.type], column.description) for column in table.columns),
            (),
        )
        for table in TABLES.values()
    ]
    info = tuple((name, type_, text) for name, (type_, text) in SNAPSHOT_INFO_COLUMNS.items())
    described.append(Described(STORAGE_SCHEMA, "snapshot_info", SNAPSHOT_INFO_DESCRIPTION, "", info, ()))
    for model in sorted(project.models, key=_place):
        columns = tuple(
            (column, type_, describe_column(model, column, project.properties) or "")
            for (relation, column), type_ in types.items()
            if relation == model.relation
        )
        reads = tuple(dict.fromkeys(reference.relation for reference in model.references))
        description = project.properties.model(model.name).description or ""
        described.append(Described(model.schema, model.name, description, _question(model), columns, reads))
    return described


def data_dictionary_markdown() -> str:
    """The dictionary as Markdown; `docs/data-dictionary.md` is this text."""
    lines = ["# Data dictionary", "", "Made by `puretalk docs`; do not edit. Times are UTC.", ""]
    relations = describe_warehouse()
    for schema, meaning in _LAYERS.items():
        lines += [f"## Schema `{schema}`", "", meaning, ""]
        for relation in relations:
            if relation.schema != schema:
                continue
            lines += [f"### {relation.name}", "", _in_markdown(relation.description)]
            if relation.reads:
                lines += ["", "Reads " + ", ".join(f"`{name}`" for name in relation.reads) + "."]
            if relation.columns:
                lines += ["", "| column | type | meaning |", "|---|---|---|"]
                lines += [f"| `{name}` | {type_} | {_in_markdown(text)} |" for name, type_, text in relation.columns]
            lines.append("")
    return "\n".join(lines)


def data_dictionary_html() -> str:
    """The dictionary as one self-contained HTML page: no script, no font, no outside address."""
    relations = describe_warehouse()
    layers = [
        (schema, meaning.replace("`", ""), [relation for relation in relations if relation.schema == schema])
        for schema, meaning in _LAYERS.items()
    ]
    style_hash = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(_PAGE)
        .render(layers=layers, style=Markup(_STYLE), style_hash=style_hash, lineage=_draw_lineage(relations))
    )


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for table in TABLES.values():
        columns = ", ".join(f"{quote_name(column.name)} {SQL_TYPES[column.type]}" for column in table.columns)
        connection.execute(f"CREATE TABLE {quote_name(STORAGE_SCHEMA, table.name)} ({columns})")


def _place(model: Model) -> tuple[int, int, str]:
    """Layer by layer; staging in the order of the tables that it reads, the rest by name."""
    read = [reference.name for reference in model.references if reference.schema == STORAGE_SCHEMA]
    table = list(TABLES).index(read[0]) if read else 0
    return list(_LAYERS).index(model.schema), table, model.name


def _question(model: Model) -> str:
    """The question in the second line of the model's header."""
    for line in model.sql.splitlines()[:2]:
        if line.startswith("-- Question:"):
            return line.removeprefix("-- Question:").strip()
    return ""


def _in_markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


# The drawing: one column of boxes for each layer, and a line from each relation to those that read it.
_BOX_WIDTH, _BOX_HEIGHT, _GAP, _COLUMN_WIDTH, _MARGIN = 230, 22, 8, 330, 10


@dataclass(frozen=True)
class _Box:
    relation: str
    name: str
    layer: int
    x: int
    y: int


def _draw_lineage(relations: Sequence[Described]) -> Markup:
    boxes: dict[str, _Box] = {}
    for layer, schema in enumerate(_LAYERS):
        for place, relation in enumerate(entry for entry in relations if entry.schema == schema):
            x, y = _MARGIN + layer * _COLUMN_WIDTH, _MARGIN + place * (_BOX_HEIGHT + _GAP)
            boxes[relation.relation] = _Box(relation.relation, relation.name, layer, x, y)
    lines = [
        _line(boxes[read], boxes[relation.relation])
        for relation in relations
        for read in relation.reads
        if read in boxes
    ]
    width = (len(_LAYERS) - 1) * _COLUMN_WIDTH + _BOX_WIDTH + 60
    height = max(box.y for box in boxes.values()) + _BOX_HEIGHT + _MARGIN
    return Markup(
        Environment(autoescape=True)
        .from_string(_DRAWING)
        .render(boxes=boxes.values(), lines=lines, width=width, height=height, w=_BOX_WIDTH, h=_BOX_HEIGHT)
    )


def _line(start: _Box, end: _Box) -> tuple[str, str]:
    """A curve and its title; between boxes of one layer the curve bends to the right."""
    title = f"{start.relation} → {end.relation}"
    x1, y1, y2 = start.x + _BOX_WIDTH, start.y + _BOX_HEIGHT // 2, end.y + _BOX_HEIGHT // 2
    if start.layer == end.layer:
        return f"M{x1},{y1} C{x1 + 50},{y1} {x1 + 50},{y2} {x1},{y2}", title
    x2, bend = end.x, (end.x - x1) // 2
    return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}", title


_DRAWING = """<svg class="lineage" role="img" aria-label="Lineage of the models" viewBox="0 0 {{ width }} {{ height }}">
{% for path, title in lines %}<path d="{{ path }}"><title>{{ title }}</title></path>
{% endfor %}{% for box in boxes %}<a href="#{{ box.relation }}"><rect x="{{ box.x }}" y="{{ box.y }}"
 width="{{ w }}" height="{{ h }}" rx="4"/><text x="{{ box.x + 8 }}" y="{{ box.y + 15 }}">{{ box.name }}</text></a>
{% endfor %}</svg>"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5b6470; --line: #d5dae1; --paper: #ffffff; --box: #eef3fb;
  --mark: #2457a8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a4adb8; --line: #39414b; --paper: #15181c; --box: #1f2a3a; --mark: #8ab4f8; }
}
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--mark); }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2rem 0 0; font-family: ui-monospace, monospace; }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
td:first-child, td:nth-child(2) { white-space: nowrap; font-family: ui-monospace, monospace; font-size: .88em; }
.lineage { min-width: 60rem; width: 100%; font: 12px ui-monospace, monospace; }
.lineage path { fill: none; stroke: var(--soft); stroke-opacity: .45; }
.lineage path:hover { stroke: var(--mark); stroke-opacity: 1; stroke-width: 2; }
.lineage rect { fill: var(--box); stroke: var(--line); }
.lineage a:hover rect, .lineage a:focus rect { stroke: var(--mark); }
.lineage text { fill: var(--ink); }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'sha256-{{ style_hash }}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>puretalk data dictionary</title>
<style>{{ style }}</style>
</head>
<body>
<h1>puretalk data dictionary</h1>
<p class="soft">Made by puretalk docs. Times are UTC.</p>
<div class="scroll">{{ lineage }}</div>
{% for schema, meaning, relations in layers %}
<h2>Schema {{ schema }}</h2>
<p>{{ meaning }}</p>
{% for relation in relations %}
<h3 id="{{ relation.relation }}">{{ relation.name }}</h3>
<p>{{ relation.description }}</p>
{% if relation.question and relation.schema != "marts" %}
<p class="soft">{{ relation.question }}</p>
{% endif %}
{% if relation.reads %}
<p class="soft">Reads
{% for name in relation.reads %}<a href="#{{ name }}">{{ name }}</a>{{ "," if not loop.last else "." }}
{% endfor %}</p>
{% endif %}
{% if relation.columns %}
<div class="scroll"><table>
<thead><tr><th scope="col">column</th><th scope="col">type</th><th scope="col">meaning</th></tr></thead>
<tbody>
{% for name, type, text in relation.columns %}
<tr><td>{{ name }}</td><td>{{ type }}</td><td>{{ text }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{% endif %}
{% endfor %}
{% endfor %}
</body>
</html>
"""
