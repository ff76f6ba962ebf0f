"""The commands for the people who own the prompts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.commandline import CommandLine

from puretalk.demo import Account, DemoApi


def test_show_prints_the_files_and_one_file_exactly(synced_data: Path, tmp_path: Path, account: Account) -> None:
    ask = CommandLine(synced_data, tmp_path).in_this_process
    record = next(each for each in account.records() if each["prompt"])
    assistant_id = record["assistant_id"]
    shown = ask("show", assistant_id)
    assert shown.exit_code == 0
    assert f"-{assistant_id}: observed " in shown.output.partition("\n")[0]
    assert f"==> prompt.md <==\n{record['prompt']}" in shown.output
    assert ask("show", assistant_id[:8], "--file", "prompt.md").output == record["prompt"]
    assert ask("show", assistant_id, "--as-of", "2999-01-01").output == shown.output
    too_old = ask("show", assistant_id, "--as-of", "1999-01-01")
    assert too_old.exit_code == 4
    assert ask("show", assistant_id, "--as-of", "last week").exit_code == 2
    assert ask("show", assistant_id, "--file", "../x").exit_code == 2


def test_a_restore_plan_is_printed_and_nothing_is_sent(synced_data: Path, tmp_path: Path, account: Account) -> None:
    ask = CommandLine(synced_data, tmp_path).in_this_process
    key = account.live_ids()[0]
    planned = ask("restore-plan", key, "--as-of", "2999-01-01")
    assert (planned.exit_code, planned.error) == (0, "")
    assert planned.output.endswith("puretalk sends nothing.\n\nNothing differs.\n")
    assert ask("restore-plan", key, "--as-of", "1999-01-01").exit_code == 4


def test_a_sync_continues_the_repository_and_says_13_where_git_refuses(
    synced_data: Path, tmp_path: Path, account: Account, api: DemoApi
) -> None:
    folder = tmp_path / "prompts"
    command = CommandLine(synced_data, tmp_path, api)
    begun = command.in_this_process("git", str(folder), "--with-secrets")
    assert (begun.exit_code, begun.error) == (0, "")
    key = account.live_ids()[0]
    account.edit(key, prompt="Say goodbye.")
    quiet = command("sync", PURETALK_GIT_DIR=str(folder))
    assert (quiet.exit_code, quiet.output, quiet.error) == (0, "", "")
    [prompt] = folder.glob(f"*-{key}/prompt.md")
    assert prompt.read_text() == "Say goodbye."
    prompt.write_text("edited by hand")
    account.edit(key, prompt="Say nothing.")
    refused = command("sync", PURETALK_GIT_DIR=str(folder))
    assert refused.exit_code == 13
    assert refused.message[0].startswith(f"puretalk: files in {folder} were edited: ")
    assert "unharmed" in refused.message[1]
    shown = command.in_this_process("show", key, "--file", "prompt.md")
    assert shown.output == "Say nothing.", "the sync published"
    assert prompt.read_text() == "edited by hand"
    subprocess.run(["git", "checkout", "-q", "."], cwd=folder, check=True)
    assert command.in_this_process("git", str(folder)).exit_code == 0
    assert prompt.read_text() == "Say nothing."
