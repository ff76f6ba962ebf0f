"""`puretalk build` as a person at a shell uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.commandline import CommandLine

from puretalk.demo import DemoApi

pytestmark = pytest.mark.slow


@pytest.fixture
def command(synced_data: Path, tmp_path: Path, api: DemoApi) -> CommandLine:
    """A command line over a warehouse that was synced once."""
    return CommandLine(synced_data, tmp_path, api)


def actions(command: CommandLine, models_dir: str = "") -> dict[str, str]:
    """The actions of `build --plan` by relation."""
    ended = command.in_this_process("build", "--plan", PURETALK_MODELS_DIR=models_dir)
    assert (ended.exit_code, ended.error) == (0, "")
    parts = [re.split(r"  +", line, maxsplit=2) for line in ended.output.splitlines()]
    return {relation: action for action, relation, _ in parts}


def test_the_plan_after_a_sync_keeps_all_tables_and_after_a_change_names_the_model(
    command: CommandLine, tmp_path: Path
) -> None:
    planned = actions(command)
    by_schema = {(name.partition(".")[0], action) for name, action in planned.items()}
    assert by_schema == {
        *(("marts", "keep"), ("_internal", "keep")),
        *(("marts", "create view"), ("staging", "create view")),
    }
    assert [name for name, action in planned.items() if (name[:6], action) == ("marts.", "create view")] == [
        "marts.rpt_sync_health"
    ]
    own = tmp_path / "own"
    own.mkdir()
    (own / "costs.sql").write_text("select count(*) as assistants from marts.dim_assistants")
    assert actions(command, str(own)) == {**planned, "models.costs": "build"}
    assert command("build", PURETALK_MODELS_DIR=str(own)).exit_code == 0
    assert actions(command, str(own)) == {**planned, "models.costs": "keep"}
    (own / "costs.sql").write_text("select count(*) + 1 as assistants from marts.dim_assistants")
    assert actions(command, str(own)) == {**planned, "models.costs": "build"}
    assert actions(command) == {**planned, "models.costs": "remove table"}


def test_a_plan_publishes_nothing(command: CommandLine) -> None:
    before = command.in_this_process("snapshots").output
    files = sorted(path.name for path in command.data_dir.rglob("*"))
    command("build", "--plan")
    assert command.in_this_process("snapshots").output == before
    assert sorted(path.name for path in command.data_dir.rglob("*")) == files


def test_a_plan_without_a_snapshot_says_what_to_do(tmp_path: Path) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path)("build", "--plan")
    assert ended.exit_code != 0
    assert "nothing has been published" in ended.message[0]
    assert ended.message[2] == "Do: Run a sync first."
