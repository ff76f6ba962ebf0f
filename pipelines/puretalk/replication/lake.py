"""A lake: Delta or Iceberg tables that dlt's destination `filesystem` keeps in a folder or a bucket.

A file of a lake is never changed, so a table that differs is written anew, as one commit of its own: its readers get it
from before or after. There is no transaction over tables. So the rows of the marker table that a run makes wrong are
removed first, and written last: a run that dies between leaves tables that the next one does not take for known.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dlt
import duckdb
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.utils import new_table

from puretalk.errors import ConfigurationError
from puretalk.replication.engine import MARKER, column_hints
from puretalk.replication.snapshot import (
    DATASETS,
    SNAPSHOT_INFO,
    Part,
    Parts,
    Relation,
    list_relations,
    read_batches,
    read_parts,
)

if TYPE_CHECKING:
    from dlt.common.schema.typing import TTableFormat
    from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

#: The library that dlt writes a table format with.
_LIBRARIES: Final[dict[TTableFormat, str]] = {"delta": "deltalake", "iceberg": "pyiceberg"}


class Lake:
    """The destination NAME of the type `filesystem`, as .dlt/secrets.toml and the environment configure it."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        configured = dlt.secrets.get(f"destination.{name}.table_format", str)
        formats: list[TTableFormat] = [known for known in _LIBRARIES if known == configured]
        if not formats:
            raise ConfigurationError(
                f"the destination {name} is of the type filesystem, and its table_format is {configured}",
                action=f"Set DESTINATION__{name.upper()}__TABLE_FORMAT to delta or iceberg; for plain files, "
                "use `puretalk export parquet`.",
            )
        [self.table_format] = formats
        library = _LIBRARIES[self.table_format]
        if importlib.util.find_spec(library) is None:
            raise ConfigurationError(
                f"{library} is not installed", action=f'Install it: pip install "puretalk[{self.table_format}]".'
            )
        if self.table_format == "iceberg":
            from dlt.common.libs.pyiceberg import is_ephemeral_catalog

            if is_ephemeral_catalog(self._client(MARKER.dataset, [MARKER]).get_open_table_catalog("iceberg")):
                raise ConfigurationError(
                    "no Iceberg catalog is configured", action="Configure one: docs/engines.md, section Iceberg."
                )

    def read_parts(self, relations: list[Relation]) -> Parts:
        """The tables that the lake is known to hold. One whose rows are not as many as the marker says, or whose files
        are not all there, has no digest."""
        marks = {row["relation"]: Part(row["row_count"], row["digest"]) for row in self._read_marker().to_pylist()}
        held: Parts = {}
        for dataset in DATASETS.values():
            client = self._client(dataset, relations)
            for relation in relations:
                if relation.dataset == dataset and relation.full_name in marks:
                    mark = marks[relation.full_name]
                    is_whole = self._count(client, relation) == mark.row_count
                    held[relation.full_name, ""] = mark if is_whole else Part(mark.row_count, "")
        return held

    def replace(self, dataset: str, tables: list[tuple[Relation, Iterator[pa.Table]]]) -> None:
        """Replace tables of a dataset, each in one commit. A table that is not there is made."""
        pipeline = self._pipeline(dataset)
        resources = [
            dlt.resource(
                rows,
                name=relation.name,
                columns=column_hints(relation),
                write_disposition="replace",
                table_format=self.table_format,
            )
            for relation, rows in tables
        ]
        pipeline.extract(resources)
        pipeline.normalize()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Delete operation did not match any records")  # an empty Iceberg table
            pipeline.load(workers=4)  # with one, dlt waits a second after each table

    def write_marker(self, parts: Parts) -> None:
        """Say what the lake holds."""
        rows = [
            {"relation": relation, "part": part, "row_count": mark.row_count, "digest": mark.digest}
            for (relation, part), mark in parts.items()
        ]
        schema = pa.schema(
            [(column.name, pa.int64() if column.type == "bigint" else pa.string()) for column in MARKER.columns]
        )
        self.replace(MARKER.dataset, [(MARKER, iter([pa.Table.from_pylist(rows, schema=schema)]))])

    def _read_marker(self) -> pa.Table:
        try:
            table = self._client(MARKER.dataset, [MARKER]).load_open_table(self.table_format, MARKER.name)
        except DestinationUndefinedEntity:
            return pa.table({})
        return table.to_pyarrow_table() if self.table_format == "delta" else table.scan().to_arrow()

    def _count(self, client: FilesystemClient, relation: Relation) -> int | None:
        """The number of rows of a table, from its files; None where they cannot be read."""
        try:
            table = client.load_open_table(self.table_format, relation.name)
            if self.table_format == "delta":
                return int(table.to_pyarrow_dataset().count_rows())
            tasks = list(table.scan().plan_files())
            if any(task.delete_files or not table.io.new_input(task.file.file_path).exists() for task in tasks):
                return None
            return sum(int(task.file.record_count) for task in tasks)
        except Exception:  # noqa: BLE001  (of either library; whatever the table has, a new one repairs it)
            return None

    def _client(self, dataset: str, relations: list[Relation]) -> FilesystemClient:
        """dlt's way into a dataset, which finds the tables that its schema names."""
        schema = dlt.Schema(dataset)
        for relation in relations:
            if relation.dataset == dataset:
                schema.update_table(new_table(relation.name, table_format=self.table_format))
        return self._pipeline(dataset)._get_destination_clients(schema)[0]  # type: ignore[return-value]

    def _pipeline(self, dataset: str) -> dlt.Pipeline:
        return dlt.pipeline(
            f"replicate_{dataset}", pipelines_dir=str(self._folder), destination=self._name, dataset_name=dataset
        )


def is_lake(name: str) -> bool:
    """Whether the destination NAME is of the type `filesystem`."""
    Container()[PluggableRunContext].reload(os.environ["DLT_PROJECT_DIR"])  # a sync in the same process read others
    destination = Destination.from_reference(name)
    return destination is not None and destination.destination_type.endswith(".filesystem")


def replicate_to_lake(connection: duckdb.DuckDBPyConnection, lake: Lake, *, everything: bool) -> tuple[int, int, int]:
    """Bring a lake to the snapshot; gives the number of tables, parts and rows that were sent."""
    relations = list_relations(connection)
    wanted = {(relation.full_name, ""): _sum_up(read_parts(connection, relation)) for relation in relations}
    held = lake.read_parts(relations)
    touched = [one for one in relations if everything or held.get((one.full_name, "")) != wanted[one.full_name, ""]]
    if not touched:
        return 0, 0, 0
    touched = [one for one in relations if one in touched or one.name == SNAPSHOT_INFO]
    names = {relation.full_name for relation in touched}
    lake.write_marker({key: part for key, part in wanted.items() if key[0] not in names})
    for dataset in sorted(DATASETS.values(), reverse=True):
        tables = [(one, _read_all(connection, one)) for one in touched if one.dataset == dataset]
        lake.replace(dataset, tables)
    lake.write_marker(wanted)
    return len(touched), len(touched), sum(wanted[name, ""].row_count for name in names)


def _sum_up(parts: Parts) -> Part:
    """The parts of a table as one."""
    digest = hashlib.md5(json.dumps(sorted((part, *vars(mark).values()) for (_, part), mark in parts.items())).encode())
    return Part(sum(mark.row_count for mark in parts.values()), digest.hexdigest())


def _read_all(connection: duckdb.DuckDBPyConnection, relation: Relation) -> Iterator[pa.Table]:
    names = ", ".join(f'"{column.name}"' for column in relation.columns)
    return read_batches(connection, f"SELECT {names} FROM {relation.source}", [])
