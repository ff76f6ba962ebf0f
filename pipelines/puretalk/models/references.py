"""Which relations a SELECT reads, found by DuckDB's own parser (`json_serialize_sql`) without binding anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import duckdb

from puretalk.json_values import JSONValue
from puretalk.models.parsed import ParsedFiles


class UnreadableSQLError(ValueError):
    """The text is not one SELECT; `line` (from 1) is where the parser stopped."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Reference:
    """A relation as a SELECT names it, in lower case; `position` is its place in the text in bytes of UTF-8."""

    catalog: str
    schema: str
    name: str
    position: int

    @property
    def relation(self) -> str:
        """schema.name, or the name alone where no schema was written."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


#: What says nothing of relations is left out of the answer.
_SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"
#: SQL → what it reads, which follows from the text alone: a process that builds again asks the parser once.
_FOUND: dict[str, tuple[Reference, ...]] = {}


def find_references(
    connection: duckdb.DuckDBPyConnection, sql: str, parsed: ParsedFiles | None = None
) -> tuple[Reference, ...]:
    """The relations that one SELECT reads, in the order of the text; names of its own CTEs are not among them.

    Of the connection only the parser is used, and that only where neither this process nor `parsed` knows the text.
    Raises UnreadableSQLError where the text is not exactly one SELECT.
    """

    def list_references(text: str) -> JSONValue:
        if text not in _FOUND:
            _FOUND[text] = _parse(connection, text)
        return [[found.catalog, found.schema, found.name, found.position] for found in _FOUND[text]]

    found = cast("list[tuple[str, str, str, int]]", (parsed or ParsedFiles()).find(sql, list_references))
    return tuple(Reference(*fields) for fields in found)


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Reference, ...]:
    [(text,)] = connection.execute(_SERIALIZE, [sql]).fetchall()
    answer = json.loads(text)
    if answer.get("error"):
        line = sql.encode()[: int(answer.get("position") or 0)].decode(errors="ignore").count("\n") + 1
        raise UnreadableSQLError(str(answer["error_message"]), line)
    if len(answer["statements"]) != 1:
        raise UnreadableSQLError("a model is exactly one SELECT", 1)
    found = sorted(_walk(answer["statements"][0], frozenset()), key=lambda reference: reference.position)
    return tuple(found)


def _walk(node: Any, hidden: frozenset[str]) -> Iterator[Reference]:
    """`hidden` are the names of the CTEs that are in scope."""
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, hidden)
    elif isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            name = str(node["table_name"]).lower()
            schema = str(node.get("schema_name") or "").lower()
            if schema or name not in hidden:
                catalog = str(node.get("catalog_name") or "").lower()
                yield Reference(catalog, schema, name, int(node["query_location"]))
        rest = dict(node)
        entries = (rest.pop("cte_map", None) or {}).get("map") or []
        for entry in entries:
            name = str(entry["key"]).lower()
            query = entry["value"]
            is_recursive = query["query_node"]["type"] == "RECURSIVE_CTE_NODE"
            yield from _walk(query, hidden | {name} if is_recursive else hidden)
            hidden = hidden | {name}
        for value in rest.values():
            if isinstance(value, dict | list):
                yield from _walk(value, hidden)
