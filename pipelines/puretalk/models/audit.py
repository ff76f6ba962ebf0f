"""What people told the audit: the SQL of a few models comes from the settings.

A setting becomes the SELECT of a model, so it is treated as SQL is: a build, also one that is told what a sync wrote,
makes again what reads the model when the setting changed, all rows of incremental models included, and nothing when it
did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from puretalk.database import quote_literal
from puretalk.errors import ConfigurationError
from puretalk.models.model import Model, sql_folder
from puretalk.models.parsed import ParsedFiles
from puretalk.models.properties import load_yaml
from puretalk.models.references import find_references
from puretalk.models.withheld import WithheldRule, find_withheld, select_withheld
from puretalk.privacy.policy import read_treatments
from puretalk.settings import Settings

_KEYS = ("rule", "assistant", "place", "reason", "until")
_EXAMPLE = "- {rule: missing_voice, assistant: Ada, reason: It only writes., until: 2027-01-31}"


@dataclass(frozen=True)
class Acceptance:
    """Findings that are known and may stay. `assistant` is an id, a name that one live assistant has, or a pattern in
    which * is any text; `place` is a place or a pattern; None means all. `until` is the last day of it (UTC)."""

    rule: str
    reason: str
    assistant: str | None = None
    place: str | None = None
    until: date | None = None


@dataclass(frozen=True)
class Audit:
    """`known_variables`: names that the platform fills in itself. `accepted`: of two that fit a finding, the first
    counts. `withheld`: rules that cannot read all that they need."""

    known_variables: tuple[str, ...] = ()
    accepted: tuple[Acceptance, ...] = ()
    withheld: tuple[WithheldRule, ...] = ()

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
        if self.accepted:
            queries["intermediate.int_accepted_findings"] = _select_accepted(self.accepted)
        if self.withheld:
            queries["intermediate.int_withheld_rules"] = select_withheld(self.withheld)
        return queries


def read_audit(settings: Settings) -> Audit:
    """What the settings tell the audit. Raises ConfigurationError, which names the file and the entry."""
    path = settings.locate(settings.audit.accepted_findings)
    accepted = read_accepted(path) if path is not None else ()
    withheld = find_withheld(read_treatments(settings.privacy.treatments))
    return Audit(settings.audit.known_variable_names, accepted, withheld)


def find_idle_entries(connection: duckdb.DuckDBPyConnection, accepted: Sequence[Acceptance]) -> list[str]:
    """A sentence for each entry that accepts no finding of the build: a misspelled name, or a finding that is gone."""
    columns = "SELECT 1 FROM duckdb_columns() WHERE schema_name = 'marts' AND table_name = 'rpt_config_findings'"
    if not accepted or not connection.execute(f"{columns} AND column_name = 'accepted_entry'").fetchall():
        return []  # people may put a model of their own in its place
    used = connection.execute("SELECT DISTINCT accepted_entry FROM marts.rpt_config_findings").fetchall()
    return [
        f"accepted_findings: entry {number} ({one.rule}, {one.assistant or 'all assistants'}) accepts no finding"
        for number, one in enumerate(accepted, 1)
        if (number,) not in used
    ]


def read_accepted(path: Path) -> tuple[Acceptance, ...]:
    """The entries of the file `accepted_findings`. Raises ConfigurationError, which names the file and the entry."""
    if not path.is_file():
        raise ConfigurationError(f"accepted_findings is {path}, which is not a file")
    try:
        entries = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is not readable as YAML: {error}") from error
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path} is not a list of entries", action=f"Write one entry a line: {_EXAMPLE}")
    rules = _list_rules()
    return tuple(_read_entry(f"{path}: entry {number}", entry, rules) for number, entry in enumerate(entries, 1))


def _list_rules() -> frozenset[str]:
    query, read = (
        (sql_folder() / schema / f"{name}.sql").read_text(encoding="utf-8")
        for schema, name in (("marts", "dim_finding_rules"), ("intermediate", "int_withheld_rules"))
    )
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA intermediate")
        connection.execute(f"CREATE VIEW intermediate.int_withheld_rules AS {read}")
        return frozenset(rule for (rule,) in connection.execute(f"SELECT rule FROM (\n{query}\n)").fetchall())


def _read_entry(place: str, entry: object, rules: frozenset[str]) -> Acceptance:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place} has no keys", action=f"Write it like this: {_EXAMPLE}")
    unknown = [str(key) for key in entry if key not in _KEYS]
    if unknown:
        raise ConfigurationError(
            f"{place} has the unknown key {', '.join(unknown)}", action=f"The keys are {', '.join(_KEYS)}."
        )
    texts = {key: _read_text(place, key, entry.get(key)) for key in ("rule", "reason", "assistant", "place")}
    rule, reason = texts["rule"], texts["reason"]
    if rule is None or reason is None:
        missing = "rule" if rule is None else "reason"
        raise ConfigurationError(f"{place} has no {missing}", action=f"Write it like this: {_EXAMPLE}")
    if rule not in rules:
        raise ConfigurationError(
            f"{place} names the rule {rule!r}, which does not exist",
            action=f"Write one of these: {', '.join(sorted(rules))}.",
        )
    return Acceptance(rule, reason, texts["assistant"], texts["place"], _read_date(place, entry.get("until")))


def _read_text(place: str, key: str, value: object) -> str | None:
    """Ids may be digits alone, which YAML reads as a number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ConfigurationError(f"{place}: {key} is not a text", action=f"Write {key} as a text, or leave it out.")
    return str(value).strip()


def _read_date(place: str, value: object) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigurationError(
            f"{place}: until is {str(value)[:40]!r}, which is not a date", action="Write it as 2027-01-31."
        ) from None


def _select_accepted(accepted: tuple[Acceptance, ...]) -> str:
    """Without dates, it reads nothing: what reads it then need not be built each day."""
    rows = ",\n    ".join(
        f"({number}, {quote_literal(one.rule)}, {quote_literal(_as_like(one.assistant))}, "
        f"{'*' in (one.assistant or '')}, {quote_literal(_as_like(one.place))}, {quote_literal(one.reason)}, "
        f"cast({quote_literal(one.until.isoformat() if one.until else None)} as date))"
        for number, one in enumerate(accepted, 1)
    )
    columns = "position, rule, assistant_pattern, is_pattern, place_pattern, reason, accepted_until"
    query = f"select {columns}\nfrom (values\n    {rows}\n) as entries ({columns})"
    if all(one.until is None for one in accepted):
        return query
    return f"{query}\nwhere accepted_until is null or accepted_until >= (select as_of_date from staging.stg_as_of)"


def _as_like(pattern: str | None) -> str | None:
    """The pattern for LIKE with ! as the escape character."""
    if pattern is None:
        return None
    for character in "!%_":
        pattern = pattern.replace(character, "!" + character)
    return pattern.replace("*", "%")
