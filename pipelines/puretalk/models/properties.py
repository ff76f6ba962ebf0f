"""What the YAML files next to the SQL models say, in dbt's shape, so that a team can move to dbt without rewriting.

    models:
      - name: dim_voices
        description: "One row: a voice."
        data_tests:
          - dbt_utils.unique_combination_of_columns: {combination_of_columns: [voice_id, language]}
        columns:
          - {name: voice_id, data_type: VARCHAR, description: "Id.", data_tests: [unique, not_null]}
    sources:
      - name: puretalk
        tables: [{name: sync_runs, loaded_at_field: finished_at, freshness: {warn_after: {count: 26, period: hour}}}]

A model with `config: {materialized: view}` is a view. One with `config: {materialized: incremental, unique_key:
assistant_id}` is built again only for the assistants that changed; its rows must follow from what the normalized layer
holds of their assistant (see `increments`).

Tests of columns: unique, not_null, accepted_values, relationships; each may have `config: {severity: warn}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

from puretalk.errors import ConfigurationError
from puretalk.json_values import JSONValue
from puretalk.models.changes import digest
from puretalk.models.increments import KEY
from puretalk.models.parsed import ParsedFiles

Severity = Literal["error", "warn"]

_COLUMN_TESTS = frozenset({"unique", "not_null", "accepted_values", "relationships"})
_COMBINATION = "unique_combination_of_columns"
_REF = re.compile(r"ref\(\s*['\"](\w+)['\"]\s*\)\Z")
_PERIODS: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@dataclass(frozen=True)
class DataTest:
    """A claim about one column, or about a combination of columns.

    `values` are the accepted values of accepted_values; `to` and `field` the model and column of relationships.
    """

    kind: str
    columns: tuple[str, ...]
    values: tuple[Any, ...] = ()
    to: str = ""
    field: str = ""
    severity: Severity = "error"


@dataclass(frozen=True)
class ColumnProperties:
    """A column as its YAML describes it; what the YAML does not say is None."""

    name: str
    description: str | None = None
    data_type: str | None = None


@dataclass(frozen=True)
class ModelProperties:
    """A model as its YAML describes it; `path` is that file."""

    name: str
    path: Path | None = None
    description: str | None = None
    columns: tuple[ColumnProperties, ...] = ()
    tests: tuple[DataTest, ...] = ()
    is_incremental: bool = False
    is_view: bool = False

    @property
    def types(self) -> dict[str, str]:
        """The type of each column; where any is given, these are all columns of the model, in their order."""
        return {column.name: column.data_type for column in self.columns if column.data_type}


@dataclass(frozen=True)
class SourceFreshness:
    """Warn when the newest `field` (a column, or an SQL expression) of `schema.table` is older than `limit`."""

    schema: str
    table: str
    field: str
    limit: timedelta


@dataclass(frozen=True)
class Properties:
    """All YAML files of the model folders; `digest` is a hash of their texts."""

    models: Mapping[str, ModelProperties]
    freshness: tuple[SourceFreshness, ...] = ()
    digest: str = ""

    def model(self, name: str) -> ModelProperties:
        """The model's properties; empty ones where no YAML names it."""
        return self.models.get(name) or ModelProperties(name)

    def extended(self, other: Properties) -> Properties:
        """These and `other`, which may only describe what is not described yet."""
        for name in other.models.keys() & self.models.keys():
            raise ConfigurationError(f"{other.models[name].path}: {name} is described by puretalk already.")
        return Properties(
            {**self.models, **other.models}, self.freshness + other.freshness, digest(self.digest, other.digest)
        )


def read_properties(folders: Sequence[Path], parsed: ParsedFiles | None = None) -> Properties:
    """What all YAML files of the folders say. Raises ConfigurationError, naming the file, where one is not usable."""
    models: dict[str, ModelProperties] = {}
    freshness: list[SourceFreshness] = []
    texts: list[str] = []
    parsed = parsed or ParsedFiles()
    for path in sorted(path for folder in folders for path in folder.rglob("*.y*ml")):
        try:
            text = path.read_text(encoding="utf-8")
            texts.append(text)
            document = cast("dict[str, Any]", parsed.find(text, load_yaml) or {})
            for entry in document.get("models") or ():
                properties = _read_model(path, entry)
                if properties.name in models:
                    raise ConfigurationError(f"{path}: {properties.name} is described twice.")
                models[properties.name] = properties
            for source in document.get("sources") or ():
                freshness += _read_freshness(source)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"{path}: not readable as properties of models: {error!r}") from error
    return Properties(models, tuple(freshness), digest(*texts))


def load_yaml(text: str) -> JSONValue:
    """Raises ValueError where the text is not YAML."""
    import yaml  # most syncs parse no YAML

    try:
        # The safe loader in C, where PyYAML was built with it, is ten times faster.
        return cast("JSONValue", yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _read_model(path: Path, entry: Mapping[str, Any]) -> ModelProperties:
    columns, tests = [], []
    for test in _tests_of(entry):
        kind, arguments = _name_and_arguments(test)
        if kind.removeprefix("dbt_utils.") != _COMBINATION:
            raise ConfigurationError(f"{path}: {entry['name']} has an unknown test of a model: {kind}")
        names = tuple(str(name) for name in arguments["combination_of_columns"])
        tests.append(DataTest("unique", names, severity=_severity(arguments)))
    for column in entry.get("columns") or ():
        name = str(column["name"])
        columns.append(ColumnProperties(name, column.get("description"), column.get("data_type")))
        for test in _tests_of(column):
            kind, arguments = _name_and_arguments(test)
            if kind not in _COLUMN_TESTS:
                raise ConfigurationError(f"{path}: {entry['name']}.{name} has an unknown test: {kind}")
            to = ""
            if kind == "relationships":
                match = _REF.match(str(arguments["to"]))
                if match is None:
                    raise ConfigurationError(f"{path}: {entry['name']}.{name}: write to: ref('model')")
                to = match.group(1)
            tests.append(
                DataTest(
                    kind,
                    (name,),
                    values=tuple(arguments["values"]) if kind == "accepted_values" else (),
                    to=to,
                    field=str(arguments["field"]) if kind == "relationships" else "",
                    severity=_severity(arguments),
                )
            )
    config = entry.get("config") or {}
    is_incremental = config.get("materialized") == "incremental"
    if is_incremental and config.get("unique_key") != KEY:
        raise ConfigurationError(f"{path}: {entry['name']}: an incremental model has the unique_key {KEY}.")
    return ModelProperties(
        str(entry["name"]),
        path,
        entry.get("description"),
        tuple(columns),
        tuple(tests),
        is_incremental,
        config.get("materialized") == "view",
    )


def _tests_of(entry: Mapping[str, Any]) -> Sequence[Any]:
    """dbt calls them data_tests; before 1.8 it called them tests."""
    return cast("Sequence[Any]", entry.get("data_tests") or entry.get("tests") or ())


def _name_and_arguments(test: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(test, str):
        return test, {}
    [(name, arguments)] = test.items()
    arguments = dict(arguments or {})
    return name, {**arguments, **arguments.get("arguments", {})}


def _severity(arguments: Mapping[str, Any]) -> Severity:
    config = arguments.get("config") or {}
    return "warn" if str(config.get("severity", "error")).lower() == "warn" else "error"


def _read_freshness(source: Mapping[str, Any]) -> list[SourceFreshness]:
    found = []
    for table in source.get("tables") or ():
        limit = (table.get("freshness") or source.get("freshness") or {}).get("warn_after")
        field = table.get("loaded_at_field") or source.get("loaded_at_field")
        if limit and field:
            schema = str(source.get("schema") or source["name"])
            age = limit["count"] * _PERIODS[limit["period"]]
            found.append(SourceFreshness(schema, str(table["name"]), str(field), age))
    return found
