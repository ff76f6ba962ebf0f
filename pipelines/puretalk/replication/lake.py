"""A lake: Delta or Iceberg tables that dlt's destination `filesystem` keeps in a folder or a bucket.

A file of a lake is never changed, so a table that differs is written anew, as one commit of its own: its readers get it
from before or after. There is no transaction over tables. So the rows of the marker table that a run makes wrong are
removed first, and written last: a run that dies between leaves tables that the next one does not take for known.

What the marker table says of a table holds as long as the table is in the state that is noted there. After any other
commit, and where a file was replaced, the rows are read and compared. So they are after each write.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dlt
import duckdb
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import DestinationUndefinedEntity, UnknownDestinationModule
from dlt.common.schema.utils import new_table

from puretalk.database import quote_name
from puretalk.errors import ConfigurationError, ReplicaError
from puretalk.replication.engine import MARKER, column_hints, foreign_table, refuse_data_dir
from puretalk.replication.lake_table import LakeTable, read_state, wrap
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


@dataclass(frozen=True)
class Held:
    """The rows of a table of a lake, and the state in which it was when they were read."""

    part: Part
    state: str | None


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
        client = self._client(MARKER)
        if client.config.is_local_filesystem:
            refuse_data_dir(Path(client.get_table_dir(MARKER.name)), name)
        if self.table_format == "iceberg":
            from dlt.common.libs.pyiceberg import is_ephemeral_catalog

            if is_ephemeral_catalog(client.get_open_table_catalog("iceberg")):
                raise ConfigurationError(
                    "no Iceberg catalog is configured", action="Configure one: docs/engines.md, section Iceberg."
                )

    def expect_ours(self, relations: list[Relation]) -> None:
        """Raise ConfigurationError where a table of the same name is there, and no marker table: puretalk writes that
        first."""
        client = self._client(MARKER)
        if client.fs_client.exists(client.get_table_dir(MARKER.name)):
            return
        for relation in relations:
            with contextlib.suppress(DestinationUndefinedEntity):
                self._client(relation).load_open_table(self.table_format, relation.name)
                raise foreign_table(relation, self._name)

    def read_marker(self) -> dict[str, Held]:
        """What the marker table says of each table; nothing where it cannot be read."""
        try:
            opened = self._client(MARKER).load_open_table(self.table_format, MARKER.name)
            table = opened.to_pyarrow_table() if self.table_format == "delta" else opened.scan().to_arrow()
            return {
                row["relation"]: Held(Part(row["row_count"], row["digest"]), row["held_digest"])
                for row in table.to_pylist()
            }
        except Exception:  # noqa: BLE001  (of either library; then all tables are read)
            return {}

    def look(self, connection: duckdb.DuckDBPyConnection, relation: Relation, known: Held | None) -> Held | None:
        """What the lake holds of a relation; None where nothing can be read. A table in the state in which `known` was
        read still holds that; of any other the rows are read. The state is read before the rows: a change between the
        two is found by the next look."""
        try:
            client = self._client(relation)
            table = wrap(self.table_format, client.load_open_table(self.table_format, relation.name))
            state = read_state(table, client.fs_client)
            if known is not None and known.state == state:
                return known
            return Held(_read_held(connection, relation, table), state)
        except Exception:  # noqa: BLE001  (of either library; whatever the table has, a new one repairs it)
            return None

    def describe(self, relation: Relation) -> bool:
        """Give a table and its columns their descriptions, where they have others; returns whether they had."""
        opened = self._client(relation).load_open_table(self.table_format, relation.name)
        return wrap(self.table_format, opened).describe(relation)

    def make_room(self, relation: Relation) -> bool:
        """Whether a table is to be made. One whose log cannot be read is removed first."""
        client = self._client(relation)
        try:
            wrap(self.table_format, client.load_open_table(self.table_format, relation.name)).list_files()
            return False
        except DestinationUndefinedEntity:  # dlt says so too where an Iceberg catalog names a file that is gone
            pass
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                raise
            folder = client.get_table_dir(relation.name)
            if client.fs_client.exists(folder):
                client.fs_client.rm(folder, recursive=True)
        if self.table_format == "iceberg":
            from pyiceberg.exceptions import NoSuchTableError

            with contextlib.suppress(NoSuchTableError):
                client.get_open_table_catalog("iceberg").drop_table(relation.full_name)
        return True

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

    def write_marker(self, held: dict[str, Held]) -> None:
        """Say what the lake holds."""
        rows = [
            {"relation": name, "part": "", **vars(one.part), "held_digest": one.state} for name, one in held.items()
        ]
        schema = pa.schema(
            [(column.name, pa.int64() if column.type == "bigint" else pa.string()) for column in MARKER.columns]
        )
        self.make_room(MARKER)
        self.replace(MARKER.dataset, [(MARKER, iter([pa.Table.from_pylist(rows, schema=schema)]))])

    def _client(self, relation: Relation) -> FilesystemClient:
        """dlt's way to a table."""
        schema = dlt.Schema(relation.dataset)
        schema.update_table(new_table(relation.name, table_format=self.table_format))
        return self._pipeline(relation.dataset)._get_destination_clients(schema)[0]  # type: ignore[return-value]

    def _pipeline(self, dataset: str) -> dlt.Pipeline:
        return dlt.pipeline(
            f"replicate_{dataset}", pipelines_dir=str(self._folder), destination=self._name, dataset_name=dataset
        )


def is_lake(name: str) -> bool:
    """Whether the destination NAME is of the type `filesystem`."""
    Container()[PluggableRunContext].reload(os.environ["DLT_PROJECT_DIR"])  # a sync in the same process read others
    try:
        destination = Destination.from_reference(name)
    except UnknownDestinationModule:
        raise ConfigurationError(
            f"no destination {name} is configured",
            action=f"Set DESTINATION__{name.upper()}__DESTINATION_TYPE, or write [destination.{name}] into "
            ".dlt/secrets.toml: docs/engines.md.",
        ) from None
    return destination is not None and destination.destination_type.endswith(".filesystem")


def replicate_to_lake(connection: duckdb.DuckDBPyConnection, lake: Lake, *, everything: bool) -> tuple[int, int, int]:
    """Bring a lake to the snapshot; gives the number of tables, parts and rows that were sent."""
    relations = list_relations(connection)
    lake.expect_ours(relations)
    wanted = {relation.full_name: _sum_up(read_parts(connection, relation)) for relation in relations}
    noted = lake.read_marker()
    held: dict[str, Held] = {}
    for relation in relations:
        found = lake.look(connection, relation, noted.get(relation.full_name))
        if not everything and found is not None and found.part == wanted[relation.full_name]:
            held[relation.full_name] = found
    touched = [one for one in relations if one.full_name not in held]
    if touched:
        touched = [one for one in relations if one in touched or one.name == SNAPSHOT_INFO]
        names = {relation.full_name for relation in touched}
        lake.write_marker({name: one for name, one in held.items() if name not in names})
        for dataset in sorted(DATASETS.values(), reverse=True):
            here = [(one, lake.make_room(one)) for one in touched if one.dataset == dataset]
            lake.replace(dataset, [(one, _read_all(connection, one, is_new)) for one, is_new in here])
    for relation in relations:
        if lake.describe(relation) or relation in touched:
            held[relation.full_name] = _look_again(connection, lake, relation, wanted[relation.full_name])
    if held != noted:
        lake.write_marker(held)
    return len(touched), len(touched), sum(wanted[relation.full_name].row_count for relation in touched)


def _look_again(connection: duckdb.DuckDBPyConnection, lake: Lake, relation: Relation, wanted: Part) -> Held:
    """What the lake holds of a relation that was written. Raises ReplicaError unless it is what was sent."""
    found = lake.look(connection, relation, None)
    if found is None or found.part != wanted:
        raise ReplicaError(f"the table {relation.full_name} in the lake does not hold what was just written to it")
    return found


def _read_held(connection: duckdb.DuckDBPyConnection, relation: Relation, table: LakeTable) -> Part:
    """The part that a lake's table is, from its own rows: the same digest as of the rows in the snapshot."""
    columns = ", ".join(
        f"CAST({name} AS JSON) AS {name}" if type_ == "json" else name
        for name, type_ in ((quote_name(column.name), column.type) for column in relation.columns)
    )
    connection.register("held", table.rows())
    try:
        return _sum_up(read_parts(connection, relation, f"(SELECT {columns} FROM held)"))
    finally:
        connection.unregister("held")


def _sum_up(parts: Parts) -> Part:
    """The parts of a table as one."""
    digest = hashlib.md5(json.dumps(sorted((part, *vars(mark).values()) for (_, part), mark in parts.items())).encode())
    return Part(sum(mark.row_count for mark in parts.values()), digest.hexdigest())


def _read_all(connection: duckdb.DuckDBPyConnection, relation: Relation, is_new: bool) -> Iterator[pa.Table]:
    """The rows. The columns of a new table bring their descriptions, which deltalake takes over in the same commit."""
    names = ", ".join(quote_name(column.name) for column in relation.columns)
    comments = [{"comment": column.description} if is_new else None for column in relation.columns]
    for batch in read_batches(connection, f"SELECT {names} FROM {relation.source}", []):
        yield batch.cast(pa.schema(field.with_metadata(one) for field, one in zip(batch.schema, comments, strict=True)))
