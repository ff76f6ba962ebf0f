"""The command line as people and schedulers use it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import subprocess
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from support.commandline import MEASURED, PURETALK, CommandLine

import puretalk
from puretalk.database import quote_literal
from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, WarehouseError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A command line over a warehouse that was synced once; the tests of this fixture only read."""
    folder = tmp_path_factory.mktemp("synced")
    with DemoApi(Account(assistants=7)) as api:
        command = CommandLine(folder / "data", folder, api)
        ended = command.as_installed("sync")
    assert (ended.exit_code, ended.output, ended.error) == (0, "", ""), "a sync without a terminal is silent"
    return CommandLine(folder / "data", folder)


def test_a_sync_tells_a_program_what_it_did(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api, has_models=False)
    first, second = command("sync", "--json").json(), command("sync", "--json").json()
    facts = ("exit_code", "seen", "new", "unchanged", "pages", "walks", "is_exact", "warnings")
    assert [first[name] for name in facts] == [0, 7, 7, 0, 3, 1, True, []]
    assert [second[name] for name in facts] == [0, 7, 0, 7, 3, 1, True, []]
    assert second["rows_loaded"] == 0
    assert second["tables"]["assistants"] == 7


def test_timing_prints_a_line_for_each_kind_of_step_and_the_whole(
    synced_data: Path, tmp_path: Path, api: DemoApi
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    ended = command("sync", "--timing")
    assert (ended.exit_code, ended.error) == (0, "")
    lines = [re.fullmatch(r" *(\d+\.\d{3}) s  +(\d+)%  ([a-z ]+)", line) for line in ended.output.splitlines()]
    found = [(float(line[1]), int(line[2]), line[3]) for line in lines if line]
    assert len(found) == len(lines)
    names = ["start", "work", "walk", "load", "models", "checks", "seal", "publish", "whole run"]
    assert [name for _, _, name in found] == names
    *parts, (whole, share, _) = found
    assert share == 100
    assert abs(sum(seconds for seconds, _, _ in parts) - whole) <= 0.001 * len(parts), "rounded to the millisecond"


def test_timing_adds_the_steps_of_the_log_to_the_summary(synced_data: Path, tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    assert "steps" not in command("sync", "--json").json()
    started = time.monotonic()
    summary = command("sync", "--json", "--timing").json()
    seconds = time.monotonic() - started
    steps = summary["steps"]
    assert {"start", "work: copy", "walk", "load", "models", "checks", "seal", "publish: swap"} <= steps.keys()
    assert all(value >= 0 for value in steps.values())
    assert sum(steps.values()) <= seconds
    [log] = (command.data_dir / "logs").glob("puretalk-*.jsonl")
    assert json.loads(log.read_text().splitlines()[-1])["steps"] == steps
    assert summary["walk_seconds"] + summary["load_seconds"] <= summary["total_seconds"] + 0.002, "rounded"


def test_a_full_refresh_writes_everything_and_makes_no_history(synced_data: Path, tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    summary = command("sync", "--full-refresh", "--json").json()
    assert (summary["rows_loaded"], summary["unchanged"], summary["versions"]) == (7, 7, 0)
    assert summary["tables"]["assistant_versions"] == 7


def test_on_a_terminal_a_sync_shows_its_progress_and_what_it_did(
    synced_data: Path, tmp_path: Path, api: DemoApi
) -> None:
    ended = CommandLine(synced_data, tmp_path, api).on_a_terminal("sync", TERM="xterm", COLUMNS="120")
    assert ended.exit_code == 0
    assert "reading the account" in ended.output
    assert "3/3" in ended.output
    assert "synced 7 assistants" in ended.output


def test_the_demo_needs_no_key_and_does_not_touch_the_real_warehouse(tmp_path: Path) -> None:
    command = CommandLine(tmp_path / "unused", tmp_path)
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DLT_PROJECT_DIR": str(tmp_path)}
    ended = subprocess.run([PURETALK, "sync", "--demo", "--json"], env=MEASURED | own, capture_output=True, check=True)
    assert json.loads(ended.stdout)["seen"] == 240
    assert (tmp_path / "data" / "demo" / "puretalk.duckdb").exists()
    assert not (tmp_path / "data" / "puretalk.duckdb").exists()
    assert not command.data_dir.exists()


def test_check_answers_each_question_in_a_line(tmp_path: Path, api: DemoApi) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path, api)("check")
    assert ended.exit_code == 0
    lines = ended.output.splitlines()
    assert lines[0] == f"ok    key: from PURETALK_API_KEY, accepted by {api.base_url}"
    assert lines[1] == "ok    endpoint: answers as documented: 7 assistants, 3 on the first page"
    assert lines[2].startswith(f"ok    directory: {tmp_path / 'data'} is writable, ")
    assert lines[3] == (
        "ok    settings: data_dir from PURETALK_DATA_DIR; base_url from PURETALK_BASE_URL; "
        "retry_budget from PURETALK_RETRY_BUDGET; all others have their defaults"
    )
    assert not (tmp_path / "data").exists(), "check changes nothing"


def test_check_fails_with_the_code_of_what_is_wrong(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
    wrong = command("check", PURETALK_API_KEY="wrong")
    assert wrong.exit_code == 4
    assert wrong.output.startswith("FAIL  key: ")
    assert "wrong" not in wrong.output
    nowhere = command("check", PURETALK_BASE_URL="http://127.0.0.1:9/api")
    assert nowhere.exit_code == 3
    assert nowhere.output.startswith("FAIL  endpoint: ")


def test_status_says_how_fresh_and_how_much(synced: CommandLine) -> None:
    facts = synced("status", "--json").json()
    assert facts["is_exact"] is True
    assert facts["tables"]["assistants"] == 7
    assert facts["cursor"] == "2026-11-01T09:00:00+00:00"
    text = synced("status").output
    assert "(exact)" in text
    assert "puretalk.assistants" in text


def test_status_check_is_for_monitoring(synced: CommandLine, tmp_path: Path) -> None:
    assert synced("status", "--check", "--max-age", "2h").exit_code == 0
    assert synced("status", "--check", "--max-age", "1s").exit_code == 11
    assert CommandLine(tmp_path, tmp_path)("status", "--check").exit_code == 11


def test_a_query_comes_in_the_form_that_is_asked_for(synced: CommandLine, tmp_path: Path) -> None:
    sql = "SELECT assistant_id, voice_boost FROM puretalk.assistants ORDER BY 1 LIMIT 2"
    expected = puretalk.read(sql, data_dir=synced.data_dir)
    assert len(expected) == 2
    assert synced("query", sql).output == expected.to_csv(index=False), "CSV where there is no terminal"
    ask = synced.in_this_process
    assert ask("query", sql, "--format", "json").json() == expected.to_dict(orient="records")
    assert ask("query", sql, "--format", "md").output == expected.to_markdown(index=False) + "\n"
    assert ask("query", sql, "--format", "table").output.endswith("(2 rows)\n")
    for name in ("out.parquet", "out.csv"):
        target = tmp_path / name
        assert ask("query", sql, "--out", str(target)).output == ""
        read = pd.read_parquet(target) if name.endswith("parquet") else pd.read_csv(io.BytesIO(target.read_bytes()))
        pd.testing.assert_frame_equal(read, expected, check_dtype=False)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_a_file_for_a_spreadsheet_runs_no_formula(synced: CommandLine, tmp_path: Path, name: str) -> None:
    texts = ["=1+1", "+49 30 1234", "-x", "@sum", "\tx", "\nx", "plain = text"]
    listed = ", ".join(f"({place}, {quote_literal(text)}, -{place})" for place, text in enumerate(texts))
    sql = f"""SELECT text, number AS "=n" FROM (VALUES {listed}) AS t(place, text, number) ORDER BY place"""

    def written(*options: str) -> list[list[str]]:
        assert synced.in_this_process("query", sql, "--out", str(tmp_path / name), *options).exit_code == 0
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter="," if name.endswith("csv") else "\t"))

    head, *rows = written()
    assert head == ["text", "'=n"]
    assert [text for text, _ in rows] == [*(f"'{text}" for text in texts[:6]), texts[6]]
    assert [number for _, number in rows] == [str(-place) for place in range(len(texts))]
    head, *rows = written("--keep-formulas")
    assert (head[1], [text for text, _ in rows]) == ("=n", texts)
    assert "\n=1+1," in synced.in_this_process("query", sql, "--format", "csv").output


def test_a_wrong_query_is_the_users_not_ours(synced: CommandLine) -> None:
    ended = synced("query", "SELECT nope FROM puretalk.assistants")
    assert ended.exit_code == 2
    assert "nope" in ended.error
    assert "Traceback" not in ended.error


def test_a_query_comes_from_an_argument_a_file_or_stdin(synced: CommandLine, tmp_path: Path) -> None:
    sql = "-- how many?\nSELECT count(*) AS n FROM puretalk.assistants"
    file = tmp_path / "how many.sql"
    file.write_bytes(f"\ufeff{sql}".encode())
    ask = synced.in_this_process
    asked = [
        ask("query", sql),
        ask("query", "--format", "csv", sql, "--limit", "5"),
        ask("query", "-f", str(file)),
        ask("query", stdin=sql),
        ask("query", "-", stdin=sql),
        ask("query", "-f", "-", stdin=sql),
    ]
    assert [(ended.exit_code, ended.output) for ended in asked] == [(0, "n\n7\n")] * len(asked)
    script = f"echo 'SELECT 1 AS n' | '{PURETALK}' query"
    ended = subprocess.run(["sh", "-c", script], env=synced.environment(), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "n\n1\n", "")


def test_the_examples_of_the_reporting_docs_run_as_they_are_written(synced: CommandLine) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs" / "reporting.md"
    examples = re.findall(r"```sql\n(.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    assert [example for example in examples if example.startswith("-- ")], "with a comment first"
    for example in examples:
        assert synced.in_this_process("query", example).exit_code == 0


def test_a_result_never_replaces_the_snapshot_and_is_private(synced: CommandLine, tmp_path: Path) -> None:
    published = synced.data_dir / "puretalk.duckdb"
    size = published.stat().st_size
    for target in (published, published.resolve(), synced.data_dir / "out.csv"):
        refused = synced.in_this_process("query", "SELECT 1 AS n", "--format", "csv", "--out", str(target))
        assert refused.exit_code == 4
        assert "is in a data directory of puretalk" in refused.message[0]
    assert published.stat().st_size == size
    before = os.umask(0)
    try:
        assert synced.in_this_process("query", "SELECT 1 AS n", "--out", str(tmp_path / "out.csv")).exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_query_without_usable_sql_is_the_users_error(synced: CommandLine, tmp_path: Path) -> None:
    ask = synced.in_this_process
    latin = tmp_path / "latin.sql"
    latin.write_bytes("SELECT 'é'".encode("latin-1"))
    for ended, words in {
        ask("query"): "there is no SQL statement",
        ask("query", "-- nothing"): "there is no SQL statement",
        ask("query", "SELECT 1; SELECT 2"): "there are 2 SQL statements; `puretalk query` runs one",
        ask("query", "SELECT 1", "-f", str(latin)): "SQL is given twice",
        ask("query", "-f", str(latin)): "cannot be read as UTF-8 text",
        ask("query", "-f", str(tmp_path / "missing.sql")): "does not exist",
        ask("query", "SELECT 1", "--limt", "5"): "Did you mean '--limit'?",
    }.items():
        assert (ended.exit_code, ended.output) == (2, "")
        assert words in ended.error


def test_times_are_utc_unless_those_of_this_machine_are_asked_for(synced: CommandLine) -> None:
    sql = "SELECT max(updated_at) AS moment FROM puretalk.assistants"
    utc = synced("query", sql, TZ="America/New_York")
    local = synced("query", sql, "--local", TZ="America/New_York")
    assert utc.output == "moment\n2026-11-01 09:00:00+00:00\n"
    assert local.output == "moment\n2026-11-01 04:00:00-05:00\n"


def test_a_file_is_written_in_the_form_of_its_name_or_not_at_all(synced: CommandLine, tmp_path: Path) -> None:
    ask = synced.in_this_process
    written = {}
    for name in ("n.csv", "n.TSV", "n.json", "n.jsonl", "n.ndjson", "n.md"):
        assert ask("query", "SELECT 1 AS n, 2 AS m", "--out", str(tmp_path / name)).exit_code == 0
        written[name] = (tmp_path / name).read_text()
    assert written == {
        "n.csv": "n,m\n1,2\n",
        "n.TSV": "n\tm\n1\t2\n",
        "n.json": '[{"n":1,"m":2}]\n',
        "n.jsonl": '{"n":1,"m":2}\n',
        "n.ndjson": '{"n":1,"m":2}\n',
        "n.md": "|   n |   m |\n|----:|----:|\n|   1 |   2 |\n",
    }
    for name in ("n.xlsx", "n"):
        refused = ask("query", "SELECT 1 AS n", "--out", str(tmp_path / name))
        assert refused.exit_code == 2
        assert "Use .csv, .tsv, .json" in refused.error
        assert not (tmp_path / name).exists()
    assert ask("query", "SELECT 1 AS n", "--format", "csv", "--out", str(tmp_path / "n")).exit_code == 0
    assert (tmp_path / "n").read_text() == "n\n1\n"


@pytest.mark.parametrize("arguments", [("query", "SELECT 1"), ("tables",), ("docs",)])
def test_a_folder_that_is_missing_is_an_error_of_the_setting(
    synced: CommandLine, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    target = tmp_path / "missing" / "out.md"
    ended = synced.in_this_process(*arguments, "--out", str(target))
    assert ended.exit_code == 4
    assert ended.message[0] == f"puretalk: {target} cannot be written: No such file or directory."


def test_a_terminal_gets_a_table_and_a_pager_where_it_is_longer_than_the_screen(
    synced: CommandLine, tmp_path: Path
) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nsed 's/^/paged: /'\n")
    pager.chmod(0o755)
    short = synced.on_a_terminal("query", "SELECT name FROM puretalk.assistants", PAGER=str(pager))
    assert short.exit_code == 0
    assert "paged" not in short.output
    assert short.output.startswith("┌─")
    long = synced.on_a_terminal("query", "FROM range(40)", PAGER=str(pager))
    lines = long.output.splitlines()
    assert len(lines) > 40
    assert all(line.startswith("paged: ") for line in lines)
    assert "paged" not in synced("query", "FROM range(40)", PAGER=str(pager)).output, "no terminal, no pager"


def test_what_does_not_fit_a_terminal_is_said_and_a_file_has_it_all(synced: CommandLine) -> None:
    sql = "SELECT * FROM puretalk.assistants"
    shown = synced.on_a_terminal("query", sql, PAGER="cat").output
    columns = len(puretalk.table("assistants", data_dir=synced.data_dir).columns)
    assert f"{columns} columns (" in shown
    assert "… marks what does not fit this terminal" in shown
    assert synced("query", sql).output.partition("\n")[0].count(",") == columns - 1


def test_the_tables_are_listed_with_rows_and_meaning(synced: CommandLine) -> None:
    listed = {row["name"]: row for row in synced.in_this_process("tables", "--format", "json").json()}
    assert (listed["assistants"]["rows"], listed["dim_assistants"]["rows"]) == (7, 7)
    assert listed["dim_assistants"]["schema"] == "marts"
    assert listed["stg_assistants"]["kind"] == "view"
    assert listed["dim_assistants"]["description"].startswith("One row: an assistant, live or deleted.")
    assert all(row["description"] for row in listed.values())
    assert not [name for name in listed if name.startswith("_dlt")]
    assert synced("tables").output.startswith("schema,name,kind,rows,description\n")


@pytest.mark.parametrize("name", ["dim_users", "marts.dim_users", "{database}.marts.dim_users"])
def test_a_table_is_described_column_by_column(synced: CommandLine, name: str) -> None:
    database = (synced.data_dir / "puretalk.duckdb").resolve().stem
    described = synced.in_this_process("tables", name.format(database=database), "--format", "json").json()
    assert [row["name"] for row in described] == list(puretalk.table("dim_users", data_dir=synced.data_dir).columns)
    [email] = [row for row in described if row["name"] == "email"]
    assert email == {"name": "email", "type": "VARCHAR", "description": "E-mail address."}
    missing = synced.in_this_process("tables", "dim_user")
    assert missing.exit_code == 4
    assert "there is no table 'dim_user'; did you mean dim_users" in missing.error


def test_the_prompt_answers_statement_after_statement(synced: CommandLine) -> None:
    typed = [
        "SELECT 'one;",
        "more' AS a; SELECT 2 AS b;",
        "SELEC 1;",
        "DROP TABLE main.assistants;",
        ".tables dim_users",
        "SELECT count(*) AS live FROM puretalk.assistants;",
        ".quit",
    ]
    ended = synced.on_a_terminal("sql", typed="".join(f"{line}\n" for line in typed), PATH="/usr/bin:/bin", LINES="200")
    assert ended.exit_code == 0
    found = [
        r"puretalk [\d.]+, read-only",
        r"│ one;\\nmore │",
        r"│ +2 │",
        r'syntax error at or near "SELEC"',
        "read-only: this is a published snapshot, and DROP would change it",
        "│ E-mail address. ",
        r"│ +7 │",
    ]
    position = 0
    for words in found:
        match = re.compile(words).search(ended.output, position)
        assert match, (words, ended.output)
        position = match.end()
    assert synced("sql").exit_code == 2, "not on a terminal"


def test_the_program_duckdb_takes_the_place_of_the_prompt_where_it_is_installed(
    synced: CommandLine, tmp_path: Path
) -> None:
    program = tmp_path / "duckdb"
    program.write_text('#!/bin/sh\nfor argument; do echo "[$argument]"; done\n')
    program.chmod(0o755)
    ended = synced.on_a_terminal("sql", PATH=f"{tmp_path}:/usr/bin:/bin")
    snapshot = (synced.data_dir / "puretalk.duckdb").resolve()
    assert ended.exit_code == 0
    assert ended.output.splitlines() == ["[-readonly]", "[-cmd]", "[SET TimeZone = 'UTC']", f"[{snapshot}]"]


def test_the_beginning_of_an_id_is_enough_unless_several_begin_so(synced: CommandLine) -> None:
    ids = sorted(puretalk.table("assistants", data_dir=synced.data_dir)["assistant_id"])
    by_first = {first: [each for each in ids if each.startswith(first)] for first in {each[0] for each in ids}}
    first, several = next(item for item in by_first.items() if len(item[1]) > 1)
    assert several[0] in synced.in_this_process("explain", several[0][:13]).output
    ended = synced.in_this_process("explain", first)
    assert (ended.exit_code, ended.output) == (2, "")
    assert [line.split()[0] for line in ended.message if line.startswith("  ")] == several


def test_a_snapshot_that_another_program_wrote_to_is_not_called_unharmed(synced_data: Path, tmp_path: Path) -> None:
    command = CommandLine(synced_data, tmp_path)
    assert command.in_this_process("status", "--check", "--max-age", "2h").exit_code == 0
    assert command("sync").message[1].endswith(" UTC, unharmed.")
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    seal = snapshot.with_name(f"{snapshot.name}.seal")
    sealed = seal.read_text()
    seal.unlink()
    assert "unharmed" not in command("sync").error, "nothing proves it"
    assert command.in_this_process("status", "--check", "--max-age", "2h").exit_code == 0
    seal.write_text(sealed)
    snapshot.chmod(0o640)
    with duckdb.connect(str(snapshot)) as connection:
        connection.execute("DELETE FROM main.assistants")
    checked = command.in_this_process("status", "--check", "--max-age", "2h")
    assert (checked.exit_code, checked.output) == (11, "")
    assert "was written to after it was published" in checked.error
    assert command("sync").message[1].endswith(" UTC, which was written to or cannot be verified.")


def test_a_query_cannot_change_what_is_published(synced: CommandLine) -> None:
    ended = synced("query", "DELETE FROM main.assistants")
    assert ended.exit_code == 2
    assert "read-only: this is a published snapshot" in ended.error
    assert synced.in_this_process("query", "SELECT count(*) AS n FROM puretalk.assistants").output == "n\n7\n"


def test_python_reads_the_same(synced: CommandLine) -> None:
    frame = puretalk.table("assistants", data_dir=synced.data_dir)
    assert len(frame) == 7
    assert str(frame["updated_at"].dtype).endswith("UTC]")
    assert len(puretalk.table("marts.dim_assistants", data_dir=synced.data_dir)) == 7
    with puretalk.connect(synced.data_dir) as connection:
        assert connection.execute("SELECT count(*) FROM puretalk.assistants").fetchall() == [(7,)]
    with pytest.raises(ConfigurationError, match="did you mean assistants"):
        puretalk.table("asistants", data_dir=synced.data_dir)


def test_reading_before_the_first_sync_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="nothing has been published"):
        puretalk.connect(tmp_path)
    ended = CommandLine(tmp_path, tmp_path)("query", "SELECT 1")
    assert ended.exit_code == 8
    assert "puretalk sync" in ended.message[2]


@pytest.mark.parametrize("arguments", [("query", "SELECT 1"), ("tables",), ("explain", "x")])
def test_a_file_that_is_not_a_database_is_an_error_of_the_warehouse(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "puretalk.duckdb").write_text("not a database\n" * 1000)
    ended = CommandLine(tmp_path, tmp_path).in_this_process(*arguments)
    assert ended.exit_code == 8
    assert ended.message[0].startswith("puretalk: the published snapshot cannot be read: ")
    assert "unharmed" not in ended.message[1]


def test_the_published_file_opens_in_plain_duckdb_under_its_own_name(synced: CommandLine) -> None:
    """DuckDB names the catalog after the file: nothing that is stored in it may depend on that name."""
    with duckdb.connect(str(synced.data_dir / "puretalk.duckdb"), read_only=True) as connection:
        relations = connection.execute(
            "SELECT table_catalog, table_schema, table_name FROM information_schema.tables"
        ).fetchall()
        assert {(catalog, schema) for catalog, schema, _ in relations} == {
            ("puretalk", schema) for schema in ("main", "staging", "marts", "_internal")
        }
        for catalog, schema, name in relations:
            connection.execute(f'SELECT count(*) FROM "{catalog}"."{schema}"."{name}"').fetchall()
        assert connection.execute("SELECT count(*) FROM assistants").fetchall() == [(7,)]


def test_what_is_held_back_says_in_four_lines_what_to_do(
    synced_data: Path, tmp_path: Path, account: Account, api: DemoApi
) -> None:
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    for assistant_id in account.live_ids():
        account.delete(assistant_id)
    ended = command("sync")
    assert ended.exit_code == 10
    assert [line.partition(":")[0] for line in ended.message] == ["puretalk", "State", "Do", "More"]
    assert "7 of 7 assistants vanished at once" in ended.message[0]
    assert "--accept-deletions" in ended.message[2]
    live = "SELECT count(*) AS n FROM main.assistants WHERE deleted_at IS NULL"
    assert command.in_this_process("query", live).output == "n\n7\n"


def test_a_current_directory_that_is_gone_is_no_matter(
    synced_data: Path, tmp_path: Path, account: Account, api: DemoApi
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    account.edit(account.live_ids()[0], prompt="Be brief.")
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && exec '{PURETALK}' sync"
    ended = subprocess.run(["sh", "-c", script], env=command.environment(), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_reader_who_goes_away_is_no_error(synced: CommandLine) -> None:
    script = f"'{PURETALK}' status | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", script], env=synced.environment(), capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_a_folder_that_is_typed_is_one_of_where_the_person_stands(synced: CommandLine) -> None:
    command = [PURETALK, "query", "--data-dir", "data", "SELECT count(*) AS n FROM main.assistants"]
    environment = synced.environment() | {"PURETALK_DATA_DIR": "/nowhere"}
    ended = subprocess.run(command, env=environment, cwd=synced.data_dir.parent, capture_output=True, check=False)
    assert ended.stdout == b"n\n7\n"


def test_a_folder_of_models_that_is_not_there_is_said_before_anything_is_read(tmp_path: Path, api: DemoApi) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path, api)("sync", PURETALK_MODELS_DIR="/nowhere")
    assert ended.exit_code == 4
    assert "models_dir is /nowhere, which is not a folder" in ended.message[0]
    assert api.requests == []


def test_a_wrong_file_of_accepted_findings_is_said_before_anything_is_read(tmp_path: Path, api: DemoApi) -> None:
    (tmp_path / "accepted.yml").write_text("- {rule: missing_voice}")
    command = CommandLine(tmp_path / "data", tmp_path, api)
    ended = command("sync", PURETALK_ACCEPTED_FINDINGS=str(tmp_path / "accepted.yml"))
    assert ended.exit_code == 4
    assert f"{tmp_path / 'accepted.yml'}: entry 1 has no reason" in ended.message[0]
    assert api.requests == []


@pytest.mark.slow
def test_a_build_names_the_accepted_findings_that_fit_nothing_and_a_sync_does_not(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
    command("sync")
    rule = command(
        "query", "--format", "csv", "SELECT min(rule) AS rule FROM marts.rpt_config_findings"
    ).output.split()[1]
    accepted = tmp_path / "accepted.yml"
    accepted.write_text(f"- {{rule: {rule}, assistant: Nobody, reason: r}}\n- {{rule: {rule}, reason: r}}\n")
    assert command("sync", PURETALK_ACCEPTED_FINDINGS=str(accepted)).error == ""
    ended = command("build", PURETALK_ACCEPTED_FINDINGS=str(accepted))
    expected = f"puretalk: accepted_findings: entry 1 ({rule}, Nobody) accepts no finding.\n"
    assert (ended.exit_code, ended.error) == (0, expected)


def test_debug_shows_the_traceback_and_nothing_else_does(tmp_path: Path) -> None:
    command = CommandLine(tmp_path, tmp_path)
    assert "Traceback" not in command("sync").error
    assert "Traceback" in command("sync", "--debug").error
