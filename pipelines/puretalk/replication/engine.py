"""A destination of dlt that speaks SQL: what it holds, and the one transaction that changes it.

dlt connects, creates the tables, and loads the rows that are on their way into the dataset puretalk_incoming. Plain SQL
then moves them: where the engine has transactions, its readers get all tables of one snapshot at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.schema.utils import new_table
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from puretalk.database import quote_literal
from puretalk.errors import ConfigurationError
from puretalk.replication.dialects import DIALECTS, PLAIN
from puretalk.replication.snapshot import OWNER, Part, Parts, Relation, RelationColumn
from puretalk.warehouse.lock import is_in_data_dir

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
        RelationColumn(
            "held_digest",
            "text",
            "What the engine computed from the rows that it got; NULL where none can. In a lake: digest of the table's "
            "last commit and of its files.",
        ),
    ),
)


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
        if self.kind == "duckdb":
            refuse_data_dir(Path(self._client.credentials.database), name)
        # None where dlt does not say: PostgreSQL and DuckDB, which have them.
        self._has_transactions = self._client.capabilities.supports_transactions is not False
        self.dialect = DIALECTS.get(self.kind, PLAIN)

    def read_parts(self, relations: Iterable[Relation]) -> Parts:
        """The parts that the engine holds. A part whose rows are not as many as the marker says, or have another digest
        now than when they came, is not among them as it was: its digest is empty."""
        with self._client as client:
            marked = {
                (relation, part): (Part(count, digest), held_digest or "")
                for relation, part, count, digest, held_digest in self._read_marker(client)
            }
            held = {key: mark for key, (mark, _) in marked.items() if not key[0]}
            for relation in relations:
                found = {part: (count, digest or "") for part, count, digest in self._read_held(client, relation)}
                known = {part for name, part in marked if name == relation.full_name}
                for part in known | found.keys():
                    mark, digest_then = marked.get((relation.full_name, part), (Part(0, ""), ""))
                    count, digest_now = found.get(part, (0, ""))
                    is_as_it_was = (count, digest_now) == (mark.row_count, digest_then)
                    held[relation.full_name, part] = mark if is_as_it_was else Part(count, "")
        return held

    def expect_ours(self, relations: Iterable[Relation]) -> None:
        """Raise ConfigurationError where a table of the same name has rows, and nothing says that puretalk made it."""
        incoming = replace(MARKER, dataset=INCOMING, name=MARKER.incoming_name)
        with self._client as client:
            if self._find_columns(client, MARKER) or self._find_columns(client, incoming):
                return
            for relation in relations:
                count = f"SELECT count(*) FROM {self._place(client, relation.dataset, relation.name)}"
                if self._find_columns(client, relation) and client.execute_sql(count) != [(0,)]:
                    raise foreign_table(relation, self._name)

    def _read_marker(self, client: SqlClientBase[Any]) -> list[Any]:
        if not self._find_columns(client, MARKER):
            return []
        columns = ", ".join(column.name for column in MARKER.columns)
        return list(
            client.execute_sql(f"SELECT {columns} FROM {self._place(client, MARKER.dataset, MARKER.name)}") or ()
        )

    def _read_held(self, client: SqlClientBase[Any], relation: Relation) -> list[Any]:
        """Of each part that has rows: its name, their number, the engine's digest. None if a column is missing."""
        present = self._find_columns(client, relation)
        if not all(column.name.lower() in present for column in relation.columns):
            return []
        return list(client.execute_sql(self._select_held(client, relation, "")) or ())

    def _select_held(self, client: SqlClientBase[Any], relation: Relation, condition: str) -> str:
        """A query for the parts that have rows: part, row_count, and the engine's digest, empty where it has none."""
        quoted = [(client.escape_column_name(column.name), column.type) for column in relation.columns]
        digest = self.dialect.digest(quoted) if self.dialect.digest else "''"
        place = self._place(client, relation.dataset, relation.name)
        group = f" GROUP BY {_part(relation)}" if relation.is_by_assistant else ""
        return (
            f"SELECT {_part(relation)} AS part, count(*) AS row_count, {digest} AS held_digest "
            f"FROM {place}{condition}{group}"
        )

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
                    if any(not self._find_columns(sql, relation) for relation in here):
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
        with self._client as client:
            if not self.dialect.describes_in_transaction:
                self._describe(client, described)
            with client.begin_transaction() if self._has_transactions else contextlib.nullcontext():
                incoming = self._place(client, INCOMING, MARKER.incoming_name)
                target = self._place(client, MARKER.dataset, MARKER.name)
                # No relation's name has a blank. Not every engine lets a subquery refer to the table of the DELETE.
                key = "relation || ' ' || part"
                client.execute_sql(f"DELETE FROM {target} WHERE {key} IN (SELECT {key} FROM {incoming})")
                for relation in relations:
                    self._replace(client, relation)
                if self.dialect.describes_in_transaction:
                    self._describe(client, described)
                for relation in relations:
                    self._mark(client, relation)
                self._insert(client, MARKER, "WHERE relation = ''")

    def _replace(self, client: SqlClientBase[Any], relation: Relation) -> None:
        condition = self._named(client, relation) if relation.is_by_assistant else " WHERE 1 = 1"
        client.execute_sql(f"DELETE FROM {self._place(client, relation.dataset, relation.name)}{condition}")
        self._insert(client, relation, "")

    def _named(self, client: SqlClientBase[Any], relation: Relation) -> str:
        """The condition for the rows of the parts that are on their way."""
        incoming = self._place(client, INCOMING, MARKER.incoming_name)
        return (
            f" WHERE {_part(relation)} IN "
            f"(SELECT part FROM {incoming} WHERE relation = {quote_literal(relation.full_name)})"
        )

    def _mark(self, client: SqlClientBase[Any], relation: Relation) -> None:
        """Note the parts that came, with the digest that the engine now has of them."""
        condition = self._named(client, relation) if relation.is_by_assistant else ""
        client.execute_sql(
            f"INSERT INTO {self._place(client, MARKER.dataset, MARKER.name)} "
            "(relation, part, row_count, digest, held_digest) "
            "SELECT incoming.relation, incoming.part, incoming.row_count, incoming.digest, held.held_digest "
            f"FROM {self._place(client, INCOMING, MARKER.incoming_name)} AS incoming "
            f"LEFT JOIN ({self._select_held(client, relation, condition)}) AS held ON held.part = incoming.part "
            f"WHERE incoming.relation = {quote_literal(relation.full_name)} AND incoming.digest IS NOT NULL"
        )

    def _describe(self, client: SqlClientBase[Any], relations: Iterable[Relation]) -> None:
        """Give tables their primary keys, and tables and columns their descriptions, where the engine has them."""
        for relation in relations:
            place = self._place(client, relation.dataset, relation.name)
            if self.dialect.has_primary_keys and relation.key:
                name = client.escape_column_name(f"{relation.name}_key")
                client.execute_sql(f"ALTER TABLE {place} DROP CONSTRAINT IF EXISTS {name}")
                columns = ", ".join(map(client.escape_column_name, relation.key))
                client.execute_sql(f"ALTER TABLE {place} ADD CONSTRAINT {name} PRIMARY KEY ({columns})")
            for statement in self.dialect.describe(relation, place, client.escape_column_name):
                client.execute_sql(statement)

    def _insert(self, client: SqlClientBase[Any], relation: Relation, condition: str) -> None:
        columns = ", ".join(client.escape_column_name(column.name) for column in relation.columns)
        place = self._place(client, relation.dataset, relation.name)
        incoming = self._place(client, INCOMING, relation.incoming_name)
        client.execute_sql(f"INSERT INTO {place} ({columns}) SELECT {columns} FROM {incoming} {condition}")

    def _find_columns(self, client: SqlClientBase[Any], relation: Relation) -> set[str]:
        """The names of a table's columns, in lower case; none where there is no table."""
        try:
            place = self._place(client, relation.dataset, relation.name)
            with client.execute_query(f"SELECT * FROM {place} WHERE 1 = 0") as cursor:
                names = {column[0].lower() for column in cursor.description}
                cursor.fetchall()  # DuckDB runs nothing else before
                return names
        except DatabaseUndefinedRelation:
            return set()

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


def foreign_table(relation: Relation, destination: str) -> ConfigurationError:
    """What to say of a table that puretalk did not make, and must not replace."""
    return ConfigurationError(
        f"{destination} has a table {relation.full_name} that `puretalk replicate` did not make; nothing was written",
        action="Rename or drop that table, or choose another database, then run the same command again.",
    )


def refuse_data_dir(path: Path, destination: str) -> None:
    """Raise ConfigurationError for a file or folder in a data directory: a snapshot there must not be written to."""
    if is_in_data_dir(path):
        raise ConfigurationError(
            f"{destination} is in a data directory of puretalk",
            action="Name another place: only puretalk writes there.",
        )


def column_hints(relation: Relation) -> list[Any]:
    """The columns in the words of dlt."""
    return [
        {
            "name": column.name,
            "data_type": column.type,
            "nullable": column.name not in relation.key,
            "description": column.description,  # dlt itself writes it where BigQuery gets a new column
        }
        for column in relation.columns
    ]


def _part(relation: Relation) -> str:
    """The part of a row, in SQL."""
    return f"coalesce({OWNER}, '')" if relation.is_by_assistant else "''"
