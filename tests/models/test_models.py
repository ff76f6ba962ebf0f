"""The reporting layer: what each model answers, what the runner promises, and what the whole survives."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from support.models import outcomes, write
from support.warehouses import insert_rows, observe, open_warehouse

from puretalk.catalogue import TABLES
from puretalk.demo.account import Account
from puretalk.errors import CheckFailedError, ConfigurationError
from puretalk.models.audit import Acceptance, Audit
from puretalk.models.build import build_models
from puretalk.models.changes import Changes
from puretalk.models.model import Model, order_models, read_models, sql_folder
from puretalk.models.properties import read_properties
from puretalk.models.references import UnreadableSQLError, find_references
from puretalk.schema import STORAGE_SCHEMA

FIXTURES = Path(__file__).parent / "cases"
CASES = sorted(FIXTURES.glob("*/*.yml"))
MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    relation = connection.execute(query)
    names = [column[0] for column in relation.description]
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]


@functools.cache
def our_models() -> list[Model]:
    with duckdb.connect() as connection:
        return read_models(connection, sql_folder())


@pytest.fixture(scope="module")
def empty_build() -> Iterator[duckdb.DuckDBPyConnection]:
    """A build over an account without assistants."""
    with open_warehouse() as connection:
        build_models(connection)
        yield connection


# ---- what the models answer


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_model_answers_as_expected(warehouse: duckdb.DuckDBPyConnection, path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    model = path.parent.name
    for sync in case.get("syncs", ()):
        observe(warehouse, sync["at"], sync["records"], deleted=sync.get("deleted", ()))
    for table, rows in case.get("rows", {}).items():
        insert_rows(warehouse, table, rows)
    accepted = tuple(Acceptance(**entry) for entry in case.get("accepted", ()))
    build_models(warehouse, select=[model], audit=Audit(tuple(case.get("known_variables", ())), accepted))
    actual = rows_of(warehouse, f"SELECT * FROM marts.{model}")
    expected = case["expect"]
    if not expected:
        assert actual == []
        return
    names = list(expected[0])
    if case.get("full_row"):
        assert set(names) == set(actual[0])
    seen = [{name: row[name] for name in names} for row in actual]
    masked = [
        {name: "ANY" if value == "ANY" else row[name] for name, value in match.items()}
        for row, match in pair_rows(seen, expected)
    ]
    assert masked == [match for _, match in pair_rows(seen, expected)]
    assert len(seen) == len(expected)


def pair_rows(
    actual: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Both sorted the same way, by all values but those that may be ANY."""
    free = {name for row in expected for name, value in row.items() if value == "ANY"}

    def key(row: Mapping[str, Any]) -> str:
        return repr([(name, comparable(value)) for name, value in row.items() if name not in free])

    def tie(row: Mapping[str, Any]) -> str:
        return repr(sorted((name, row[name] in ("(none)", None)) for name in free))

    return list(
        zip(
            sorted(actual, key=lambda row: (key(row), tie(row))),
            sorted(expected, key=lambda row: (key(row), tie(row))),
            strict=False,
        )
    )


def comparable(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def test_every_mart_has_a_full_row_case() -> None:
    marts = {model.name for model in our_models() if model.schema == "marts"} - {"dim_finding_rules"}
    with_full_row = {path.parent.name for path in CASES if yaml.safe_load(path.read_text()).get("full_row")}
    assert with_full_row == marts


# ---- the audit


def finding_cases() -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    text = (FIXTURES / "finding_rules.yml").read_text()
    text = text.replace("LONG20001", "{{customer}}" + "x" * 19989).replace("LONG20000", "{{customer}}" + "x" * 19988)
    document = yaml.safe_load(text)
    return document["clean"], document["rules"]


def test_each_rule_finds_its_hits_and_leaves_its_near_misses(warehouse: duckdb.DuckDBPyConnection) -> None:
    clean, rules = finding_cases()
    records = [{"assistant_id": "clean", **clean}]
    for rule, cases in rules.items():
        for number, case in enumerate(cases):
            records.append({"assistant_id": f"{rule} {number}", **clean, **(case.get("hit") or case["miss"])})
    observe(warehouse, MORNING, records)
    build_models(warehouse, select=["rpt_config_findings"])
    found = rows_of(warehouse, "SELECT assistant_id, rule, place, excerpt FROM marts.rpt_config_findings")
    assert [row for row in found if row["assistant_id"] == "clean"] == []
    for rule, cases in rules.items():
        for number, case in enumerate(cases):
            mine = [row for row in found if row["assistant_id"] == f"{rule} {number}" and row["rule"] == rule]
            if "hit" in case:
                assert [(row["place"], row["excerpt"]) for row in mine] == [(case["place"], case["excerpt"])], rule
            else:
                assert mine == [], rule


def test_every_rule_has_a_hit_and_a_near_miss(empty_build: duckdb.DuckDBPyConnection) -> None:
    _, rules = finding_cases()
    rows = rows_of(empty_build, "SELECT rule, fields FROM marts.dim_finding_rules")
    fields = {row["rule"]: row["fields"].split(", ") for row in rows}
    assert rules.keys() == fields.keys()
    for rule, cases in rules.items():
        places = {case["place"].split()[0] for case in cases if "hit" in case}
        assert {"voice_id" if place == "voice" else place for place in places} <= set(fields[rule]), rule
        assert any("hit" in case for case in cases), rule
        assert any("miss" in case for case in cases), rule


def test_secrets_stand_in_no_published_finding(warehouse: duckdb.DuckDBPyConnection) -> None:
    secrets = ["sk-live-0123456789abcdef", "hunter2hunter2", "ghp_0123456789abcdefghijABCDEFGHIJ"]
    prompt = f"Use {secrets[0]}, password={secrets[1]} and {secrets[2]} at http://u:{secrets[1]}@crm.internal/"
    observe(warehouse, MORNING, [{"assistant_id": "a", "prompt": prompt}])
    build_models(warehouse, select=["rpt_config_findings"])
    findings = rows_of(warehouse, "SELECT * FROM marts.rpt_config_findings")
    assert {"secret_in_text", "private_url_in_text"} <= {row["rule"] for row in findings}
    assert [secret for secret in secrets if secret in repr(findings)] == []


# ---- near duplicates


def test_prompts_that_differ_in_a_few_words_are_near_duplicates(warehouse: duckdb.DuckDBPyConnection) -> None:
    rng = random.Random(7)
    words = [f"word{rng.randrange(5000)}" for _ in range(400)]
    twin = [*words[:200], "quite", "another", *words[202:300], *words[310:]]
    other = [f"word{rng.randrange(5000)}" for _ in range(400)]
    texts = {"a": words, "b": twin, "c": other}
    observe(warehouse, MORNING, [{"assistant_id": key, "prompt": " ".join(text)} for key, text in texts.items()])
    build_models(warehouse, select=["rpt_prompt_duplicates"])
    found = rows_of(warehouse, "SELECT assistant_id, duplicate_kind, similarity FROM marts.rpt_prompt_duplicates")
    assert [(row["assistant_id"], row["duplicate_kind"]) for row in found] == [("a", "near"), ("b", "near")]
    assert 0.8 <= min(row["similarity"] for row in found) < 1


# ---- what the whole survives


HOSTILE: list[dict[str, Any]] = [
    {"llm_states": "no list", "variables": 7, "chatbot_whitelisted_domains": {"a": 1}, "voice_emotion": "x"},
    {"llm_states": {"state_id": "s", "prompt": "p"}, "prompt": {"a": [1, None]}, "name": ["x"], "model": 5},
    {"llm_states": [None, 5, "text", [], {}, {"prompt": 5, "children": "no"}, {"state_id": {"a": 1}, "prompt": "p"}]},
    {"prompt": "NUL \x00 here", "name": "\x00", "variables": ["\x00", {"name": "\x00"}], "a\x00b": 1},
    {"prompt": "half a character \ud800", "tools": "[\ud800", "\ud800": 1},
    {"prompt": 'quote " and \' and \\ and \n and {{x"y}} {{\\}}', 'key "with" quotes': {"a.b": [1]}},
    {"call_recording_enabled": "true", "max_reminder_messages": -1, "behavior": 10**30, "voice_speed": 1e308},
    {"assistant_type": None, "model": "", "timezone": " ", "created_at": "never", "updated_at": None, "user": "me"},
    {"user_id": "theirs", "voice_id": 5, "config": {"content_hash": 1}, "assistant": None, "": {"": [""]}},
    {"chatbot_whitelisted_domains": ["", " ", None, "*", "http://", "[::1]", "a" * 500], "chatbot_accent_color": "#"},
    {"tools": "[" * 5000, "post_analysis": "{", "chatbot_faq": "[1", "custom_knowledge_base": "{{" * 3000},
    {
        "tools": '[{"url": "http://", "type": "a|b", "name": "c"}, {"type": "a", "name": "b|c", "parameters": [1]}]',
        "llm_states": [{"tools": [7, None, "", {"url": {"url": [" "]}, "method": 5, "function": {"parameters": 0}}]}],
        "phone_number": "00 000 0",
        "timezone": "%'",
        "voice": {"voice_id": "|", "is_cloned": True},
        "user": {"email": "|@example.com"},
        "chatbot_whitelisted_domains": ["//@", "@:", "a@b@c", "[", "::", "*@*"],
    },
    {"variables": [{"name": ["x"]}, {"value": 1}, None, "same", "same", {"name": "same"}]},
]


def deep_states(depth: int) -> list[Any]:
    states: list[Any] = []
    for level in range(depth):
        states = [{"state_id": f"s{level}", "prompt": f"level {level}", "children": states}]
    return states


def mutated(record: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The record with a few fields of other hostile records, or without some of its own."""
    changed = dict(record)
    for name in list(changed):
        if rng.random() < 0.3:
            del changed[name]
    changed.update(rng.choice(HOSTILE) if rng.random() < 0.7 else {})
    return changed


@pytest.mark.slow
def test_hostile_configurations_build_and_pass_all_checks(warehouse: duckdb.DuckDBPyConnection) -> None:
    rng = random.Random(3)
    records = [{**record, "assistant_id": f"h{number}"} for number, record in enumerate(HOSTILE)]
    records.append({"assistant_id": "deep", "llm_states": deep_states(60)})
    records.append({"assistant_id": "large", "prompt": "a line of five words\n" * 250_000})
    records.append({"assistant_id": "long list", "variables": [f"v{number}" for number in range(5000)]})
    observe(warehouse, MORNING, records)
    build_models(warehouse)
    for day in range(1, 4):
        records = [{**mutated(record, rng), "assistant_id": record["assistant_id"]} for record in records]
        deleted = [records[day]["assistant_id"]]
        kept = [record for record in records if record["assistant_id"] not in deleted]
        observe(warehouse, MORNING + timedelta(days=day), kept, deleted=deleted)
        report = build_models(warehouse)
    assert [check.name for check in report.checks if check.failed] == []


def random_json(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(7 if depth else 4)
    if kind < 4:
        return rng.choice([None, True, 0, 1.5, "", "a", "b", "null", '"', "[]"])
    if kind == 4:
        return {rng.choice('abc."['): random_json(rng, depth - 1) for _ in range(rng.randrange(4))}
    items = [random_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    return [{"state_id": rng.choice("xyz"), "v": item} for item in items] if kind == 5 else items


def test_versions_have_changes_exactly_when_their_configurations_differ(warehouse: duckdb.DuckDBPyConnection) -> None:
    rng = random.Random(11)
    before, after = {}, {}
    for number in range(400):
        before[f"a{number:03}"] = {"f": random_json(rng, 3), "llm_states": random_json(rng, 4)}
        after[f"a{number:03}"] = {"f": random_json(rng, 3), "llm_states": random_json(rng, 4)}
    observe(warehouse, MORNING, [{"assistant_id": key, **fields} for key, fields in before.items()])
    observe(
        warehouse,
        MORNING + timedelta(days=1),
        # the second updated_at makes every assistant a new version
        [{"assistant_id": key, "updated_at": "2026-03-01T00:00:00Z", **fields} for key, fields in after.items()],
    )
    build_models(warehouse)
    changes = rows_of(warehouse, "SELECT * FROM marts.fct_config_changes")
    for key, old in before.items():
        new = after[key]
        fields = {row["field"] for row in changes if row["assistant_id"] == key}
        assert fields == {name for name in old if not same_json(old[name], new[name])}, (old, new)
    for row in changes:
        old_value, new_value = before[row["assistant_id"]][row["field"]], after[row["assistant_id"]][row["field"]]
        if row["path"] == row["field"] and row["change_kind"] == "changed":
            assert (json.loads(row["old_value"]), json.loads(row["new_value"])) == (old_value, new_value)


def same_json(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.slow
def test_demo_account_passes_all_checks_through_its_changes(tmp_path: Path) -> None:
    account = Account(seed=5, assistants=60)
    with open_warehouse(tmp_path / "puretalk.duckdb") as connection:
        observe(connection, MORNING, account.records())
        build_models(connection)
        live = set(account.live_ids())
        account.evolve()
        gone = sorted(live - set(account.live_ids()))
        observe(connection, MORNING + timedelta(days=1), account.records(), deleted=gone)
        build_models(connection)
        changes = rows_of(connection, "SELECT DISTINCT area FROM marts.fct_config_changes")
        findings = rows_of(connection, "SELECT DISTINCT rule FROM marts.rpt_config_findings")
        calls = rows_of(connection, "SELECT DISTINCT is_in_state, is_https FROM marts.fct_tool_use WHERE url <> ''")
    assert "prompt" in {row["area"] for row in changes}
    assert len(findings) >= 20
    assert {(row["is_in_state"], row["is_https"]) for row in calls} == {
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    }


# ---- incremental models


def marts_of(path: Path) -> dict[str, list[str]]:
    """All rows of all marts, sorted."""
    with duckdb.connect(path) as connection:
        return {
            model.relation: sorted(map(repr, connection.execute(f"SELECT * FROM {model.relation}").fetchall()))
            for model in our_models()
            if model.schema in ("marts", "_internal")
        }


def rows_by_table(connection: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[str | None, str]]]:
    """(assistant_id, the row as text) for each row of the normalized layer, by table."""
    found = {}
    for table in TABLES.values():
        rows = rows_of(connection, f"SELECT * FROM {STORAGE_SCHEMA}.{table.name}")
        found[table.name] = {(row.get("assistant_id"), repr(row)) for row in rows}
    return found


def find_changes(
    before: dict[str, set[tuple[str | None, str]]], after: dict[str, set[tuple[str | None, str]]]
) -> Changes:
    differing = {name: before[name] ^ after[name] for name in TABLES if before[name] != after[name]}
    ids = {assistant_id for rows in differing.values() for assistant_id, _ in rows if assistant_id is not None}
    return Changes(frozenset(differing), frozenset(ids))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.storm)])
def test_an_incremental_build_equals_a_build_from_scratch(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path, scratch = tmp_path / "grown.duckdb", tmp_path / "scratch.duckdb"
    hostile = [{**record, "assistant_id": f"h{number}"} for number, record in enumerate(HOSTILE)]
    records = {record["assistant_id"]: record for record in [*Account(seed=seed, assistants=20).records(), *hostile]}
    past: list[dict[str, Any]] = [dict(records)]
    deleted: list[str] = []
    updated: set[str] = set()
    open_warehouse(path).close()
    for hour in range(8):
        with duckdb.connect(path) as connection:
            before = rows_by_table(connection)
            observe(connection, MORNING + timedelta(hours=hour), list(records.values()), deleted=deleted)
            # What a sync tells, but for a build in the middle that is told nothing.
            changes = find_changes(before, rows_by_table(connection)) if hour != 3 else None
            report = build_models(connection, changes=changes)
        updated |= {step.name for step in report.models if step.outcome == "updated"}
        shutil.copy(path, scratch)
        with duckdb.connect(scratch) as connection:
            connection.execute("DELETE FROM _internal.model_builds")
            assert "updated" not in {step.outcome for step in build_models(connection).models}
        assert marts_of(path) == marts_of(scratch), hour
        deleted = []
        for key in rng.sample(sorted(past[0]), rng.randrange(4)):
            chance = rng.random()
            if key in records and chance < 0.3:
                deleted.append(key)
                del records[key]
            elif chance < 0.6:
                records[key] = rng.choice(past).get(key, past[0][key])
            else:
                records[key] = mutated(past[-1].get(key, past[0][key]), rng)
                records[key]["assistant_id"] = key
        past.append(dict(records))
    properties = read_properties([sql_folder()])
    assert updated == {model.relation for model in our_models() if properties.model(model.name).is_incremental}


def test_only_rows_of_assistants_that_changed_are_built_again(
    warehouse: duckdb.DuckDBPyConnection, divided: Path
) -> None:
    assert outcomes(warehouse, divided)["marts.a"] == "built"
    assert outcomes(warehouse, divided)["marts.a"] == "unchanged"
    # Not a row that the model would make: it shows who is left alone.
    warehouse.execute("UPDATE marts.a SET name = 'old'")
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '1'")
    warehouse.execute("DELETE FROM main.assistants WHERE assistant_id = '2'")
    assert outcomes(warehouse, divided)["marts.a"] == "updated"
    assert dict(warehouse.execute("SELECT * FROM marts.a").fetchall()) == {
        "1": "new",
        **dict.fromkeys("03456789", "old"),
    }


def test_other_sql_on_the_way_to_an_incremental_model_builds_all_of_it(
    warehouse: duckdb.DuckDBPyConnection, divided: Path
) -> None:
    outcomes(warehouse, divided)
    write(divided / "staging/stg_assistants.sql", "select assistant_id, name || '!' as name from main.assistants")
    assert outcomes(warehouse, divided)["marts.a"] == "built"
    assert rows_of(warehouse, "SELECT DISTINCT name FROM marts.a") == [{"name": "7!"}]


def test_many_changed_assistants_build_all_of_it(warehouse: duckdb.DuckDBPyConnection, divided: Path) -> None:
    outcomes(warehouse, divided)
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id < '3'")
    assert outcomes(warehouse, divided)["marts.a"] == "built"


@pytest.mark.parametrize("select", [(), ("a",)])
def test_what_a_broken_build_updated_is_corrected_by_the_next(
    warehouse: duckdb.DuckDBPyConnection, divided: Path, select: tuple[str, ...]
) -> None:
    write(divided / "marts/b.sql", "select cast(name as integer) as number from marts.a")
    outcomes(warehouse, divided)
    warehouse.execute("UPDATE main.assistants SET name = 'x' WHERE assistant_id = '1'")
    if select:
        build_models(warehouse, sql_dirs=[divided], select=select)
    else:
        with pytest.raises(CheckFailedError):
            outcomes(warehouse, divided)
    assert rows_of(warehouse, "SELECT name FROM marts.a WHERE assistant_id = '1'") == [{"name": "x"}]
    warehouse.execute("UPDATE main.assistants SET name = '7' WHERE assistant_id = '1'")
    outcomes(warehouse, divided)
    assert rows_of(warehouse, "SELECT DISTINCT name FROM marts.a") == [{"name": "7"}]


@pytest.mark.parametrize(
    ("sql", "key", "message"),
    [
        ("select user_id from main.users", "assistant_id", r"a\.sql: .* depends on main\.users"),
        ("select user_id from staging.stg_others", "assistant_id", r"a\.sql: .* depends on main\.users"),
        ("select assistant_id, name from puretalk.assistants", "assistant_id", r"a\.sql: .* names the catalog"),
        ("select assistant_id from puretalk.staging.stg_assistants", "assistant_id", r"a\.sql: .* names the catalog"),
        ("select assistant_id from main.assistants union from marts.a", "assistant_id", r"marts\.a reads itself"),
        ("select assistant_id, name from staging.stg_assistants", "user_id", r"m\.yml: a: .* unique_key assistant_id"),
    ],
)
def test_a_model_that_cannot_be_incremental_is_refused(
    warehouse: duckdb.DuckDBPyConnection, divided: Path, sql: str, key: str, message: str
) -> None:
    write(divided / "marts/a.sql", sql)
    write(divided / "staging/stg_others.sql", "select user_id from main.users")
    config = f"{{materialized: incremental, unique_key: {key}}}"
    write(divided / "marts/m.yml", f"models: [{{name: a, config: {config}}}]")
    with pytest.raises(ConfigurationError, match=message):
        outcomes(warehouse, divided)


# ---- an empty account, and the contract


def test_empty_account_has_every_relation_and_no_rows(empty_build: duckdb.DuckDBPyConnection) -> None:
    for model in our_models():
        if model.kind in ("view", "table") and model.name not in ("dim_finding_rules", "stg_as_of"):
            assert rows_of(empty_build, f"SELECT * FROM {model.relation}") == [], model.relation


def test_marts_have_exactly_the_columns_and_types_of_their_contract(empty_build: duckdb.DuckDBPyConnection) -> None:
    properties = read_properties([sql_folder()])
    for model in our_models():
        if model.schema == "marts":
            promised = [(column.name, column.data_type) for column in properties.model(model.name).columns]
            actual = [
                (row["column_name"], row["column_type"]) for row in rows_of(empty_build, f"DESCRIBE {model.relation}")
            ]
            assert actual == promised, model.name


def test_every_relation_and_column_has_a_comment(empty_build: duckdb.DuckDBPyConnection) -> None:
    silent = rows_of(
        empty_build,
        """
        SELECT table_name, column_name FROM duckdb_columns()
        WHERE schema_name IN ('staging', 'marts') AND coalesce(comment, '') = ''
        UNION ALL
        SELECT table_name, '' FROM duckdb_tables() WHERE schema_name = 'marts' AND coalesce(comment, '') = ''
        UNION ALL
        SELECT view_name, '' FROM duckdb_views() WHERE schema_name = 'staging' AND coalesce(comment, '') = ''
        """,
    )
    assert silent == []


def test_each_normalized_table_has_a_staging_view() -> None:
    views = {model.name for model in our_models() if model.schema == "staging"}
    assert views == {f"stg_{name}" for name in TABLES} | {"stg_as_of"}


def test_only_staging_reads_the_normalized_layer() -> None:
    for model in our_models():
        schemas = {reference.schema for reference in model.references if reference.schema}
        allowed = {STORAGE_SCHEMA} if model.schema == "staging" else {"staging", "intermediate", "_internal", "marts"}
        assert schemas <= allowed, model.path


def test_every_model_says_its_grain_and_question_and_names_its_columns() -> None:
    with duckdb.connect() as connection:
        for model in our_models():
            first, second = model.sql.splitlines()[:2]
            words = ("Claim", "Identity") if model.kind == "check" else ("Grain", "Question")
            assert re.match(rf"-- {words[0]}: .+\.\Z", first), model.path
            assert re.match(rf"-- {words[1]}: ", second), model.path
            node = json.loads(connection.execute("SELECT json_serialize_sql(?)", [model.sql]).fetchall()[0][0])
            final = node["statements"][0]["node"].get("select_list", [])
            assert "STAR" not in [entry["class"] for entry in final], model.path


def test_every_mart_has_a_grain_test() -> None:
    properties = read_properties([sql_folder()])
    for model in our_models():
        if model.schema == "marts":
            assert any(test.kind == "unique" for test in properties.model(model.name).tests), model.name


# ---- the runner


def test_models_are_built_after_what_they_read(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    names = [step.name for step in build_models(warehouse, sql_dirs=[small]).models]
    assert names.index("staging.stg_users") < names.index("marts.a") < names.index("marts.b")


def test_second_build_of_unchanged_inputs_builds_no_table(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    outcomes(warehouse, small)
    assert outcomes(warehouse, small) == {
        "staging.stg_users": "built",
        "marts.a": "unchanged",
        "marts.b": "unchanged",
        "marts.voices": "unchanged",
    }


def test_changed_rows_rebuild_what_reads_them_and_nothing_else(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "Ada"}])
    outcomes(warehouse, small)
    warehouse.execute("UPDATE main.users SET name = 'Ann'")
    after = outcomes(warehouse, small)
    assert (after["marts.a"], after["marts.b"], after["marts.voices"]) == ("built", "built", "unchanged")
    assert rows_of(warehouse, "SELECT name FROM marts.a") == [{"name": "Ann"}]


def test_changed_sql_and_a_lost_table_are_built_again(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    outcomes(warehouse, small)
    write(small / "marts/b.sql", "select user_id, 1 as one from marts.a")
    warehouse.execute("DROP TABLE marts.voices")
    after = outcomes(warehouse, small)
    assert (after["marts.a"], after["marts.b"], after["marts.voices"]) == ("unchanged", "built", "built")


def test_a_model_that_is_no_more_is_removed(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    outcomes(warehouse, small)
    (small / "marts/b.sql").unlink()
    assert outcomes(warehouse, small)["marts.b"] == "removed"
    assert rows_of(warehouse, "SELECT table_name FROM duckdb_tables() WHERE table_name = 'b'") == []


def test_a_table_that_no_model_built_is_left_alone(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    warehouse.execute("CREATE SCHEMA marts")
    warehouse.execute("CREATE TABLE marts.foreign_table AS SELECT 1 AS one")
    outcomes(warehouse, small)
    assert rows_of(warehouse, "SELECT * FROM marts.foreign_table") == [{"one": 1}]


def test_comments_survive_a_rebuild(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    write(
        small / "marts/m.yml",
        "models: [{name: a, description: It's A, columns: [{name: name, description: The name}]}]",
    )
    query = "SELECT comment FROM duckdb_columns() WHERE table_name = 'a' ORDER BY column_index"
    for name in ("Ada", "Ann"):
        insert_rows(warehouse, "users", [{"user_id": name, "name": name}])
        outcomes(warehouse, small)
        assert rows_of(warehouse, query)[1] == {"comment": "The name"}
        assert rows_of(warehouse, "SELECT comment FROM duckdb_tables() WHERE table_name = 'a'") == [
            {"comment": "It's A"}
        ]


def test_a_circle_is_named(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    write(tmp_path / "marts/a.sql", "select * from marts.c")
    write(tmp_path / "marts/b.sql", "select * from marts.a")
    write(tmp_path / "marts/c.sql", "select * from marts.b")
    with pytest.raises(ConfigurationError, match=r"circle: marts\.\w → marts\.\w → marts\.\w → marts\.\w"):
        build_models(warehouse, sql_dirs=[tmp_path])


@pytest.mark.parametrize(
    ("sql", "line", "cause"),
    [
        ("select 1 as one\nfrom\n  a b c", 3, "syntax error"),
        ("select\n  nothing\nfrom main.users", 2, "nothing"),
        ("select user_id\n\nfrom staging.nowhere", 3, "nowhere"),
    ],
)
def test_a_broken_model_names_file_line_and_cause(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, line: int, cause: str
) -> None:
    write(tmp_path / "marts/broken.sql", sql)
    with pytest.raises(CheckFailedError) as caught:
        build_models(warehouse, sql_dirs=[tmp_path])
    assert f"broken.sql:{line}: " in caught.value.message
    assert cause in caught.value.message


def test_two_statements_are_refused(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    write(tmp_path / "marts/two.sql", "select 1 as a; drop table main.users")
    with pytest.raises(CheckFailedError, match=r"two\.sql"):
        build_models(warehouse, sql_dirs=[tmp_path])


def test_a_failed_check_names_itself_its_count_and_three_samples(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    insert_rows(warehouse, "users", [{"user_id": f"u{number}"} for number in range(5)])
    write(small / "checks/no_users.sql", "select user_id, 'x' as why from marts.a order by user_id")
    with pytest.raises(CheckFailedError) as caught:
        build_models(warehouse, sql_dirs=[small])
    assert caught.value.message == "Check no_users found 5 rows, for example: u0, x; u1, x; u2, x"


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("unique", "Check a.name: unique found 1 row, for example: twice, 2"),
        ("not_null", "Check a.name: not_null found 1 row, for example: u3, NULL"),
        ("{accepted_values: {values: [twice]}}", "Check a.name: accepted_values found 1 row, for example: once"),
        (
            "{relationships: {to: ref('voices'), field: voice_id}}",
            "Check a.name: relationships found 1 row, for example: once",
        ),
    ],
)
def test_yaml_tests_find_what_breaks_them(
    warehouse: duckdb.DuckDBPyConnection, small: Path, test: str, message: str
) -> None:
    names = {"u0": "twice", "u1": "twice", "u2": "once", "u3": None}
    insert_rows(warehouse, "users", [{"user_id": key, "name": name} for key, name in names.items()])
    insert_rows(warehouse, "voices", [{"voice_id": "twice"}])
    write(small / "marts/m.yml", f"models: [{{name: a, columns: [{{name: name, data_tests: [{test}]}}]}}]")
    with pytest.raises(CheckFailedError) as caught:
        build_models(warehouse, sql_dirs=[small])
    assert caught.value.message == message


def test_yaml_tests_accept_what_holds(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "v"}, {"user_id": "w", "name": None}])
    insert_rows(warehouse, "voices", [{"voice_id": "v"}])
    tests = "[unique, {accepted_values: {values: [v]}}, {relationships: {to: ref('voices'), field: voice_id}}]"
    write(small / "marts/m.yml", f"models: [{{name: a, columns: [{{name: name, data_tests: {tests}}}]}}]")
    assert len(build_models(warehouse, sql_dirs=[small]).checks) == 3


def test_combinations_of_columns_can_be_unique(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "n"}, {"user_id": "u", "name": "n"}])
    test = "{dbt_utils.unique_combination_of_columns: {combination_of_columns: [user_id, name]}}"
    write(small / "marts/m.yml", f"models: [{{name: a, data_tests: [{test}]}}]")
    with pytest.raises(CheckFailedError, match=r"a\.user_id\+name: unique found 1 row, for example: u, n, 2"):
        build_models(warehouse, sql_dirs=[small])


def test_a_test_of_severity_warn_warns(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    test = "{not_null: {config: {severity: warn}}}"
    write(small / "marts/m.yml", f"models: [{{name: a, columns: [{{name: name, data_tests: [{test}]}}]}}]")
    report = build_models(warehouse, sql_dirs=[small])
    assert report.warnings == ("Check a.name: not_null found 1 row, for example: u, NULL",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [{name: nowhere}]", "no model nowhere"),
        ("models: [{name: a, columns: [{name: x, data_tests: [shiny]}]}]", "unknown test: shiny"),
        ("models: [{name: a}, {name: a}]", "described twice"),
        ("models: [", r"m\.yml"),
        ("models: [{description: x}]", r"m\.yml"),
    ],
)
def test_unusable_yaml_is_refused_by_name(
    warehouse: duckdb.DuckDBPyConnection, small: Path, text: str, message: str
) -> None:
    write(small / "marts/m.yml", text)
    with pytest.raises(ConfigurationError, match=message):
        build_models(warehouse, sql_dirs=[small])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("[{name: user_id, data_type: VARCHAR}]", "it also has name"),
        ("[{name: user_id, data_type: BIGINT}, {name: name, data_type: VARCHAR}]", "user_id is VARCHAR, not BIGINT"),
        ("[{name: name, data_type: VARCHAR}, {name: user_id, data_type: VARCHAR}]", "another order"),
        ("[{name: shoe_size}]", "no column shoe_size"),
    ],
)
def test_a_model_that_breaks_its_contract_is_refused(
    warehouse: duckdb.DuckDBPyConnection, small: Path, columns: str, reason: str
) -> None:
    write(small / "marts/m.yml", f"models: [{{name: a, columns: {columns}}}]")
    with pytest.raises(CheckFailedError, match=reason):
        build_models(warehouse, sql_dirs=[small])


def test_stale_sources_warn_and_fresh_ones_do_not(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    table = "{name: sync_runs, loaded_at_field: finished_at, freshness: {warn_after: {count: 1, period: day}}}"
    write(small / "s.yml", f"sources: [{{name: puretalk, schema: main, tables: [{table}]}}]")
    assert build_models(warehouse, sql_dirs=[small]).warnings == ()
    now = datetime.now(UTC)
    insert_rows(warehouse, "sync_runs", [{"run_id": "r", "finished_at": now - timedelta(hours=50)}])
    [warning] = build_models(warehouse, sql_dirs=[small]).warnings
    assert warning == "sync_runs was loaded 50 hours ago; it should not be older than 24 hours."
    insert_rows(warehouse, "sync_runs", [{"run_id": "s", "finished_at": now}])
    assert build_models(warehouse, sql_dirs=[small]).warnings == ()


# ---- models of the user's own


def test_own_models_are_built_after_ours_into_their_folders_schema(
    warehouse: duckdb.DuckDBPyConnection, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("own")
    write(own / "top.sql", "select count(*) as n from finance.costs")
    write(own / "finance/costs.sql", "select user_id from marts.b")
    write(own / "checks/own_check.sql", "select 1 as one where false")
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    report = build_models(warehouse, sql_dirs=[small], user_dir=own)
    assert rows_of(warehouse, "SELECT n FROM models.top") == [{"n": 1}]
    assert [check.name for check in report.checks] == ["own_check"]


@pytest.mark.parametrize("name", ["large.sql", "checks/large.sql"])
def test_sql_that_needs_more_memory_than_allowed_is_not_called_wrong_sql(
    warehouse: duckdb.DuckDBPyConnection, small: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    own = tmp_path_factory.mktemp("own")
    write(own / name, "select len(list(i)) as n from range(40000000) as numbers (i) having n = 0")
    warehouse.execute("SET memory_limit = '64MB'")
    with pytest.raises(duckdb.OutOfMemoryException):
        build_models(warehouse, sql_dirs=[small], user_dir=own)


@pytest.mark.parametrize("schema", ["marts", "staging", "puretalk", "intermediate", "_internal", "main"])
def test_own_models_cannot_write_to_our_schemas(
    warehouse: duckdb.DuckDBPyConnection, small: Path, tmp_path_factory: pytest.TempPathFactory, schema: str
) -> None:
    own = tmp_path_factory.mktemp("own")
    write(own / schema / "a.sql", "select 1 as one")
    with pytest.raises(ConfigurationError, match=f"{schema} is puretalk's own"):
        build_models(warehouse, sql_dirs=[small], user_dir=own)


@pytest.mark.parametrize("name", ["a b.sql", 'a".sql', "A.sql", "1a.sql", "x/y/z.sql"])
def test_names_that_are_no_plain_relation_are_refused(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    write(tmp_path / "own" / name, "select 1 as one")
    with pytest.raises(ConfigurationError, match="a model is a file"):
        build_models(warehouse, user_dir=tmp_path / "own")


# ---- where the file is named as a schema


def test_views_work_in_a_file_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "puretalk.duckdb"
    with open_warehouse(path) as connection:
        observe(connection, MORNING, [{"assistant_id": "a", "name": "Ada"}])
    with duckdb.connect(path) as connection:
        build_models(connection, select=["stg_assistants"])
    query = "SELECT assistant_name FROM staging.stg_assistants"
    for name in ("puretalk", "marts", "other-2026"):
        path = path.rename(tmp_path / f"{name}.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            assert rows_of(connection, query) == [{"assistant_name": "Ada"}]
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS pt (READ_ONLY)")
        assert rows_of(connection, query.replace("staging", "pt.staging")) == [{"assistant_name": "Ada"}]


# ---- references


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("with a as (select * from s.x) select * from a", ["s.x"]),
        ("with x as (select * from x) select * from x", ["x"]),
        ("with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r", []),
        ("with a as (with recursive r as (select 1 union all from r) from r, a) from a", ["a"]),
        ("with a as (select * from b), b as (select 1) select * from a, b", ["b"]),
        ("with s as (select 1) select * from q.s", ["q.s"]),
        ('select * from "My Schema"."a.b" as t', ["my schema.a.b"]),
        ("select (select max(i) from m.a), exists (select 1 from m.b)", ["m.a", "m.b"]),
        ("select * from s.a union all select * from s.b", ["s.a", "s.b"]),
        ("from s.a select 'from s.b' as c -- from s.c", ["s.a"]),
        ("select list_transform([1], lambda a: a + 1) from c.s.t", ["s.t"]),
    ],
)
def test_references_are_what_is_read_and_no_cte(
    warehouse: duckdb.DuckDBPyConnection, sql: str, expected: list[str]
) -> None:
    assert [reference.relation for reference in find_references(warehouse, sql)] == expected


def test_positions_count_bytes(warehouse: duckdb.DuckDBPyConnection) -> None:
    sql = "select 'äöü' from main.users"
    [reference] = find_references(warehouse, sql)
    assert sql.encode()[reference.position :] == b"main.users"


def test_what_is_no_select_is_unreadable(warehouse: duckdb.DuckDBPyConnection) -> None:
    for sql in ("", "-- nothing", "create table a (i int)", "select 1; select 2"):
        with pytest.raises(UnreadableSQLError):
            find_references(warehouse, sql)


def test_our_models_have_an_order() -> None:
    models = [model for model in our_models() if model.kind != "check"]
    assert {model.relation for model in order_models(models)} == {model.relation for model in models}
