"""All that the folders of a build hold: the models in order, the checks, and what the YAML files say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from puretalk.catalogue import TABLES
from puretalk.models.audit import Audit
from puretalk.models.changes import digest
from puretalk.models.model import RESERVED_SCHEMAS, Model, order_models, read_models, sql_folder
from puretalk.models.parsed import ParsedFiles
from puretalk.models.properties import Properties, read_properties
from puretalk.schema import STORAGE_SCHEMA


@dataclass(frozen=True)
class Project:
    """`models` are in an order in which each comes after those that it reads; checks are not among them."""

    models: tuple[Model, ...]
    checks: tuple[Model, ...]
    properties: Properties

    @property
    def digest(self) -> str:
        """A hash of the SQL of all models, and of the YAML files."""
        return digest(self.properties.digest, *sorted(f"{model.relation}\x1f{model.sql}" for model in self.models))

    def find_settled(self) -> frozenset[str]:
        """Our relations whose columns follow from the SQL of the project and from the catalogue alone. A user's own
        model may also read files, whose columns are what they are today."""
        known = {f"{STORAGE_SCHEMA}.{name}" for name in TABLES}
        for model in self.models:
            reads_known = all(reference.relation in known for reference in model.references)
            if model.schema in RESERVED_SCHEMAS and reads_known:
                known.add(model.relation)
        return frozenset(known)

    def is_incremental(self, model: Model) -> bool:
        """Whether the model is a table whose rows can be built for the changed assistants alone."""
        return model.kind == "table" and self.properties.model(model.name).is_incremental


def read_project(
    connection: duckdb.DuckDBPyConnection,
    sql_dirs: Sequence[Path] | None = None,
    user_dir: Path | None = None,
    *,
    audit: Audit = Audit(),
    parsed: ParsedFiles | None = None,
) -> Project:
    """Our models (of `sql_dirs`, by default those of the package) and the user's. The connection lends its parser only.
    What is in `parsed` is not parsed again. What `audit` says replaces the SQL of the models that hold it.

    Raises ConfigurationError or CheckFailedError where a file cannot be used.
    """
    folders = list(sql_dirs) if sql_dirs is not None else [sql_folder()]
    files = [model for folder in folders for model in read_models(connection, folder, parsed=parsed)]
    files = [audit.fill(connection, model, parsed) for model in files]
    properties = read_properties(folders, parsed)
    if user_dir is not None:
        files += read_models(connection, user_dir, owner="user", parsed=parsed)
        properties = properties.extended(read_properties([user_dir], parsed))
    models = order_models(
        replace(model, kind="view") if model.kind == "table" and properties.model(model.name).is_view else model
        for model in files
        if model.kind != "check"
    )
    checks = tuple(model for model in files if model.kind == "check")
    return Project(tuple(models), checks, properties)
