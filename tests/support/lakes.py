"""Lakes in a folder, read back without DuckDB and without dlt: `Lake("delta", folder).frames("puretalk.voices")`.

deltalake, pyiceberg and Polars are no part of the base install: `make .venv/lake/ready`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PACKAGES = Path(sys.prefix) / "lake"


@dataclass(frozen=True)
class Lake:
    """A lake of dlt's destination `filesystem` in `folder`; an Iceberg catalog in SQLite lies in it."""

    table_format: str
    folder: Path

    def configure(self, environment: pytest.MonkeyPatch, name: str = "ENGINE") -> None:
        """Make it the destination NAME."""
        environment.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")  # it asks for another package to be faster
        for variable, value in self.variables(name).items():
            environment.setenv(variable, value)
        if str(PACKAGES) not in sys.path:
            assert (PACKAGES / "ready").exists(), "deltalake is not there: run `make .venv/lake/ready`"
            sys.path.append(str(PACKAGES))

    def variables(self, name: str = "ENGINE") -> dict[str, str]:
        """The variables that configure it."""
        self.folder.mkdir(exist_ok=True)
        return {
            f"DESTINATION__{name}__DESTINATION_TYPE": "filesystem",
            f"DESTINATION__{name}__BUCKET_URL": str(self.folder),
            f"DESTINATION__{name}__TABLE_FORMAT": self.table_format,
            "ICEBERG_CATALOG__ICEBERG_CATALOG_TYPE": "sql",
            "ICEBERG_CATALOG__ICEBERG_CATALOG_CONFIG": json.dumps({"type": "sql"} | self._catalog_options),
        }

    @property
    def _catalog_options(self) -> dict[str, str]:
        return {"uri": f"sqlite:///{self.folder}/catalog.db", "warehouse": f"file://{self.folder}"}

    def catalog(self) -> Any:
        """The Iceberg catalog."""
        from pyiceberg.catalog.sql import SqlCatalog

        return SqlCatalog("default", **self._catalog_options)

    def table(self, full_name: str) -> Any:
        """A table as its own library opens it: a DeltaTable, or a table of pyiceberg."""
        if self.table_format == "delta":
            from deltalake import DeltaTable

            return DeltaTable(self.folder / full_name.replace(".", "/"))
        return self.catalog().load_table(full_name)

    def files(self, full_name: str) -> list[Path]:
        """The Parquet files that a table consists of now."""
        table = self.table(full_name)
        if self.table_format == "delta":
            return [Path(uri.removeprefix("file://")) for uri in table.file_uris()]
        return [Path(task.file.file_path.removeprefix("file://")) for task in table.scan().plan_files()]

    def with_polars(self, full_name: str) -> list[tuple[Any, ...]]:
        """The rows as Polars reads them."""
        import polars

        table = self.table(full_name)
        frame = polars.read_delta(table) if self.table_format == "delta" else polars.scan_iceberg(table).collect()
        return [*frame.rows()]

    def with_pandas(self, full_name: str) -> list[tuple[Any, ...]]:
        """The rows as pandas reads them."""
        table = self.table(full_name)
        if self.table_format == "delta":
            frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
        else:
            frame = table.scan().to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
        return [tuple(row.values()) for row in pa.Table.from_pandas(frame, preserve_index=False).to_pylist()]

    def change_a_value(self, full_name: str, column: str) -> None:
        """As somebody with the table's own library: another text in one column, and as many rows as before."""
        table = self.table(full_name)
        if self.table_format == "delta":
            table.update(new_values={column: "tampered"})
        else:
            table.overwrite(_with_a_text(table.scan().to_arrow(), column))

    def change_a_file(self, full_name: str, column: str) -> None:
        """Another text in the file itself: the log of the table is not touched, nor the file's date."""
        [file] = self.files(full_name)
        before = file.stat()
        rows = pq.ParquetFile(file).read()
        pq.write_table(_with_a_text(rows, column), file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def go_back(self, full_name: str) -> None:
        """Take the table back to what it was before it was last replaced."""
        table = self.table(full_name)
        if self.table_format == "delta":
            table.restore(table.version() - 1)
        else:  # pyiceberg replaces in two snapshots: one that removes, one that adds
            table.manage_snapshots().set_current_snapshot(table.snapshots()[-3].snapshot_id).commit()

    def commit_nothing(self, full_name: str) -> None:
        """A commit that changes no row."""
        table = self.table(full_name)
        if self.table_format == "delta":
            table.alter.set_table_properties({"delta.logRetentionDuration": "interval 40 days"})
        else:
            table.transaction().set_properties({"owner": "somebody"}).commit_transaction()

    def break_the_log(self, full_name: str) -> None:
        """Remove the newest piece of the log that the table cannot be opened without."""
        folder = self.folder / full_name.replace(".", "/")
        if self.table_format == "delta":
            (folder / "_delta_log" / f"{0:020}.json").unlink()
        else:
            Path(self.table(full_name).metadata_location.removeprefix("file://")).unlink()

    def descriptions(self, full_name: str) -> tuple[str | None, dict[str, str | None]]:
        """Of the table, and of its columns by their names."""
        table = self.table(full_name)
        if self.table_format == "delta":
            columns = {field.name: field.metadata.get("comment") for field in table.schema().fields}
            return table.metadata().description, columns
        return table.properties.get("comment"), {field.name: field.doc for field in table.schema().fields}

    def change_a_description(self, full_name: str, column: str) -> None:
        """Another description of a column."""
        table = self.table(full_name)
        if self.table_format == "delta":
            table.alter.set_column_metadata(column, {"comment": "tampered"})
        else:
            with table.update_schema() as update:
                update.update_column(column, doc="tampered")


def _with_a_text(rows: pa.Table, column: str) -> pa.Table:
    """The rows with another text of the same length in the first row of a column."""
    texts = rows.column(column).to_pylist()
    number = rows.schema.get_field_index(column)
    texts[0] = "x" * len(texts[0] or "")
    return rows.set_column(number, rows.schema.field(number), pa.array(texts, rows.schema.field(number).type))
