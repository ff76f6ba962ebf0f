"""A destination of dlt that speaks SQL: what it holds, and the one transaction that changes it.

dlt connects, creates the tables, and loads the rows that are on their way into the dataset puretalk_incoming. Plain SQL
then moves them: where the engine has transactions, its readers get all tables of one snapshot at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.schema.utils import new_table
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from puretalk.database import quote_literal
from puretalk.errors import ConfigurationError
from puretalk.replication.snapshot import OWNER, Part, Parts, Relation, RelationColumn

if TYPE_CHECKING:
    import pyarrow as pa
    from dlt.destinations.sql_client import SqlClientBase

INCOMING = "puretalk_incoming"
#: What the engine holds: a row for each part. It is in the dataset of the normalized tables.
MARKER = Relation(
    "puretalk",
    "",
    "replica_parts",
    "One row: the rows of one assistant in one table, as they were replicated.",
    (
        RelationColumn("relation", "text", "Dataset and name of the table."),
        RelationColumn("part", "text", "assistant_id; empty for a table that has none."),
        RelationColumn("row_count", "bigint", "Rows of the part."),
        RelationColumn("digest", "text", "Digest of the rows; NULL on its way: the part is to be removed."),
    ),
)
#: Engines with COMMENT ON for tables and columns.
_WITH_COMMENTS = frozenset({"postgres", "duckdb", "snowflake"})


class Engine:
    """The destination NAME, as .dlt/secrets.toml and the environment configure it. `folder`: for dlt's own files."""

    def __init__(self, name: str, folder: Path) -> None:
        Container()[PluggableRunContext].reload(
            os.environ["DLT_PROJECT_DIR"]
        )  # a sync in the same process read other settings
        self._name, self._folder = name, folder
        pipeline = self._pipeline("puretalk")
        self.kind = pipeline.destination.destination_type.rpartition(".")[2]
        if self.kind in ("lancedb", "qdrant", "weaviate", "destination", "dummy"):
            raise ConfigurationError(
                f"the destination {name} is of the type {self.kind}: only those with SQL can be replicated to",
                action="Name a destination with SQL: docs/engines.md.",
            )
        self._client: SqlClientBase[Any] = pipeline.sql_client()
        # None where dlt does not say: PostgreSQL and DuckDB, which have them.
        self._has_transactions = self._client.capabilities.supports_transactions is not False

    @property
    def refuses_nul(self) -> bool:
        """Whether text cannot hold U+0000, nor JSON a lone surrogate."""
        return self.kind in ("postgres", "redshift")

    def read_parts(self, relations: Iterable[Relation]) -> Parts:
        """The parts that the engine is known to hold. A part whose rows are not as many as the marker says is not
        among them as it was: its digest is empty."""
        with self._client as client:
            marked = {
                (relation, part): Part(count, digest)
                for relation, part, count, digest in self._rows(client, MARKER, "relation, part, row_count, digest", "")
            }
            held = {key: mark for key, mark in marked.items() if not key[0]}
            for relation in relations:
                owner = f"coalesce({OWNER}, '')"
                counts = dict(
                    self._rows(client, relation, f"{owner}, count(*)", f"GROUP BY {owner}")
                    if relation.is_by_assistant
                    else self._rows(client, relation, "'', count(*)", "")
                )
                known = {part for name, part in marked if name == relation.full_name}
                for part in known | counts.keys():
                    mark = marked.get((relation.full_name, part), Part(0, ""))
                    count = counts.get(part, 0)
                    held[relation.full_name, part] = mark if mark.row_count == count else Part(count, "")
        return held

    def create(self, relations: list[Relation]) -> None:
        """Create the tables and columns that are missing."""
        for dataset in sorted({relation.dataset for relation in relations}):
            here = [relation for relation in relations if relation.dataset == dataset]
            pipeline = self._pipeline(dataset)
            schema = dlt.Schema(dataset)
            for relation in here:
                schema.update_table(
                    new_table(relation.name, write_disposition="append", columns=column_hints(relation))
                )
            schema._bump_version()  # dlt creates the tables of a finished schema only
            with pipeline._get_destination_clients(schema)[0] as client:
                client.initialize_storage()
                with self._client as sql:
                    if any(not self._exists(sql, relation) for relation in here):
                        with contextlib.suppress(DatabaseUndefinedRelation):  # dlt trusts its note of what there is
                            sql.execute_sql(f"DELETE FROM {self._place(sql, dataset, '_dlt_version')}")
                client.update_stored_schema()

    def load(self, tables: Iterable[tuple[Relation, Iterator[pa.Table]]]) -> None:
        """Put rows into the dataset of what is on its way, in place of what was there."""
        resources = [
            dlt.resource(
                rows,
                name=relation.incoming_name,
                columns=column_hints(relation),
                write_disposition="replace",
            )
            for relation, rows in tables
        ]
        # dlt would choose CSV for Arrow into PostgreSQL, in which an empty text and NULL are the same.
        options: dict[str, Any] = {"loader_file_format": "insert_values"} if self.kind == "postgres" else {}
        self._pipeline(INCOMING).run(resources, **options)

    def take_over(self, relations: Iterable[Relation], described: Iterable[Relation]) -> None:
        """Replace the parts that are named in the incoming marker by the incoming rows, describe tables, and note it:
        one transaction, where there are any. Without, the note is removed first and written last."""
        with self._client as client, client.begin_transaction() if self._has_transactions else contextlib.nullcontext():
            incoming = self._place(client, INCOMING, MARKER.incoming_name)
            target = self._place(client, MARKER.dataset, MARKER.name)
            client.execute_sql(
                f"DELETE FROM {target} WHERE EXISTS (SELECT 1 FROM {incoming} AS incoming "
                f"WHERE incoming.relation = {target}.relation AND incoming.part = {target}.part)"
            )
            for relation in relations:
                place = self._place(client, relation.dataset, relation.name)
                named = f"SELECT part FROM {incoming} WHERE relation = {quote_literal(relation.full_name)}"
                condition = f" WHERE coalesce({OWNER}, '') IN ({named})" if relation.is_by_assistant else ""
                client.execute_sql(f"DELETE FROM {place}{condition}")
                self._insert(client, relation, "")
            for relation in described:
                self._describe(client, relation)
            self._insert(client, MARKER, "WHERE digest IS NOT NULL")

    def _describe(self, client: SqlClientBase[Any], relation: Relation) -> None:
        """Give a table its primary key, and it and its columns their descriptions, where the engine has them."""
        place = self._place(client, relation.dataset, relation.name)
        if self.kind == "postgres" and relation.key:
            name = client.escape_column_name(f"{relation.name}_key")
            client.execute_sql(f"ALTER TABLE {place} DROP CONSTRAINT IF EXISTS {name}")
            columns = ", ".join(map(client.escape_column_name, relation.key))
            client.execute_sql(f"ALTER TABLE {place} ADD CONSTRAINT {name} PRIMARY KEY ({columns})")
        if self.kind in _WITH_COMMENTS:
            client.execute_sql(f"COMMENT ON TABLE {place} IS {quote_literal(relation.description)}")
            for column in relation.columns:
                path = f"{place}.{client.escape_column_name(column.name)}"
                client.execute_sql(f"COMMENT ON COLUMN {path} IS {quote_literal(column.description)}")

    def _insert(self, client: SqlClientBase[Any], relation: Relation, condition: str) -> None:
        columns = ", ".join(client.escape_column_name(column.name) for column in relation.columns)
        place = self._place(client, relation.dataset, relation.name)
        incoming = self._place(client, INCOMING, relation.incoming_name)
        client.execute_sql(f"INSERT INTO {place} ({columns}) SELECT {columns} FROM {incoming} {condition}")

    def _exists(self, client: SqlClientBase[Any], relation: Relation) -> bool:
        try:
            client.execute_sql(f"SELECT 1 FROM {self._place(client, relation.dataset, relation.name)} WHERE 1 = 0")
        except DatabaseUndefinedRelation:
            return False
        return True

    def _rows(self, client: SqlClientBase[Any], relation: Relation, columns: str, rest: str) -> list[Any]:
        """Rows of a table; none where it does not exist."""
        try:
            place = self._place(client, relation.dataset, relation.name)
            return list(client.execute_sql(f"SELECT {columns} FROM {place} {rest}") or ())
        except DatabaseUndefinedRelation:
            return []

    def _place(self, client: SqlClientBase[Any], dataset: str, name: str) -> str:
        with client.with_alternative_dataset_name(dataset):
            return client.make_qualified_table_name(name)

    def _pipeline(self, dataset: str) -> dlt.Pipeline:
        return dlt.pipeline(
            f"replicate_{dataset}",
            pipelines_dir=str(self._folder),
            destination=self._name,
            dataset_name=dataset,
        )


def column_hints(relation: Relation) -> list[Any]:
    """The columns in the words of dlt."""
    return [
        {"name": column.name, "data_type": column.type, "nullable": column.name not in relation.key}
        for column in relation.columns
    ]
