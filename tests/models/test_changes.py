"""A build that is told what a sync wrote: it looks at nothing else, and its result is that of any other build."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.models import write
from support.warehouses import insert_rows, observe

from puretalk.catalogue import TABLES
from puretalk.demo.account import Account
from puretalk.errors import CheckFailedError
from puretalk.models import build, checks, fingerprints, increments, parsed, references
from puretalk.models.audit import Acceptance, Audit
from puretalk.models.build import BuildReport, build_models
from puretalk.models.changes import NOTE_TABLE, Changes
from puretalk.models.project import read_project

MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)
RUN_ONLY = Changes(frozenset({"sync_runs"}))


def built(report: BuildReport) -> dict[str, str]:
    return {step.name: step.outcome for step in report.models if step.outcome != "unchanged"}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, *places: tuple[Any, str]) -> Iterator[list[str]]:
    """The names of the functions that are called, in order."""
    called: list[str] = []

    def count(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            called.append(name)
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for place, name in places:
            patch.setattr(place, name, count(name, getattr(place, name)))
        yield called


@pytest.fixture
def account(warehouse: duckdb.DuckDBPyConnection) -> Account:
    """An account of 20 assistants; the warehouse holds it, and its models are built."""
    account = Account(seed=2, assistants=20)
    observe(warehouse, MORNING, account.records())
    build_models(warehouse)
    return account


def add_run(connection: duckdb.DuckDBPyConnection, hours: int) -> None:
    moment = MORNING + timedelta(hours=hours)
    insert_rows(connection, "sync_runs", [{"run_id": moment.isoformat(), "started_at": moment, "finished_at": moment}])


# ---- a sync that wrote nothing but its own row


def test_a_quiet_build_makes_and_checks_only_what_reads_the_runs(
    warehouse: duckdb.DuckDBPyConnection, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert account.live_ids()
    add_run(warehouse, 1)
    comments = "SELECT comment FROM duckdb_columns() WHERE table_name = 'rpt_sync_health' ORDER BY column_index"
    before = warehouse.execute(comments).fetchall()
    references._FOUND.clear()
    with counted(
        monkeypatch,
        (fingerprints.Fingerprints, "_hash_rows"),
        (increments.TouchedAssistants, "_execute"),
        (references, "_parse"),
    ) as called:
        report = build_models(warehouse, changes=RUN_ONLY)
    assert called == ["_hash_rows"]  # of stg_as_of; rpt_sync_health is a view
    assert built(report) == {}
    assert {re.split(r"[.:]", check.name)[0] for check in report.checks} == {
        "stg_sync_runs",
        "rpt_sync_health",
        "sync_health_lists_every_run",
    }
    assert warehouse.execute("SELECT count(*) FROM marts.rpt_sync_health").fetchall() == [(2,)]
    assert warehouse.execute(comments).fetchall() == before
    assert None not in {comment for (comment,) in before}


def test_a_build_without_changes_finds_nothing_to_do_after_one_with_them(
    warehouse: duckdb.DuckDBPyConnection, account: Account
) -> None:
    assert account.live_ids()
    add_run(warehouse, 1)
    build_models(warehouse, changes=RUN_ONLY)
    report = build_models(warehouse)
    assert {name for name in built(report) if not name.startswith("staging.")} == {"marts.rpt_sync_health"}  # a view
    assert len(report.checks) > 100


def test_a_new_day_builds_what_counts_days(warehouse: duckdb.DuckDBPyConnection, account: Account) -> None:
    assert account.live_ids()
    add_run(warehouse, 24)
    assert "marts.dim_assistants" in built(build_models(warehouse, changes=RUN_ONLY))


def test_a_changed_setting_of_the_audit_builds_what_reads_it_and_an_unchanged_one_builds_nothing(
    warehouse: duckdb.DuckDBPyConnection, account: Account
) -> None:
    assert account.live_ids()
    listed = "SELECT DISTINCT excerpt FROM marts.rpt_config_findings WHERE rule = 'undeclared_variable' ORDER BY ALL"
    before = {excerpt for (excerpt,) in warehouse.execute(listed).fetchall()}
    name = min(before).strip("{}")
    audit = Audit(known_variables=(name,))
    add_run(warehouse, 1)
    report = build_models(warehouse, changes=RUN_ONLY, audit=audit)
    assert {"marts.rpt_variable_usage", "marts.rpt_config_findings"} <= built(report).keys()
    assert "marts.fct_config_changes" not in built(report)
    after = {excerpt for (excerpt,) in warehouse.execute(listed).fetchall()}
    assert after == before - {f"{{{{{name}}}}}"}
    add_run(warehouse, 2)
    assert built(build_models(warehouse, changes=RUN_ONLY, audit=audit)) == {}


def test_a_day_that_ends_an_acceptance_opens_the_finding_again(
    warehouse: duckdb.DuckDBPyConnection, account: Account
) -> None:
    assert account.live_ids()
    [(rule,)] = warehouse.execute("SELECT min(rule) FROM marts.rpt_config_findings").fetchall()
    accepted = f"SELECT bool_and(is_accepted) FROM marts.rpt_config_findings WHERE rule = '{rule}'"

    def build_after(hours: int, until: date | None) -> set[str]:
        add_run(warehouse, hours)
        audit = Audit(accepted=(Acceptance(rule, "r", until=until),))
        report = build_models(warehouse, changes=RUN_ONLY, audit=audit)
        return {name for name in built(report) if not name.startswith("intermediate.")}

    assert build_after(1, MORNING.date()) == {"marts.rpt_config_findings", "marts.fct_finding_history"}
    assert warehouse.execute(accepted).fetchall() == [(True,)]
    assert build_after(2, MORNING.date()) == set()
    assert "marts.rpt_config_findings" in build_after(24, MORNING.date())
    assert warehouse.execute(accepted).fetchall() == [(False,)]
    assert build_after(25, None) == {"marts.rpt_config_findings", "marts.fct_finding_history"}
    assert "marts.rpt_config_findings" not in build_after(48, None)
    assert warehouse.execute(accepted).fetchall() == [(True,)]


def test_the_history_keeps_findings_that_are_resolved_and_knows_those_that_come_back(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    def build_after(hours: int, record: dict[str, Any], deleted: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        records = [] if deleted else [{"assistant_id": "a", "timezone": "UTC", "voice": {"voice_id": "v"}, **record}]
        observe(warehouse, MORNING + timedelta(hours=hours), records, deleted=deleted)
        build_models(warehouse)
        query = (
            "SELECT rule, is_open, first_seen_at, last_seen_at, resolved_at FROM marts.fct_finding_history ORDER BY 1"
        )
        found = warehouse.execute(query).fetchall()
        warehouse.execute("DELETE FROM _internal.model_builds")
        build_models(warehouse)  # all again, from the same data
        assert warehouse.execute(query).fetchall() == found
        moments = {MORNING + timedelta(hours=hour): hour for hour in range(6)}
        return [(rule, is_open, *(moments.get(at) for at in times)) for rule, is_open, *times in found]

    email = {"prompt": "Write to a@b.com"}
    assert build_after(0, email) == [("email_in_prompt", True, 0, 0, None)]
    assert build_after(1, {**email, "name": "Ada"}) == [("email_in_prompt", True, 0, 1, None)]
    assert build_after(2, {"prompt": "Hi"}) == [("email_in_prompt", False, 0, 1, 2)]
    assert build_after(3, {"prompt": "Hello"}) == [("email_in_prompt", False, 0, 1, 2)]
    assert build_after(4, email) == [("email_in_prompt", True, 0, 4, None)]
    assert build_after(5, {}, deleted=("a",)) == [("email_in_prompt", False, 0, 4, 5)]


def test_a_table_that_reads_itself_gets_new_columns_and_keeps_its_rows(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    columns = "{name: user_id, data_type: VARCHAR}"
    write(small / "marts/seen.sql", "select user_id from main.users union select user_id from marts.seen")
    write(small / "marts/m.yml", f"models: [{{name: seen, columns: [{columns}]}}]")
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    build_models(warehouse, sql_dirs=[small])
    warehouse.execute("DELETE FROM main.users")
    write(
        small / "marts/seen.sql",
        "select user_id, name from main.users union select user_id, name from marts.seen",
    )
    write(small / "marts/m.yml", f"models: [{{name: seen, columns: [{columns}, {{name: name, data_type: VARCHAR}}]}}]")
    build_models(warehouse, sql_dirs=[small])
    assert warehouse.execute("SELECT * FROM marts.seen").fetchall() == [("u", None)]
    assert "marts.seen" not in built(build_models(warehouse, sql_dirs=[small]))


# ---- a sync that loaded


def test_only_what_the_changes_concern_is_built_and_checked(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    build_models(warehouse, sql_dirs=[small])
    insert_rows(warehouse, "voices", [{"voice_id": "v"}])
    report = build_models(warehouse, sql_dirs=[small], changes=Changes(frozenset({"voices"})))
    assert built(report) == {"marts.voices": "built"}
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    report = build_models(warehouse, sql_dirs=[small], changes=Changes(frozenset({"users"})))
    assert built(report) == {"marts.a": "built", "marts.b": "built"}


def test_of_an_incremental_model_only_the_named_assistants_are_looked_at(
    warehouse: duckdb.DuckDBPyConnection, divided: Path
) -> None:
    build_models(warehouse, sql_dirs=[divided])
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id IN ('1', '2')")
    changes = Changes(frozenset({"assistants"}), frozenset({"1", "3"}))
    assert built(build_models(warehouse, sql_dirs=[divided], changes=changes)) == {"marts.a": "updated"}
    changed = warehouse.execute("SELECT assistant_id FROM marts.a WHERE name = 'new'").fetchall()
    assert changed == [("1",)]  # it was told less than what changed: a build that is told nothing finds the rest
    build_models(warehouse, sql_dirs=[divided])
    changed = warehouse.execute("SELECT assistant_id FROM marts.a WHERE name = 'new' ORDER BY ALL").fetchall()
    assert changed == [("1",), ("2",)]


def test_new_sql_and_new_descriptions_arrive_with_any_changes(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    build_models(warehouse, sql_dirs=[small])
    write(small / "staging/stg_users.sql", "select user_id, upper(name) as name from main.users")
    write(small / "marts/m.yml", "models: [{name: voices, description: Voices.}]")
    report = build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert built(report) == {"staging.stg_users": "built", "marts.a": "built", "marts.b": "built"}
    comment = "SELECT comment FROM duckdb_tables() WHERE table_name = 'voices' AND schema_name = 'marts'"
    assert warehouse.execute(comment).fetchall() == [("Voices.",)]


def test_a_contract_is_compared_again_only_after_sql_or_yaml_changed(
    warehouse: duckdb.DuckDBPyConnection, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = "models: [{{name: voices, columns: [{{name: voice_id, data_type: {type}}}]}}]"
    write(small / "marts/m.yml", contract.format(type="VARCHAR"))
    build_models(warehouse, sql_dirs=[small])
    insert_rows(warehouse, "voices", [{"voice_id": "v"}])
    with counted(monkeypatch, (build, "compare_with_contract")) as called:
        build_models(warehouse, sql_dirs=[small], changes=Changes(frozenset({"voices"})))
    assert called == []
    write(small / "marts/m.yml", contract.format(type="BIGINT"))
    insert_rows(warehouse, "voices", [{"voice_id": "w"}])
    with pytest.raises(CheckFailedError, match="voice_id is VARCHAR, not BIGINT"):
        build_models(warehouse, sql_dirs=[small], changes=Changes(frozenset({"voices"})))


def test_the_contract_of_a_users_model_is_always_compared(
    warehouse: duckdb.DuckDBPyConnection, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("own")
    prices = own / "prices.csv"
    prices.write_text("price\n5\n")
    write(own / "costs.sql", f"select v.voice_id, p.price from main.voices as v, read_csv('{prices}') as p")
    columns = "[{name: voice_id, data_type: VARCHAR}, {name: price, data_type: BIGINT}]"
    write(own / "m.yml", f"models: [{{name: costs, columns: {columns}}}]")
    build_models(warehouse, sql_dirs=[small], user_dir=own)
    prices.write_text("price\nhigh\n")
    insert_rows(warehouse, "voices", [{"voice_id": "v"}])
    with pytest.raises(CheckFailedError, match="price is VARCHAR, not BIGINT"):
        build_models(warehouse, sql_dirs=[small], user_dir=own, changes=Changes(frozenset({"voices"})))


def test_the_digest_of_a_project_depends_on_no_order(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    project = read_project(warehouse, [small])
    assert replace(project, models=project.models[::-1]).digest == project.digest
    write(small / "marts/voices.sql", "select voice_id, name from main.voices")
    assert read_project(warehouse, [small]).digest != project.digest


# ---- when the changes are not enough


@pytest.mark.parametrize(
    "harm",
    [
        f"DELETE FROM {NOTE_TABLE}",
        f"DROP TABLE {NOTE_TABLE}",
        f"""UPDATE {NOTE_TABLE} SET note = replace(note, '"basis": "', '"basis": "another release ')""",
        "INSERT INTO main.users (user_id) VALUES ('not told')",
        "DROP TABLE main.rejected_records",
    ],
)
def test_changes_are_not_trusted_where_they_may_be_wrong(
    warehouse: duckdb.DuckDBPyConnection, small: Path, harm: str
) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "Ada"}])
    build_models(warehouse, sql_dirs=[small])
    warehouse.execute("UPDATE main.users SET name = 'Grace'")  # the changes do not tell that either
    warehouse.execute(harm)
    build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert ("Grace",) in warehouse.execute("SELECT name FROM marts.a").fetchall()


@pytest.mark.parametrize(
    "changes", [Changes(frozenset({"assistants"})), Changes(frozenset({"users"}), frozenset({"1"}))]
)
def test_changes_that_contradict_themselves_are_not_trusted(
    warehouse: duckdb.DuckDBPyConnection, divided: Path, changes: Changes
) -> None:
    build_models(warehouse, sql_dirs=[divided])
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '2'")
    build_models(warehouse, sql_dirs=[divided], changes=changes)
    assert warehouse.execute("SELECT assistant_id FROM marts.a WHERE name = 'new'").fetchall() == [("2",)]


def test_a_table_that_no_sync_loads_cannot_be_named() -> None:
    with pytest.raises(ValueError, match="asistants"):
        Changes(frozenset({"asistants", *TABLES}))


def test_after_a_failed_build_the_next_one_trusts_no_changes(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    build_models(warehouse, sql_dirs=[small])
    write(small / "checks/no_users.sql", "select user_id from marts.a")
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    told = Changes(frozenset({"users"}))
    with pytest.raises(CheckFailedError):
        build_models(warehouse, sql_dirs=[small], changes=told)
    warehouse.execute("UPDATE main.users SET name = 'Grace'")
    with pytest.raises(CheckFailedError):
        build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert warehouse.execute("SELECT name FROM marts.a").fetchall() == [("Grace",)]


def test_a_table_that_is_not_tracked_is_read_again_by_models_and_checks(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    warehouse.execute("CREATE TABLE main.foreign_table AS SELECT 1 AS one")
    write(small / "marts/c.sql", "select one from main.foreign_table")
    write(small / "checks/one_is_one.sql", "select one from main.foreign_table where one <> 1")
    build_models(warehouse, sql_dirs=[small])
    report = build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert built(report) == {"marts.c": "built"}
    assert [check.name for check in report.checks] == ["one_is_one"]
    warehouse.execute("UPDATE main.foreign_table SET one = 2")
    with pytest.raises(CheckFailedError, match="one_is_one"):
        build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)


# ---- which checks run again


@pytest.mark.parametrize("condition", ["now() < now()", "random() > 1", "CURRENT_DATE < current_date"])
def test_a_check_that_depends_on_more_than_rows_always_runs(
    warehouse: duckdb.DuckDBPyConnection, small: Path, condition: str
) -> None:
    write(small / "checks/steady.sql", "select * from marts.a where user_id is null")
    write(small / "checks/unsteady.sql", f"select * from marts.a where {condition}")
    build_models(warehouse, sql_dirs=[small])
    report = build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert [check.name for check in report.checks] == ["unsteady"]


def test_a_check_that_is_new_or_did_not_pass_runs_again(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    test = "{unique: {config: {severity: warn}}}, {not_null: {config: {severity: warn}}}"
    write(small / "marts/m.yml", f"models: [{{name: a, columns: [{{name: name, data_tests: [{test}]}}]}}]")
    for changes in (None, RUN_ONLY, RUN_ONLY):
        report = build_models(warehouse, sql_dirs=[small], changes=changes)
        assert "a.name: not_null" in {check.name for check in report.checks if check.failed}
    assert [check.name for check in report.checks] == ["a.name: not_null"]
    write(small / "checks/new.sql", "select * from marts.a where user_id is null")
    report = build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)
    assert {check.name for check in report.checks} == {"a.name: not_null", "new"}


def test_a_relationship_is_checked_again_when_either_side_changed(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    insert_rows(warehouse, "voices", [{"voice_id": "u"}])
    test = "{relationships: {to: ref('voices'), field: voice_id}}"
    write(small / "marts/m.yml", f"models: [{{name: a, columns: [{{name: user_id, data_tests: [{test}]}}]}}]")
    build_models(warehouse, sql_dirs=[small])
    warehouse.execute("DELETE FROM main.voices")
    with pytest.raises(CheckFailedError, match="relationships"):
        build_models(warehouse, sql_dirs=[small], changes=Changes(frozenset({"voices"})))


# ---- parsed files


def test_a_yaml_file_that_json_cannot_hold_is_parsed_each_time(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    write(small / "marts/m.yml", "models: [{name: a, meta: {since: 2026-01-01, 1: one}}]")
    build_models(warehouse, sql_dirs=[small])
    assert warehouse.execute(f"SELECT count(*) FROM {parsed.FILES_TABLE}").fetchall() == [(4,)]  # the SQL files
    assert built(build_models(warehouse, sql_dirs=[small], changes=RUN_ONLY)) == {}


# ---- batches


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_batches_of_any_size_make_the_same_rows(
    warehouse: duckdb.DuckDBPyConnection, divided: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(increments, "_BATCH_BYTES", size)  # an assistant without versions counts as one byte
    with counted(monkeypatch, (increments.TouchedAssistants, "small_warehouse")) as called:
        [step] = [step for step in build_models(warehouse, sql_dirs=[divided]).models if step.name == "marts.a"]
    assert len(called) == -(-10 // size)
    assert (step.outcome, step.rows) == ("built", 10)
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '1'")
    warehouse.execute("DELETE FROM main.assistants WHERE assistant_id = '2'")
    build_models(warehouse, sql_dirs=[divided])
    assert dict(warehouse.execute("FROM marts.a").fetchall()) == {**dict.fromkeys("03456789", "7"), "1": "new"}


def test_steady_words_in_names_do_not_count_as_the_clock() -> None:
    assert not checks._UNSTEADY.search("select current_versions.now_and_then from knowledge")
