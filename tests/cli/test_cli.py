"""The command line as people and schedulers use it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from support.commandline import MEASURED, PURETALK, CommandLine

import puretalk
from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, WarehouseError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A command line over a warehouse that was synced once; the tests of this fixture only read."""
    folder = tmp_path_factory.mktemp("synced")
    with DemoApi(Account(assistants=7)) as api:
        command = CommandLine(folder / "data", folder, api)
        ended = command("sync")
    assert (ended.exit_code, ended.output, ended.error) == (0, "", ""), "a sync without a terminal is silent"
    return CommandLine(folder / "data", folder)


def test_a_sync_tells_a_program_what_it_did(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
    first, second = command("sync", "--json").json(), command("sync", "--json").json()
    facts = ("exit_code", "seen", "new", "unchanged", "pages", "walks", "is_exact", "warnings")
    assert [first[name] for name in facts] == [0, 7, 7, 0, 3, 1, True, []]
    assert [second[name] for name in facts] == [0, 7, 0, 7, 3, 1, True, []]
    assert second["rows_loaded"] == 0
    assert second["tables"]["assistants"] == 7


def test_timing_prints_a_line_for_each_kind_of_step_and_the_whole(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
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


def test_timing_adds_the_steps_of_the_log_to_the_summary(tmp_path: Path, api: DemoApi) -> None:
    command = CommandLine(tmp_path / "data", tmp_path, api)
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
    command = CommandLine(synced_data, tmp_path, api)
    summary = command("sync", "--full-refresh", "--json").json()
    assert (summary["rows_loaded"], summary["unchanged"], summary["versions"]) == (7, 7, 0)
    assert summary["tables"]["assistant_versions"] == 7


def test_on_a_terminal_a_sync_shows_its_progress_and_what_it_did(
    synced_data: Path, tmp_path: Path, api: DemoApi
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    controller, terminal = pty.openpty()
    environment = command.environment(TERM="xterm", COLUMNS="120")
    process = subprocess.Popen([PURETALK, "sync"], env=environment, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux says so when the last one closed the terminal
            break
        if not part:
            break
        shown += part
    os.close(controller)
    assert process.wait() == 0
    text = shown.decode()
    assert "reading the account" in text
    assert "3/3" in text
    assert "synced 7 assistants" in text


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
    assert lines[0] == f"ok    key: accepted by {api.base_url}"
    assert lines[1] == "ok    endpoint: answers as documented: 7 assistants, 3 on the first page"
    assert lines[2].startswith(f"ok    directory: {tmp_path / 'data'} is writable, ")
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


def test_a_wrong_query_is_the_users_not_ours(synced: CommandLine) -> None:
    ended = synced("query", "SELECT nope FROM puretalk.assistants")
    assert ended.exit_code == 2
    assert "nope" in ended.error
    assert "Traceback" not in ended.error


def test_a_query_cannot_change_what_is_published(synced: CommandLine) -> None:
    ended = synced("query", "DELETE FROM main.assistants")
    assert ended.exit_code == 2
    assert "read-only" in ended.error
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


def test_the_published_file_opens_in_plain_duckdb_under_its_own_name(synced: CommandLine) -> None:
    """DuckDB names the catalog after the file: nothing that is stored in it may depend on that name."""
    import duckdb

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
    command = CommandLine(synced_data, tmp_path, api)
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


def test_debug_shows_the_traceback_and_nothing_else_does(tmp_path: Path) -> None:
    command = CommandLine(tmp_path, tmp_path)
    assert "Traceback" not in command("sync").error
    assert "Traceback" in command("sync", "--debug").error
