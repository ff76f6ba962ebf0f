"""Claims about the built models: free-form checks (`sql/checks/`) and the tests of the YAML files.

A check is a query that must return no row. One that finds rows names itself, their number, and up to three of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from puretalk.database import quote_literal, quote_name
from puretalk.errors import CheckFailedError, ConfigurationError
from puretalk.models.model import EDIT_ACTION, Model, quote_relation
from puretalk.models.properties import DataTest, Properties, Severity

_SAMPLES = 3
_SAMPLE_COLUMNS = 3
_SAMPLE_CHARACTERS = 80


@dataclass(frozen=True)
class CheckResult:
    """What a check found: `count` rows that break the claim, the first of them in `samples` (a few columns each)."""

    name: str
    count: int
    samples: tuple[str, ...]
    seconds: float
    severity: Severity = "error"

    @property
    def failed(self) -> bool:
        """Whether a row breaks the claim."""
        return self.count > 0

    @property
    def message(self) -> str:
        """One line for people: name, count, samples."""
        rows = "1 row" if self.count == 1 else f"{self.count} rows"
        return f"Check {self.name} found {rows}, for example: {'; '.join(self.samples)}"


def run_checks(
    connection: duckdb.DuckDBPyConnection,
    models: Sequence[Model],
    checks: Sequence[Model],
    properties: Properties,
) -> list[CheckResult]:
    """Runs the YAML tests of all published models, then the free-form checks; the failed ones are among the results.

    Raises CheckFailedError where a check itself cannot be run, ConfigurationError where a YAML names an unknown model.
    """
    by_name = {model.name: model for model in models}
    unknown = sorted(properties.models.keys() - by_name.keys())
    if unknown:
        raise ConfigurationError(f"{properties.model(unknown[0]).path}: there is no model {unknown[0]}.")
    results: list[CheckResult] = []
    for model in models:
        tests = properties.model(model.name).tests
        if model.kind != "temporary" and tests:
            results += _test_model(connection, model, tests, by_name)
    results += [_run_check(connection, check) for check in checks]
    return results


def warn_of_old_sources(connection: duckdb.DuckDBPyConnection, properties: Properties) -> list[str]:
    """A sentence for each source that has not been loaded for longer than its YAML allows. Never fails a build."""
    sentences = []
    for freshness in properties.freshness:
        hours, is_old = _rows(
            connection,
            f"SELECT date_diff('hour', max({freshness.field}), now()), "
            f"max({freshness.field}) < now() - to_seconds(?) FROM {quote_name(freshness.schema, freshness.table)}",
            [freshness.limit.total_seconds()],
        )[0]
        if is_old:
            sentences.append(
                f"{freshness.table} was loaded {hours} hours ago; "
                f"it should not be older than {freshness.limit.total_seconds() / 3600:g} hours."
            )
    return sentences


def _run_check(connection: duckdb.DuckDBPyConnection, check: Model) -> CheckResult:
    start = time.perf_counter()
    try:
        rows = _rows(connection, f"SELECT count(*) OVER (), * FROM (\n{check.sql}\n) LIMIT {_SAMPLES}")
    except duckdb.Error as error:
        raise CheckFailedError(
            f"{check.path}: the check cannot be run: {' '.join(str(error).split())}",
            action=EDIT_ACTION,
        ) from error
    count = int(rows[0][0]) if rows else 0
    return CheckResult(check.name, count, tuple(_show(row[1:]) for row in rows), time.perf_counter() - start)


def _test_model(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    tests: Sequence[DataTest],
    by_name: Mapping[str, Model],
) -> Iterator[CheckResult]:
    """One scan counts the rows that break unique and not_null; only a test that fails is queried again, for samples."""
    start = time.perf_counter()
    counted = [test for test in tests if test.kind in ("unique", "not_null")]
    if counted:
        expressions = ", ".join(_count_expression(test) for test in counted)
        counts = dict(
            zip(
                counted,
                _rows(connection, f"SELECT {expressions} FROM {quote_relation(model.relation)}")[0],
                strict=True,
            )
        )
    for test in tests:
        name = f"{model.name}.{'+'.join(test.columns)}: {test.kind}"
        if test.kind in ("unique", "not_null") and not counts[test]:
            count, samples = 0, []
        else:
            query = _failing_rows(test, model, by_name)
            samples = _rows(connection, f"SELECT count(*) OVER (), * FROM ({query}) LIMIT {_SAMPLES}")
            count = int(samples[0][0]) if samples else 0
        seconds = time.perf_counter() - start
        yield CheckResult(name, count, tuple(_show(row[1:]) for row in samples), seconds, test.severity)
        start = time.perf_counter()


def _count_expression(test: DataTest) -> str:
    names = _names(test)
    if test.kind == "not_null":
        return f"count(*) - count({names})"
    if len(test.columns) == 1:
        return f"count({names}) - count(DISTINCT {names})"
    return f"count(*) - count(DISTINCT row({names}))"


def _failing_rows(test: DataTest, model: Model, by_name: Mapping[str, Model]) -> str:
    """A SELECT of the rows that break the test, with its columns first."""
    names, relation = _names(test), quote_relation(model.relation)
    if test.kind == "unique":
        has_key = " OR ".join(f"{quote_name(name)} IS NOT NULL" for name in test.columns)
        return f"SELECT {names}, count(*) AS times FROM {relation} WHERE {has_key} GROUP BY {names} HAVING count(*) > 1"
    if test.kind == "not_null":
        return f"SELECT * FROM {relation} WHERE {names} IS NULL"
    if test.kind == "accepted_values":
        values = ", ".join(quote_literal(str(value)) for value in test.values)
        return f"SELECT DISTINCT {names} FROM {relation} WHERE CAST({names} AS VARCHAR) NOT IN ({values})"
    if test.to not in by_name:
        raise ConfigurationError(f"relationships of {model.relation}: there is no model {test.to}.")
    parent, field = quote_relation(by_name[test.to].relation), quote_name(test.field)
    return (
        f"SELECT DISTINCT {names} FROM {relation} WHERE {names} IS NOT NULL "
        f"AND {names} NOT IN (SELECT {field} FROM {parent} WHERE {field} IS NOT NULL)"
    )


def _names(test: DataTest) -> str:
    return ", ".join(quote_name(name) for name in test.columns)


def _show(row: Sequence[Any]) -> str:
    text = ", ".join("NULL" if value is None else str(value) for value in row[:_SAMPLE_COLUMNS])
    return text if len(text) <= _SAMPLE_CHARACTERS else f"{text[:_SAMPLE_CHARACTERS]}…"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return connection.execute(sql, parameters).fetchall()
