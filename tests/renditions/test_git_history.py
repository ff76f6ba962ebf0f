"""The history in git: every commit rebuilds what was stored, ids are the same everywhere, nothing is rewritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.files import parse_files
from support.history import Month, live_through_a_month
from support.warehouses import observe, open_warehouse

from puretalk.demo import Account
from puretalk.errors import ConfigurationError, GitRefusedError, WarehouseBusyError
from puretalk.models.build import build_models
from puretalk.renditions import git_history
from puretalk.renditions.git_history import Written, write_git_history
from puretalk.renditions.places import read_fleet
from puretalk.warehouse.lock import hold_lock

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True).stdout.decode()


def write(path: Path, folder: Path) -> Written:
    with duckdb.connect(str(path), read_only=True) as connection:
        return write_git_history(connection, folder, with_secrets=True)


def files_of(folder: Path, commit: str) -> dict[str, dict[str, bytes]]:
    """Folder → path → content, as the commit has them."""
    found: dict[str, dict[str, bytes]] = {}
    paths = [line for line in git(folder, "ls-tree", "-rz", "--name-only", commit).split("\0") if "/" in line]
    wanted = "".join(f"{commit}:{path}\n" for path in paths).encode()
    out = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=folder, input=wanted, capture_output=True, check=True
    ).stdout
    for path in paths:
        head, _, out = out.partition(b"\n")
        size = int(head.split()[-1])
        name, _, rest = path.partition("/")
        found.setdefault(name, {})[rest] = out[:size]
        out = out[size + 1 :]
    return found


def on_disk(folder: Path) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if path.is_file() and place.parts[0] != ".git" and len(place.parts) > 1:
            found.setdefault(place.parts[0], {})["/".join(place.parts[1:])] = path.read_bytes()
    return found


def small(tmp_path: Path, steps: list[tuple[list[dict[str, Any]], list[str]]], name: str = "w") -> Path:
    """A warehouse with a day for each step: the records that answered, and the ids found deleted."""
    path = tmp_path / f"{name}.duckdb"
    path.unlink(missing_ok=True)
    with open_warehouse(path) as connection:
        for day, (records, deleted) in enumerate(steps):
            observe(connection, START + timedelta(days=day), records, deleted=deleted)
        build_models(connection)
    return path


def record(number: int = 1, **fields: Any) -> dict[str, Any]:
    made = Account(assistants=number).records()[number - 1]
    return {**made, "prompt": "Say hello.\n", **fields}


@pytest.fixture(scope="module")
def backfilled(month: Month, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git") / "prompts"
    write(month.path, folder)
    return folder


@pytest.fixture(scope="module")
def three_days(_empty_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of the month as it was after three days."""
    return live_through_a_month(tmp_path_factory.mktemp("three") / "puretalk.duckdb", days=3).path


def test_every_commit_rebuilds_what_the_account_answered(month: Month, backfilled: Path) -> None:
    commits = git(backfilled, "rev-list", "--reverse", "main").split()
    moments = [
        datetime.fromisoformat(line)
        for line in git(backfilled, "log", "--reverse", "--format=%(trailers:key=Puretalk-Moment,valueonly)").split()
    ]
    assert len(moments) == len(commits) > 10
    assert moments == sorted(moments)
    with duckdb.connect(str(month.path), read_only=True) as connection:
        for commit, moment in zip(commits, moments, strict=True):
            stored = {place.folder: place.config for place in read_fleet(connection, moment).values()}
            assert {name: parse_files(files) for name, files in files_of(backfilled, commit).items()} == stored
            answered = [records for at, records in month.seen if at <= moment][-1]
            assert {config["assistant_id"]: config["prompt"] for config in stored.values()} == {
                each: found["prompt"] for each, found in answered.items()
            }
    assert on_disk(backfilled) == files_of(backfilled, "main")
    assert git(backfilled, "status", "--porcelain") == ""
    git(backfilled, "fsck", "--strict", "--no-dangling")


def test_another_machine_gets_the_same_ids_however_often_it_continues(
    month: Month, backfilled: Path, three_days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "someone")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[core]\nautocrlf = true\n[user]\nname = someone else\n")
    other = tmp_path / "other"
    for path in (three_days, month.path):
        write(path, other)
    assert git(other, "rev-list", "main") == git(backfilled, "rev-list", "main")


def test_a_second_run_writes_nothing(month: Month, backfilled: Path) -> None:
    before = git(backfilled, "rev-parse", "main").strip()
    assert write(month.path, backfilled) == Written(0, before, 0)


def test_a_deletion_removes_the_folder_and_a_return_brings_it_back_under_its_first_name(tmp_path: Path) -> None:
    one, two = record(1, name="Front/Desk \U0001f600"), record(2, name="front desk")
    renamed = record(1, name="Reception")
    path = small(tmp_path, [([one, two], []), ([two], [one["assistant_id"]]), ([renamed, two], [])])
    folder = tmp_path / "git"
    write(path, folder)
    names = [f"front-desk-{each['assistant_id']}" for each in (one, two)]
    trees = [set(files_of(folder, commit)) for commit in git(folder, "rev-list", "--reverse", "main").split()]
    assert trees == [set(names), {names[1]}, set(names)]
    assert git(folder, "log", "--reverse", "--format=%s").splitlines() == [
        "Assistants: 2 new",
        "Front/Desk \U0001f600: deleted",
        "Reception: came back",
    ]


def test_a_rename_keeps_the_folder_and_is_said(tmp_path: Path) -> None:
    one = record(1, name="x" * 200)
    path = small(tmp_path, [([one], []), ([{**one, "name": "New\n\nPuretalk-History: 0"}], [])])
    folder = tmp_path / "git"
    write(path, folder)
    assert list(files_of(folder, "main")) == [f"{'x' * 40}-{one['assistant_id']}"]
    message = git(folder, "log", "-1", "--format=%B")
    assert message.startswith(f"{'x' * 79}… → New Puretalk-History: 0: name and type changed, silently\n")
    assert len(git(folder, "log", "-1", "--format=%(trailers:key=Puretalk-History,valueonly)").split()) == 1


def test_a_rollback_never_rewrites_git_and_a_commit_says_it(tmp_path: Path) -> None:
    one = record(1)
    texts = [{**one, "prompt": f"Version {number}"} for number in range(4)]
    folder = tmp_path / "git"
    write(small(tmp_path, [([text], []) for text in texts]), folder)
    before = git(folder, "rev-list", "main").split()
    back = small(tmp_path, [([text], []) for text in texts[:2]])
    assert write(back, folder).set_back == 2
    assert write(back, folder).commits == 0
    gone_on = small(
        tmp_path, [*(([text], []) for text in texts[:2]), ([], []), ([], []), ([{**one, "prompt": "On"}], [])]
    )
    assert write(gone_on, folder) == Written(1, git(folder, "rev-parse", "main").strip(), 0)
    after = git(folder, "rev-list", "main").split()
    assert after[-len(before) :] == before
    subjects = git(folder, "log", "-2", "--format=%s").splitlines()
    assert subjects[1] == "The warehouse was set back to 2026-03-02 09:00:00Z"
    prompts = [files_of(folder, commit).popitem()[1]["prompt.md"].decode() for commit in reversed(after)]
    assert prompts == ["Version 0", "Version 1", "Version 2", "Version 3", "Version 1", "On"]


def test_a_release_with_other_rules_writes_everything_anew_in_one_commit(
    month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "git"
    monkeypatch.setattr(git_history, "RULES", "0.0.0")
    write(month.path, folder)
    tree = git(folder, "rev-parse", "main^{tree}")
    monkeypatch.undo()
    assert write(month.path, folder).commits == 1
    assert git(folder, "rev-parse", "main^{tree}") == tree
    assert write(month.path, folder).commits == 0


def test_what_another_wrote_is_refused_and_left_alone(month: Month, tmp_path: Path) -> None:
    folder = tmp_path / "git"
    write(small(tmp_path, [([record(1)], [])]), folder)
    with pytest.raises(GitRefusedError, match="was written from another warehouse"):
        write(month.path, folder)
    path = next(folder.glob("*/prompt.md"))
    path.write_text("edited")
    with pytest.raises(GitRefusedError, match="were edited"):
        write(month.path, folder)
    assert path.read_text() == "edited"
    git(folder, "-c", "user.name=a", "-c", "user.email=b@c", "commit", "-qam", "mine")
    with pytest.raises(GitRefusedError, match="a commit that puretalk did not write: 'mine'"):
        write(month.path, folder)
    git(folder, "checkout", "-q", "-b", "branch")
    with pytest.raises(GitRefusedError, match="the branch main is not checked out"):
        write(month.path, folder)


def test_a_folder_that_is_no_repository_and_a_busy_one_are_refused(month: Month, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.md").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"):
        write(month.path, tmp_path / "full")
    folder = tmp_path / "git"
    write(month.path, folder)
    with hold_lock(folder / ".git", "git"), pytest.raises(WarehouseBusyError):
        write(month.path, folder)


def test_a_folder_whose_name_looks_like_an_option_is_a_folder(
    month: Month, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        write(month.path, Path("--upload-pack=touch x"))
    assert (tmp_path / "--upload-pack=touch x" / ".git").is_dir()


def test_an_open_secret_is_refused_unless_told(tmp_path: Path) -> None:
    path = small(tmp_path, [([record(1, prompt="Use the API key sk-live-4eC39HqLyjWDarjtT1zdp7dcXk29 always.")], [])])
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute(
            "SELECT count(*) FROM marts.rpt_config_findings WHERE rule = 'secret_in_text'"
        ).fetchall() == [(1,)]
        with pytest.raises(GitRefusedError, match="git does not forget"):
            write_git_history(connection, tmp_path / "git")
        assert not (tmp_path / "git").exists()
        assert write_git_history(connection, tmp_path / "git", with_secrets=True).commits == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb
from puretalk.renditions import repository
from puretalk.renditions.git_history import write_git_history
path, folder, where = sys.argv[1:]
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
run, imported = repository.Repository._git, repository.Repository._import
def half(self, commands):
    def cut():
        for number, command in enumerate(commands):
            if number == 200: die()
            yield command
    imported(self, cut())
def stop(self, *arguments, **options):
    if arguments[0] == "read-tree":
        (self.folder / ".git" / "index.lock").touch()
        next(self.folder.glob("*/prompt.md"), self.folder / "x").write_text("half")
        die()
    return run(self, *arguments, **options)
if where == "import": repository.Repository._import = half
if where == "checkout": repository.Repository._git = stop
with duckdb.connect(path, read_only=True) as connection:
    write_git_history(connection, Path(folder), with_secrets=True)
"""


@pytest.mark.parametrize("where", ["import", "checkout"])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_next_run_repairs_what_a_killed_one_left(
    month: Month, backfilled: Path, three_days: Path, tmp_path: Path, where: str, is_first: bool
) -> None:
    folder = tmp_path / "git"
    if not is_first:
        write(three_days, folder)
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(month.path), str(folder), where], check=False)
    assert ended.returncode == -signal.SIGKILL
    write(month.path, folder)
    assert git(folder, "rev-list", "main") == git(backfilled, "rev-list", "main")
    assert on_disk(folder) == files_of(folder, "main")
    assert git(folder, "status", "--porcelain", "--untracked-files=no") == ""
