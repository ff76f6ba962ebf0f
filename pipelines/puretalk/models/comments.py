"""The descriptions of relations and columns, as comments in the database."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from puretalk.catalogue import TABLES
from puretalk.database import change_catalog, quote_literal, quote_name
from puretalk.models.model import Model, quote_relation
from puretalk.models.properties import Properties
from puretalk.schema import STORAGE_SCHEMA


def describe_column(model: Model, column: str, properties: Properties) -> str | None:
    """The column's description: its own, else that of the same column in the one table of the normalized layer that
    the model reads."""
    for own in properties.model(model.name).columns:
        if own.name == column and own.description:
            return own.description
    for reference in model.references:
        if reference.schema == STORAGE_SCHEMA and reference.name in TABLES:
            try:
                return TABLES[reference.name].column(column).description
            except KeyError:
                continue
    return None


def write_comments(
    connection: duckdb.DuckDBPyConnection, models: Sequence[Model], properties: Properties, *, are_new: bool = False
) -> None:
    """COMMENT ON for each relation and column of the models whose comment is not its description.

    `are_new`: the relations have just been created, so they have no comments; reading those of all takes longer.
    """
    now = _list_columns(connection, models, properties) if are_new else _read_comments(connection)
    by_relation = {model.relation: model for model in models}
    statements = []
    for model in models:
        if model.kind == "temporary":
            continue
        description = properties.model(model.name).description
        if now.get((model.relation, None)) != description:
            kind = "VIEW" if model.kind == "view" else "TABLE"
            statements.append(f"COMMENT ON {kind} {quote_relation(model.relation)} IS {quote_literal(description)}")
    for (relation, column), comment in now.items():
        found = by_relation.get(relation)
        if found is None or column is None:
            continue
        description = describe_column(found, column, properties)
        if comment != description:
            target = quote_name(found.schema, found.name, column)
            statements.append(f"COMMENT ON COLUMN {target} IS {quote_literal(description)}")
    change_catalog(connection, statements)


def _read_comments(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str | None], str | None]:
    """The comments of all relations (column None) and columns."""
    rows = connection.execute(_EXISTING_COMMENTS).fetchall()
    return {(relation, column): comment for relation, column, comment in rows}


def _list_columns(
    connection: duckdb.DuckDBPyConnection, models: Sequence[Model], properties: Properties
) -> dict[tuple[str, str | None], str | None]:
    """The columns of the models, as `_read_comments` gives them where there are no comments."""
    return {
        (model.relation, column): None
        for model in models
        if model.kind != "temporary"
        for column in properties.model(model.name).types
        or [name for name, *_ in connection.execute(f"DESCRIBE {quote_relation(model.relation)}").fetchall()]
    }


_EXISTING_COMMENTS = """
    SELECT schema_name || '.' || table_name, NULL AS column_name, comment FROM duckdb_tables()
    WHERE database_name = current_database()
    UNION ALL
    SELECT schema_name || '.' || view_name, NULL, comment FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal
    UNION ALL
    SELECT schema_name || '.' || table_name, column_name, comment FROM duckdb_columns()
    WHERE database_name = current_database() AND NOT internal
"""
