"""The contract of a model: the columns and types that its YAML promises."""

from __future__ import annotations

import duckdb

from puretalk.errors import CheckFailedError
from puretalk.models.model import EDIT_ACTION, Model, quote_relation
from puretalk.models.properties import Properties


def compare_with_contract(connection: duckdb.DuckDBPyConnection, model: Model, properties: Properties) -> None:
    """Raises CheckFailedError when the built relation has other columns or types than its YAML promises."""
    promised = properties.model(model.name)
    described = connection.execute(f"DESCRIBE {quote_relation(model.relation)}").fetchall()
    actual = {name: type_ for name, type_, *_ in described}
    missing = [column.name for column in promised.columns if column.name not in actual]
    if missing:
        raise CheckFailedError(
            f"{model.path}: the model has no column {', '.join(missing)}, but {promised.path} describes it.",
            action=EDIT_ACTION,
        )
    types = promised.types
    if not types:
        return
    wrong = [f"{name} is {actual[name]}, not {type_}" for name, type_ in types.items() if actual[name] != type_]
    extra = [name for name in actual if name not in types]
    if wrong or extra or list(actual) != list(types):
        reasons = wrong or [f"it also has {name}" for name in extra] or ["the columns are in another order"]
        raise CheckFailedError(
            f"{model.path}: not as {promised.path} promises: {'; '.join(reasons)}.", action=EDIT_ACTION
        )
