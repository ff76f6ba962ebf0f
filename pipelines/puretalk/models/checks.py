"""Claims about the built models: free-form checks (`sql/checks/`) and the tests of the YAML files.

A check is a query that must return no row. One that finds rows names itself, their number, and up to three of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from puretalk.database import quote_literal, quote_name
from puretalk.errors import CheckFailedError, ConfigurationError
from puretalk.models.changes import digest
from puretalk.models.model import EDIT_ACTION, Model, quote_relation
from puretalk.models.properties import DataTest, Properties, Severity

_SAMPLES = 3
_SAMPLE_COLUMNS = 3
_SAMPLE_CHARACTERS = 80
#: Words in SQL whose value may differ although no row does: the clock, chance, the session, the catalog, files.
_UNSTEADY = re.compile(
    r"\b(now|today|(get_)?current_(date|time|timestamp|localtime|localtimestamp|setting|schemas?|database|user|role|query)"
    r"|local(time|timestamp)|transaction_timestamp|random|\w*uuid\w*|nextval|currval|getvariable|sample|tablesample|duckdb_\w+|pragma_\w+|information_schema|read_\w+|\w+_scan|glob)\b",
    re.IGNORECASE,
)


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


class Passed:
    """Which checks need not run: those that found no row when they last ran, and all of whose relations are unchanged.

    `before` are the digests of the checks that passed in the build before; `is_changed` says of a relation whether it
    may hold other rows since. A check that may depend on the clock or on chance always runs.
    """

    def __init__(
        self, before: Collection[str] = (), is_changed: Callable[[str], bool] = lambda _relation: True
    ) -> None:
        self._before = frozenset(before)
        self._is_changed = is_changed
        self.digests: set[str] = set()

    def covers(self, key: str, relations: Collection[str], sql: str = "") -> bool:
        """Whether the check of this digest need not run; it then counts as passed."""
        is_covered = (
            key in self._before
            and bool(relations)
            and not any(self._is_changed(relation) for relation in relations)
            and not _UNSTEADY.search(sql)
        )
        if is_covered:
            self.digests.add(key)
        return is_covered

    def add(self, key: str, result: CheckResult) -> CheckResult:
        """The check has run; gives its result back."""
        if not result.failed:
            self.digests.add(key)
        return result


def run_checks(
    connection: duckdb.DuckDBPyConnection,
    models: Sequence[Model],
    checks: Sequence[Model],
    properties: Properties,
    passed: Passed | None = None,
) -> list[CheckResult]:
    """Runs the YAML tests of all published models, then the free-form checks; the failed ones are among the results.
    What `passed` covers is left out; without it, everything runs.

    Raises CheckFailedError where a check itself cannot be run, ConfigurationError where a YAML names an unknown model.
    """
    by_name = {model.name: model for model in models}
    unknown = sorted(properties.models.keys() - by_name.keys())
    if unknown:
        raise ConfigurationError(f"{properties.model(unknown[0]).path}: there is no model {unknown[0]}.")
    passed = passed or Passed()
    results: list[CheckResult] = []
    for model in models:
        tests = properties.model(model.name).tests
        if model.kind != "temporary" and tests:
            keys = {test: digest(model.relation, repr(test)) for test in tests}
            due = [test for test in tests if not passed.covers(keys[test], _read_by(test, model, by_name))]
            for test, result in zip(due, _test_model(connection, model, due, by_name), strict=True):
                results.append(passed.add(keys[test], result))
    for check in checks:
        key = digest(check.name, check.sql)
        if not passed.covers(key, {reference.relation for reference in check.references}, check.sql):
            results.append(passed.add(key, _run_check(connection, check)))
    return results


def _read_by(test: DataTest, model: Model, by_name: Mapping[str, Model]) -> set[str]:
    return {model.relation, by_name[test.to].relation} if test.to in by_name else {model.relation}


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
        rows = _find_rows(connection, check.sql)
    except duckdb.OutOfMemoryException:
        raise  # the SQL is not at fault
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
            samples = _find_rows(connection, query)
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


def _find_rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The first rows of a query, each after the number of all of them; they are counted only where there is one."""
    if not _rows(connection, f"SELECT * FROM (\n{query}\n) LIMIT 1"):
        return []
    return _rows(connection, f"SELECT count(*) OVER (), * FROM (\n{query}\n) LIMIT {_SAMPLES}")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return connection.execute(sql, parameters).fetchall()
