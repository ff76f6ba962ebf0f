"""What people told the audit: the SQL of a few models comes from the settings.

A setting becomes the SELECT of a model, so it is treated as SQL is: a build, also one that is told what a sync wrote,
makes again what reads the model when the setting changed, all rows of incremental models included, and nothing when it
did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb

from puretalk.database import quote_literal
from puretalk.models.model import Model
from puretalk.models.parsed import ParsedFiles
from puretalk.models.references import find_references
from puretalk.settings import Settings


@dataclass(frozen=True)
class Audit:
    """`known_variables`: names that the platform fills in itself."""

    known_variables: tuple[str, ...] = ()

    def fill(self, connection: duckdb.DuckDBPyConnection, model: Model, parsed: ParsedFiles | None = None) -> Model:
        """The model; with the SELECT that the settings give it, where they give it one."""
        sql = self._queries.get(model.relation)
        if sql is None:
            return model
        return replace(model, sql=sql, references=find_references(connection, sql, parsed))

    @property
    def _queries(self) -> Mapping[str, str]:
        queries = {}
        if self.known_variables:
            names = ", ".join(quote_literal(name) for name in self.known_variables)
            queries["intermediate.int_known_variables"] = f"select unnest([{names}]) as variable"
        return queries


def read_audit(settings: Settings) -> Audit:
    """What the settings tell the audit."""
    return Audit(settings.audit.known_variable_names)
