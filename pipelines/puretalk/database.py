"""What every room that opens a DuckDB file needs: a connection that loads nothing from the network, and SQL quoting."""

from __future__ import annotations

#: Options for every connection: DuckDB must not download an extension.
OFFLINE: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": "false"}


def quote_literal(text: str | None) -> str:
    """The text as an SQL literal; NULL for None. For statements that take no parameters: COMMENT ON, ATTACH."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def quote_name(*parts: str) -> str:
    """A name, or a dotted path of names, as SQL identifiers: `"main"."assistants"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
