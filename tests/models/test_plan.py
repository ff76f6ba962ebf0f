"""The plan of a build: it says what the build then does, why, and changes nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb
import pytest
from support.models import outcomes, write
from support.warehouses import insert_rows

import puretalk.models
from puretalk.errors import CheckFailedError
from puretalk.models.plan import Plan, plan
from puretalk.models.project import read_project

ROOM = Path(puretalk.models.__file__).parent

VIEW = "every build creates the views again"
CHANGED = "its SQL, a row that it depends on, or the version of DuckDB changed"
KEPT = "nothing that it depends on changed"


def make_plan(connection: duckdb.DuckDBPyConnection, folder: Path) -> Plan:
    return plan(connection, read_project(connection, [folder]))


def lines_of(planned: Plan) -> dict[str, tuple[str, str]]:
    """(action, reason) by relation, in the plan's order."""
    removed = {step.relation: (step.action.value, step.reason) for step in planned.removals}
    return removed | {step.relation: (step.action.value, step.reason) for step in planned.models}


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """All rows of all tables and the SQL of all views."""
    tables = connection.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
    ).fetchall()
    found = {name: sorted(map(repr, connection.execute(f"FROM {name}").fetchall())) for (name,) in tables}
    views = connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL").fetchall()
    return {**found, "views": [repr(view) for view in views]}


def test_a_plan_as_text_is_a_line_for_each_relation(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    outcomes(warehouse, small)
    (small / "marts/b.sql").unlink()
    write(small / "marts/voices.sql", "select voice_id, 1 as one from main.voices")
    [remove, *others] = str(make_plan(warehouse, small)).splitlines()
    assert remove == "remove table  marts.b            no model makes it"
    assert sorted(others) == [
        f"build         marts.voices       {CHANGED}",
        f"create view   staging.stg_users  {VIEW}",
        f"keep          marts.a            {KEPT}",
    ]


def test_planning_changes_nothing(warehouse: duckdb.DuckDBPyConnection, divided: Path) -> None:
    outcomes(warehouse, divided)
    before = everything(warehouse)
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '1'")
    write(divided / "marts/b.sql", "select * from marts.a")
    first = str(make_plan(warehouse, divided))
    assert str(make_plan(warehouse, divided)) == first
    warehouse.execute("UPDATE main.assistants SET name = '7' WHERE assistant_id = '1'")
    assert everything(warehouse) == before


def test_a_build_does_what_the_plan_says(warehouse: duckdb.DuckDBPyConnection, divided: Path) -> None:
    done = {"keep": "unchanged", "update": "updated", "remove table": "removed", "remove view": "removed"}
    write(divided / "staging/stg_voices.sql", "select voice_id from main.voices")
    write(divided / "marts/b.sql", "select voice_id from staging.stg_voices")
    for change in (
        lambda: None,
        lambda: None,
        lambda: warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '1'"),
        lambda: insert_rows(warehouse, "voices", [{"voice_id": "v"}]),
        (divided / "marts/b.sql").unlink,
        (divided / "staging/stg_voices.sql").unlink,
    ):
        change()
        planned = lines_of(make_plan(warehouse, divided))
        assert {name: done.get(action, "built") for name, (action, _) in planned.items()} == outcomes(
            warehouse, divided
        )
        assert make_plan(warehouse, divided).removals == ()


def test_a_table_has_a_reason_for_what_is_done_to_it(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    warehouse.execute("CREATE TABLE main.foreign_table AS SELECT 1 AS one")
    write(small / "marts/c.sql", "select one from main.foreign_table")
    assert lines_of(make_plan(warehouse, small))["marts.a"] == ("build", "not built yet")
    outcomes(warehouse, small)
    assert lines_of(make_plan(warehouse, small)) == {
        "staging.stg_users": ("create view", VIEW),
        "marts.a": ("keep", KEPT),
        "marts.b": ("keep", KEPT),
        "marts.c": ("build", "it reads a relation whose changes are not tracked"),
        "marts.voices": ("keep", KEPT),
    }
    insert_rows(warehouse, "users", [{"user_id": "u"}])
    warehouse.execute("DROP TABLE marts.voices")
    planned = lines_of(make_plan(warehouse, small))
    assert planned["marts.a"] == planned["marts.b"] == ("build", CHANGED)
    assert planned["marts.voices"] == ("build", "not built yet")


def test_an_incremental_table_has_a_reason_too(warehouse: duckdb.DuckDBPyConnection, divided: Path) -> None:
    def planned() -> tuple[str, str]:
        return lines_of(make_plan(warehouse, divided))["marts.a"]

    assert planned() == ("build", "not built yet")
    outcomes(warehouse, divided)
    assert planned() == ("keep", "no assistant changed")
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id = '1'")
    assert planned() == ("update", "1 assistant changed")
    warehouse.execute("UPDATE main.assistants SET name = 'new' WHERE assistant_id < '3'")
    assert planned() == ("build", "3 assistants changed, too many for an update")
    write(divided / "staging/stg_assistants.sql", "select assistant_id, name || '!' as name from main.assistants")
    assert planned() == ("build", "SQL that leads to it or the version of DuckDB changed")


def test_an_intermediate_table_is_planned_only_for_a_table_that_is_built(
    warehouse: duckdb.DuckDBPyConnection, small: Path
) -> None:
    write(small / "intermediate/int_names.sql", "select name from staging.stg_users")
    write(small / "intermediate/int_sizes.sql", "select length(name) as size from intermediate.int_names")
    write(small / "marts/c.sql", "select size from intermediate.int_sizes")
    planned = lines_of(make_plan(warehouse, small))
    assert planned["intermediate.int_names"] == ("build", "read by intermediate.int_sizes")
    assert planned["intermediate.int_sizes"] == ("build", "read by marts.c")
    names = list(planned)
    assert names.index("intermediate.int_names") < names.index("intermediate.int_sizes") < names.index("marts.c")
    outcomes(warehouse, small)
    assert [name for name in lines_of(make_plan(warehouse, small)) if name.startswith("intermediate")] == []
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "Ada"}])
    assert outcomes(warehouse, small)["marts.c"] == "built"
    assert warehouse.execute("FROM marts.c").fetchall() == [(3,)]


def test_a_column_that_the_view_leaves_out_builds_nothing(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "Ada", "email": "a@example.com"}])
    outcomes(warehouse, small)
    warehouse.execute("UPDATE main.users SET email = 'b@example.com'")
    assert lines_of(make_plan(warehouse, small))["marts.a"] == ("keep", KEPT)


def test_a_view_that_reads_a_model_passes_its_changes_on(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    write(small / "staging/stg_names.sql", "select name from marts.a")
    write(small / "marts/c.sql", "select name from staging.stg_names")
    outcomes(warehouse, small)
    assert outcomes(warehouse, small)["marts.c"] == "unchanged"
    insert_rows(warehouse, "users", [{"user_id": "u", "name": "Ada"}])
    outcomes(warehouse, small)
    assert warehouse.execute("FROM marts.c").fetchall() == [("Ada",)]


def test_a_broken_view_is_named_by_the_plan(warehouse: duckdb.DuckDBPyConnection, small: Path) -> None:
    outcomes(warehouse, small)
    write(small / "staging/stg_users.sql", "select user_id,\n  nothing\nfrom main.users")
    with pytest.raises(CheckFailedError, match=r"stg_users\.sql:2: .*nothing"):
        make_plan(warehouse, small)


@pytest.mark.parametrize(
    ("relation", "is_kind", "was_kind"), [("marts.b", "TABLE", "VIEW"), ("staging.stg_users", "VIEW", "TABLE")]
)
def test_a_relation_of_another_kind_than_its_model_makes_is_replaced(
    warehouse: duckdb.DuckDBPyConnection, small: Path, relation: str, is_kind: str, was_kind: str
) -> None:
    outcomes(warehouse, small)
    warehouse.execute(f"DROP {is_kind} {relation}")
    warehouse.execute(f"CREATE {was_kind} {relation} AS SELECT 1 AS one")
    [removal] = make_plan(warehouse, small).removals
    assert (removal.relation, removal.reason) == (relation, f"its model makes a {is_kind.lower()}")
    assert outcomes(warehouse, small)[relation] == "built"
    assert make_plan(warehouse, small).removals == ()


def test_a_file_of_the_room_imports_only_files_above_it_in_the_list() -> None:
    order = re.findall(r"^- `(\w+)`:", puretalk.models.__doc__ or "", re.MULTILINE)
    assert sorted(order) == sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")
    for name in order:
        for node in ast.walk(ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("puretalk.models."):
                other = (node.module or "").rpartition(".")[2]
                assert order.index(other) < order.index(name), f"{name} imports {other}"
