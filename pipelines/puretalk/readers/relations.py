"""The tables and views of a snapshot that are for readers, and the columns of one: `puretalk tables`."""

from __future__ import annotations

import duckdb

from puretalk.database import quote_literal, quote_name
from puretalk.readers.connection import SCHEMAS


def list_relations(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """A row for each table and view, schema by schema: schema, name, kind, rows, description."""
    found = connection.execute(
        """SELECT schema_name, table_name, 'table', comment FROM duckdb_tables()
           WHERE database_name = current_database() AND list_contains($schemas, schema_name)
           UNION ALL
           SELECT schema_name, view_name, 'view', comment FROM duckdb_views()
           WHERE database_name = current_database() AND NOT internal AND list_contains($schemas, schema_name)
           ORDER BY list_position($schemas, schema_name), 2""",
        {"schemas": list(SCHEMAS)},
    ).fetchall()
    counted = []
    for schema, name, kind, comment in found:
        facts = ", ".join(map(quote_literal, (schema, name, kind, comment)))
        counted.append(f"SELECT {facts}, count(*) FROM {quote_name(schema, name)}")
    return connection.sql(
        f"""SELECT "schema", "name", kind, "rows", description
            FROM ({" UNION ALL ".join(counted)}) AS relations("schema", "name", kind, description, "rows")"""
    )


def list_columns(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> duckdb.DuckDBPyRelation:
    """A row for each column of a table or view, in their order: name, type, description."""
    return connection.sql(
        """SELECT column_name AS "name", data_type AS "type", comment AS description FROM duckdb_columns()
           WHERE database_name = current_database() AND schema_name = $schema AND table_name = $name
           ORDER BY column_index""",
        params={"schema": schema, "name": name},
    )
