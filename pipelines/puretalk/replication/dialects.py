"""What an engine can do beyond the SQL that all engines share: a digest of its rows, descriptions, keys.

docs/engines.md says which of it was run, and which follows the engine's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from puretalk.database import quote_literal
from puretalk.replication.snapshot import Relation


@dataclass(frozen=True)
class Dialect:
    """What one kind of engine can do. The templates take {table}, {column} and {text}; "" where there is none."""

    #: From the quoted columns, each with its type in the words of dlt, to a digest of all rows that does not depend
    #: on their order, nor on the settings of a session. The result is text.
    digest: Callable[[Iterable[tuple[str, str]]], str] | None = None
    table_comment: str = ""
    column_comment: str = ""
    literal: Callable[[str], str] = quote_literal
    has_primary_keys: bool = False
    #: Whether descriptions can be a part of the transaction that takes rows over. Elsewhere they end a transaction.
    describes_in_transaction: bool = False
    #: Whether text cannot hold U+0000, nor JSON a lone surrogate.
    refuses_nul: bool = False

    def describe(self, relation: Relation, place: str, quote: Callable[[str], str]) -> list[str]:
        """The statements that give the table at `place` and its columns their descriptions."""
        statements = []
        if self.table_comment:
            statements.append(self.table_comment.format(table=place, text=self.literal(relation.description)))
        if self.column_comment:
            statements += [
                self.column_comment.format(
                    table=place, column=quote(column.name), text=self.literal(column.description)
                )
                for column in relation.columns
            ]
        return statements


def _in_backslashes(text: str) -> str:
    """A literal for engines to which a backslash means something, and two quotes do not mean one."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _names(columns: Iterable[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in columns)


#: PostgreSQL writes these as text in the way that a session asks for; their binary form is always the same.
_POSTGRES_BINARY = {"timestamp": "timestamptz_send", "double": "float8send", "date": "date_send"}


def _digest_in_postgres(columns: Iterable[tuple[str, str]]) -> str:
    values = ", ".join(
        f"encode({_POSTGRES_BINARY[type_]}({name}), 'hex')" if type_ in _POSTGRES_BINARY else name
        for name, type_ in columns
    )
    return f"CAST(sum(('x' || substr(md5(CAST(ROW({values}) AS text)), 1, 15))::bit(60)::bigint) AS text)"


def _digest_in_duckdb(columns: Iterable[tuple[str, str]]) -> str:
    return f"CAST(sum(hash({_names(columns)})) AS VARCHAR)"


def _digest_in_snowflake(columns: Iterable[tuple[str, str]]) -> str:
    return f"CAST(hash_agg({_names(columns)}) AS VARCHAR)"


def _digest_in_bigquery(columns: Iterable[tuple[str, str]]) -> str:
    row = f"to_json_string(STRUCT({_names(columns)}))"
    return f"CAST(sum(CAST(farm_fingerprint({row}) AS NUMERIC)) AS STRING)"


def _digest_in_databricks(columns: Iterable[tuple[str, str]]) -> str:
    values = ", ".join(f"{name}, {name} IS NULL" for name, _ in columns)  # xxhash64 passes over NULL
    return f"CAST(sum(CAST(xxhash64({values}) AS DECIMAL(38, 0))) AS STRING)"


def _digest_in_clickhouse(columns: Iterable[tuple[str, str]]) -> str:
    return f"toString(sum(cityHash64(tuple({_names(columns)}))))"


_COMMENT_ON_TABLE = "COMMENT ON TABLE {table} IS {text}"
_COMMENT_ON_COLUMN = "COMMENT ON COLUMN {table}.{column} IS {text}"

#: What an engine of no kind below can do.
PLAIN = Dialect()
_DUCKDB = Dialect(
    digest=_digest_in_duckdb,
    table_comment=_COMMENT_ON_TABLE,
    column_comment=_COMMENT_ON_COLUMN,
    describes_in_transaction=True,
)
#: By the type of the destination, as dlt names it.
DIALECTS: Mapping[str, Dialect] = {
    "postgres": Dialect(
        digest=_digest_in_postgres,
        table_comment=_COMMENT_ON_TABLE,
        column_comment=_COMMENT_ON_COLUMN,
        has_primary_keys=True,
        describes_in_transaction=True,
        refuses_nul=True,
    ),
    "redshift": Dialect(refuses_nul=True),
    "duckdb": _DUCKDB,
    "motherduck": _DUCKDB,
    "snowflake": Dialect(
        digest=_digest_in_snowflake,
        table_comment=_COMMENT_ON_TABLE,
        column_comment=_COMMENT_ON_COLUMN,
        literal=_in_backslashes,
    ),
    "bigquery": Dialect(
        # A description of a column is set when the column is created: an ALTER for each would be above BigQuery's
        # limit of changes to one table in ten seconds.
        digest=_digest_in_bigquery,
        table_comment="ALTER TABLE {table} SET OPTIONS (description = {text})",
        literal=_in_backslashes,
    ),
    "databricks": Dialect(
        digest=_digest_in_databricks,
        table_comment=_COMMENT_ON_TABLE,
        column_comment="ALTER TABLE {table} ALTER COLUMN {column} COMMENT {text}",
        literal=_in_backslashes,
    ),
    "clickhouse": Dialect(
        digest=_digest_in_clickhouse,
        table_comment="ALTER TABLE {table} MODIFY COMMENT {text}",
        column_comment="ALTER TABLE {table} COMMENT COLUMN {column} {text}",
        literal=_in_backslashes,
    ),
}
