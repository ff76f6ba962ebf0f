"""What is said to each kind of engine in its own words. PostgreSQL and DuckDB also run it, in the other files."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from puretalk.replication.dialects import DIALECTS, PLAIN
from puretalk.replication.snapshot import Relation, RelationColumn

RELATION = Relation(
    "puretalk",
    "main",
    "calls",
    "One row: a \\ in a 'call'.\nTwo lines.",
    (
        RelationColumn("call_id", "text", "The caller's id."),
        RelationColumn("started_at", "timestamp", "UTC."),
        RelationColumn("cost", "double", ""),
        RelationColumn("extra", "json", "a {brace}"),
    ),
    ("call_id",),
)
#: The class with which dlt reads the credentials.
CREDENTIALS = {
    "snowflake": "SnowflakeCredentials",
    "bigquery": "GcpServiceAccountCredentials",
    "databricks": "DatabricksCredentials",
    "clickhouse": "ClickHouseCredentials",
    "motherduck": "MotherDuckCredentials",
    "duckdb": "DuckDbCredentials",
}
QUOTES = {"bigquery": "`", "databricks": "`", "clickhouse": "`"}


def quoted(kind: str, name: str) -> str:
    quote = QUOTES.get(kind, '"')
    return f"{quote}{name}{quote}"


def parsed(kind: str, statement: str) -> exp.Expr:
    return sqlglot.parse_one(statement, dialect={"motherduck": "duckdb"}.get(kind, kind))


@pytest.mark.parametrize("kind", [kind for kind, dialect in DIALECTS.items() if dialect.digest])
def test_a_digest_is_of_every_column_and_in_the_language_of_the_engine(kind: str) -> None:
    digest = DIALECTS[kind].digest
    assert digest is not None
    columns = [(quoted(kind, column.name), column.type) for column in RELATION.columns]
    select = parsed(kind, f"SELECT {digest(columns)} AS held_digest FROM calls GROUP BY assistant_id")
    [projection] = select.expressions
    assert {column.name for column in projection.find_all(exp.Column)} == {column.name for column in RELATION.columns}


@pytest.mark.parametrize("kind", [kind for kind, dialect in DIALECTS.items() if dialect.table_comment])
def test_a_description_arrives_with_its_quotes_lines_and_backslashes(kind: str) -> None:
    dialect = DIALECTS[kind]
    about_table, *about_columns = dialect.describe(RELATION, "puretalk.calls", lambda name: quoted(kind, name))
    assert parsed(kind, about_table).find(exp.Literal).this == RELATION.description  # type: ignore[union-attr]
    if kind == "clickhouse":  # sqlglot does not know its COMMENT COLUMN
        assert about_columns[0] == r"ALTER TABLE puretalk.calls COMMENT COLUMN `call_id` 'The caller\'s id.'"
        return
    said = [parsed(kind, statement).find(exp.Literal).this for statement in about_columns]  # type: ignore[union-attr]
    assert said == ([] if kind == "bigquery" else [column.description for column in RELATION.columns])


def test_an_engine_that_nobody_described_gets_no_statement_of_its_own() -> None:
    assert PLAIN.describe(RELATION, "puretalk.calls", str) == []
    assert PLAIN.digest is None


def test_the_documented_configuration_is_what_dlt_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text("utf-8")
    [text] = [block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "snowflake" in block]
    destinations = tomllib.loads(text)["destination"]
    assert set(destinations) == set(CREDENTIALS) == set(DIALECTS) - {"postgres", "redshift"}
    for kind, configured in destinations.items():
        module = importlib.import_module(f"dlt.destinations.impl.{kind}.configuration")
        credentials, given = getattr(module, CREDENTIALS[kind]), configured["credentials"]
        if isinstance(given, str):
            made = credentials(given)
            assert (made.password or "PASSWORD") in ("PASSWORD", "TOKEN"), kind
        else:
            assert set(given) <= set(credentials.get_resolvable_fields()), kind
