"""Claims about `-v` and `--keep-work`: what a person sees who wants to know more, and never the key."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.commandline import CommandLine

from puretalk.demo import Account, DemoApi

pytestmark = pytest.mark.slow


@pytest.fixture
def puretalk(tmp_path: Path, api: DemoApi) -> CommandLine:
    return CommandLine(tmp_path / "data", tmp_path, api)


def test_a_verbose_sync_logs_requests_walks_verdict_and_steps_one_line_each(
    puretalk: CommandLine, api: DemoApi
) -> None:
    api.fail("503", 1)
    ended = puretalk("sync", "-v", PURETALK_RETRY_BUDGET="60")
    assert (ended.exit_code, ended.output) == (0, "")
    line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z puretalk\.(api|sync|run): (.+)")
    told = [match.groups() for match in map(line.fullmatch, ended.message) if match]
    assert len(told) == len(ended.message)
    texts = [text for _, text in told]
    pages = [text for text in texts if re.search(r"page=\d limit=100: HTTP 200, [\d,]+ bytes, \d+\.\d{3} s", text)]
    assert len(pages) == 3
    assert any("page=1 limit=100: HTTP 503" in text for text in texts)
    assert any(text.startswith("retry 1 of ") for text in texts)
    assert "walk of ai-assistants: 3 pages, 7 records, complete" in texts
    assert "verdict: exact" in texts
    steps = [text.partition(" took ")[0] for name, text in told if name == "run"]
    assert steps[:7] == ["start", "work: sweep", "work: copy", "walk", "load", "models", "checks"]
    assert api.key not in ended.error


@pytest.mark.usefixtures("synced_data")
def test_a_verbose_sync_says_why_it_is_not_exact(puretalk: CommandLine, api: DemoApi) -> None:
    api.count_lie = 1
    ended = puretalk("sync", "--verbose")
    assert ended.exit_code == 9
    doubt = "7 distinct records came, the API counts 8"
    assert sum(doubt in text and "not complete" in text for text in ended.message) == 4
    verdict = "puretalk.sync: verdict: 7 records are accounted for, the API counted 8 when the walk began"
    assert any(text.endswith(verdict) for text in ended.message)


@pytest.mark.usefixtures("synced_data")
def test_without_verbose_a_sync_is_silent(puretalk: CommandLine) -> None:
    ended = puretalk("sync")
    assert (ended.exit_code, ended.output, ended.error) == (0, "", "")


@pytest.mark.usefixtures("synced_data")
def test_the_work_folder_of_a_run_is_kept_when_asked_for(puretalk: CommandLine, account: Account, api: DemoApi) -> None:
    puretalk = replace(puretalk, has_models=False)
    account.edit(account.live_ids()[0], prompt="Be brief.")  # only a sync that loads has a folder of dlt's
    assert puretalk("sync", "--keep-work").exit_code == 0
    [kept] = (puretalk.data_dir / "kept").iterdir()
    assert (kept / "dlt").is_dir()
    assert kept.stat().st_mode & 0o777 == 0o700
    api.fail("401", 1)
    assert puretalk("sync", "--keep-work").exit_code == 4
    newest = max((puretalk.data_dir / "kept").iterdir())
    assert (newest / "puretalk.duckdb").is_file(), "the work file of a run that failed"
    for _ in range(2):
        assert puretalk("sync", "--keep-work").exit_code == 0
    assert len(list((puretalk.data_dir / "kept").iterdir())) == 3
    assert not (puretalk.data_dir / "work").exists()
