"""A table of a lake, as the library of its format opens it: what tells its state, its rows, its descriptions.

A table is known by its state: its last commit, its columns, and for each of its files what the file system says of it
(size, times, checksum). A commit of somebody else changes the state, and so does a file that was replaced.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from puretalk.replication.snapshot import Relation, RelationColumn

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset
    from pyiceberg.table import Table


@dataclass(frozen=True)
class DeltaLakeTable:
    """A Delta table."""

    table: DeltaTable

    @property
    def commit(self) -> str:
        """What every commit changes."""
        return f"{self.table.metadata().id} {self.table.version()} {self.table.schema().to_json()}"

    def list_files(self) -> list[str]:
        """The addresses of the files with its rows."""
        return [*self.table.file_uris()]

    def rows(self) -> Dataset:
        """Its rows, for DuckDB. Raises where they need what deltalake cannot read."""
        return self.table.to_pyarrow_dataset()

    def describe(self, relation: Relation) -> bool:
        """Give the table and its columns their descriptions, where they have others; returns whether they had."""
        found = {field.name: field.metadata.get("comment", "") for field in self.table.schema().fields}
        changed = _otherwise_described(relation, found)
        for column in changed:
            self.table.alter.set_column_metadata(column.name, {"comment": column.description})
        if (self.table.metadata().description or "") != relation.description:
            self.table.alter.set_table_description(relation.description)
            return True
        return bool(changed)


@dataclass(frozen=True)
class IcebergLakeTable:
    """An Iceberg table."""

    table: Table

    @property
    def commit(self) -> str:
        """What every commit changes."""
        return f"{self.table.metadata_location} {self.table.schema().model_dump_json()}"

    def list_files(self) -> list[str]:
        """The addresses of the files with its rows, and with what was deleted of them."""
        tasks = [*self.table.scan().plan_files()]
        return [file.file_path for task in tasks for file in (task.file, *task.delete_files)]

    def rows(self) -> pa.RecordBatchReader:
        """Its rows, for DuckDB."""
        return self.table.scan().to_arrow_batch_reader()

    def describe(self, relation: Relation) -> bool:
        """Give the table and its columns their descriptions, where they have others; returns whether they had. All in
        one commit."""
        changed = _otherwise_described(relation, {field.name: field.doc or "" for field in self.table.schema().fields})
        is_other = self.table.properties.get("comment", "") != relation.description
        if changed or is_other:
            with self.table.transaction() as transaction:
                if changed:
                    with transaction.update_schema() as update:
                        for column in changed:
                            update.update_column(column.name, doc=column.description)
                if is_other:
                    transaction.set_properties(comment=relation.description)
        return bool(changed or is_other)


def _otherwise_described(relation: Relation, found: dict[str, str]) -> list[RelationColumn]:
    """The columns of a table that have another description there. `found`: description by column."""
    return [one for one in relation.columns if found.get(one.name, one.description) != one.description]


LakeTable = DeltaLakeTable | IcebergLakeTable


def wrap(table_format: str, opened: Any) -> LakeTable:
    """The table that dlt opened."""
    return DeltaLakeTable(opened) if table_format == "delta" else IcebergLakeTable(opened)


def read_state(table: LakeTable, files: Any) -> str:
    """A digest of what changes when the table does. `files`: the file system, of fsspec. Raises where a file of it
    is not there."""
    files.invalidate_cache()
    found = sorted((path, str(files.checksum(path))) for path in table.list_files())
    return hashlib.md5(json.dumps([table.commit, found]).encode()).hexdigest()
