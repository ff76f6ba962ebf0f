"""Claims about what somebody puts where puretalk keeps files of its own: a run follows no link, writes to no device,
says what is there, and leaves what it finds elsewhere as it was. And about the modes of what it writes itself.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commandline import PURETALK, CommandLine, Ended
from support.publishing import add_rows, count_rows, publish_rows

from puretalk.demo import DemoApi
from puretalk.errors import WarehouseError
from puretalk.warehouse.adoption import put_aside
from puretalk.warehouse.lock import hold_lock
from puretalk.warehouse.places import create_file, read_own_file
from puretalk.warehouse.seals import seal_path
from puretalk.warehouse.work_file import Warehouse

pytestmark = pytest.mark.slow

#: Root may write anywhere. Without these two capabilities, permissions apply to it as to other users.
AS_ANYBODY = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.name != "nt" and os.geteuid() == 0 else ()
)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is not puretalk's, with a file in it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o755)
    (folder / "mine").write_text("mine")
    return folder


def expect_refusal(ended: Ended, path: Path, words: str) -> None:
    assert ended.exit_code == 8, ended.error
    assert ended.message[0] == f"puretalk: {path} {words}."
    assert "in puretalk itself" not in ended.error


@pytest.mark.parametrize("name", ["work", "failed", "kept", "logs", "snapshots"])
def test_a_link_in_the_place_of_a_folder_is_refused(
    synced_data: Path, tmp_path: Path, api: DemoApi, elsewhere: Path, name: str
) -> None:
    place = synced_data / name
    if place.exists():
        place.rename(tmp_path / "moved")
    place.symlink_to(elsewhere)
    ended = CommandLine(synced_data, tmp_path, api, has_models=False)("sync")
    expect_refusal(ended, place, "is a symbolic link, where puretalk keeps a folder of its own")
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("mine", "mine")]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "name",
    [
        *("sync.lock", "sync.holder.json", "notices.json", "privacy.secret", "forgotten.json"),
        *("snapshots/ID", "snapshots/ID/file"),
    ],
)
def test_a_link_in_the_place_of_a_file_is_refused_and_its_target_stays(
    synced_data: Path, elsewhere: Path, name: str
) -> None:
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    place = {"snapshots/ID": snapshot.parent, "snapshots/ID/file": snapshot}.get(name, synced_data / name)
    if place.exists():
        shutil.move(place, elsewhere / "moved")
    place.symlink_to(elsewhere / ("moved" if (elsewhere / "moved").exists() else "mine"))
    with pytest.raises(WarehouseError, match="symbolic link") as refused, hold_lock(synced_data, "sync"):
        pass
    assert str(place) in refused.value.message
    assert (elsewhere / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is a folder, where puretalk keeps a file of its own"),
        (os.mkfifo, "is a pipe, where puretalk keeps a file of its own"),
        (lambda path: path.symlink_to("/dev/null"), "is a symbolic link, where puretalk keeps a file of its own"),
    ],
)
def test_what_is_no_file_in_the_place_of_the_note_is_refused_and_not_waited_for(
    synced_data: Path, tmp_path: Path, api: DemoApi, make: Callable[[Path], object], words: str
) -> None:
    make(synced_data / "sync.holder.json")
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    assert command("status", "--check", "--max-age", "9d", timeout=60).exit_code == 0
    expect_refusal(command("sync", timeout=60), synced_data / "sync.holder.json", words)


def test_own_files_are_neither_written_nor_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        read_own_file(tmp_path / "link")
    with pytest.raises(OSError, match="not a regular file"):
        read_own_file(Path("/dev/null"))
    create_file(tmp_path / "link", "ours", mode=0o600)
    assert (tmp_path / "target").read_text() == "mine"
    assert read_own_file(tmp_path / "link") == "ours"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is a folder, where the link to the published snapshot belongs"),
        (os.mkfifo, "is a device or a pipe, where the link to the published snapshot belongs"),
        (Path.touch, "is not a snapshot that puretalk published"),
    ],
)
def test_something_else_in_the_place_of_the_link_is_named_before_the_work(
    synced_data: Path, tmp_path: Path, api: DemoApi, make: Callable[[Path], object], words: str
) -> None:
    published = synced_data / "puretalk.duckdb"
    published.unlink()
    make(published)
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    api.forget_requests()
    expect_refusal(command("sync", timeout=60), published, words)
    assert api.requests == []
    asked = command.in_this_process("query", "SELECT 1")
    assert (asked.exit_code, "unharmed" in asked.error) == (8, False)
    assert command.in_this_process("status", "--check").exit_code == 11


def test_a_snapshot_of_0_bytes_is_refused(synced_data: Path, tmp_path: Path, api: DemoApi) -> None:
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    snapshot.chmod(0o600)
    snapshot.write_bytes(b"")
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    ended = command("sync")
    assert (ended.exit_code, "written to after it was published" in ended.message[0]) == (8, True)
    assert command.in_this_process("query", "SELECT 1").exit_code == 8


@pytest.mark.parametrize("arguments", [("query", "SELECT 1"), ("sync",)])
def test_without_permission_the_message_says_so_and_claims_nothing(
    synced_data: Path, tmp_path: Path, api: DemoApi, arguments: tuple[str, ...]
) -> None:
    command = CommandLine(synced_data, tmp_path, api)
    synced_data.chmod(0)
    try:
        ended = subprocess.run(
            [*AS_ANYBODY, PURETALK, *arguments],
            env=command.environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        synced_data.chmod(0o700)
    lines = ended.stderr.splitlines()
    assert ended.returncode == 8, ended.stderr
    assert "Permission denied" in lines[0]
    assert lines[1] == "State: the published snapshot could not be read."


@pytest.mark.parametrize("name", ["snapshot", "seal", "folder", "snapshots", "lock"])
def test_a_file_or_folder_that_may_not_be_read_is_named(
    synced_data: Path, tmp_path: Path, api: DemoApi, name: str
) -> None:
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    place, words = {
        "snapshot": (snapshot, f"{snapshot} cannot be used"),
        "seal": (seal_path(snapshot), f"{seal_path(snapshot)} cannot be used"),
        "folder": (snapshot.parent, f"{snapshot.parent} cannot be used"),
        "snapshots": (synced_data / "snapshots", f"{synced_data / 'snapshots'} cannot be used"),
        "lock": (synced_data / "sync.lock", f"the lock {synced_data / 'sync.lock'} cannot be taken"),
    }[name]
    mode = stat.S_IMODE(place.stat().st_mode)
    place.chmod(0)
    try:
        ended = subprocess.run(
            [*AS_ANYBODY, PURETALK, "sync"],
            env=CommandLine(synced_data, tmp_path, api).environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        place.chmod(mode)
    assert ended.returncode == 8, ended.stderr
    assert ended.stderr.splitlines()[0] == f"puretalk: {words}: Permission denied."
    assert ("unharmed" in ended.stderr) == (name == "lock")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link", "dangling link"])
def test_a_metrics_file_that_is_none_is_not_replaced(
    synced_data: Path, tmp_path: Path, api: DemoApi, kind: str
) -> None:
    place = tmp_path / "metrics.prom"
    if kind == "device":
        place = Path("/dev/full")
    else:
        makers: dict[str, Callable[[Path], None]] = {
            "pipe": os.mkfifo,
            "folder": Path.mkdir,
            "link": lambda path: path.symlink_to("/dev/null"),
            "dangling link": lambda path: path.symlink_to(tmp_path / "nothing"),
        }
        makers[kind](place)
    before = place.lstat()
    ended = CommandLine(synced_data, tmp_path, api, has_models=False)("sync", PURETALK_METRICS_FILE=str(place))
    assert (ended.exit_code, ended.error) == (0, "")
    assert (place.lstat().st_ino, place.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not (tmp_path / "nothing").exists()
    [log] = (synced_data / "logs").glob("*.jsonl")
    assert "what is there is not a file" in log.read_text()


# Modes


@pytest.mark.parametrize(
    ("mode", "words"), [(0o644, "can read"), (0o620, "can change"), (0o640, None), (0o600, None), (0o400, None)]
)
@pytest.mark.parametrize("command", ["check", "sync"])
def test_a_file_of_secrets_that_others_can_read_or_change_is_said(
    tmp_path: Path, command: str, mode: int, words: str | None
) -> None:
    secrets = tmp_path / ".dlt" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text("")
    secrets.chmod(mode)
    line = CommandLine(tmp_path / "data", tmp_path)  # without a key, so that both end soon
    ended = line(command, DLT_PROJECT_DIR=str(tmp_path))
    assert ended.exit_code == 4
    said = [each for each in ended.message if "other users" in each]
    if words is None:
        assert said == []
    else:
        assert said == [
            f"puretalk: other users of this machine {words} {secrets} (mode {mode:04o}): type `chmod 600 {secrets}`."
        ]


@pytest.fixture
def _anything_goes() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes_of(folder: Path) -> dict[str, str]:
    """The mode of each file and folder, by its path without the id of the snapshot."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            name = "/".join("ID" if part.endswith("Z") else part for part in path.relative_to(folder.parent).parts)
            found[name] = f"{stat.S_IMODE(path.lstat().st_mode):o}"
    return found


@pytest.mark.usefixtures("_anything_goes")
def test_whatever_the_umask_nothing_that_a_run_writes_is_for_everybody(tmp_path: Path, api: DemoApi) -> None:
    script = "import os, sys; os.umask(0); os.execv(sys.argv[1], sys.argv[1:])"
    command = CommandLine(tmp_path / "data", tmp_path, api)
    subprocess.run(
        [sys.executable, "-c", script, PURETALK, "sync", "--keep-work", "--dashboard"],
        env=command.environment(PURETALK_GIT_DIR=str(tmp_path / "git")),
        cwd="/",
        check=True,
    )
    assert [name for name, mode in modes_of(tmp_path / "git").items() if int(mode, 8) & 0o022] == []
    modes = modes_of(tmp_path / "data")
    kept = {name: mode for name, mode in modes.items() if name.startswith("data/kept/")}
    log = next(name for name in modes if name.startswith("data/logs/"))
    assert {name: mode for name, mode in modes.items() if name not in kept} == {
        "data": "750",
        "data/snapshots": "750",
        "data/snapshots/ID": "750",
        "data/snapshots/ID/puretalk.duckdb": "440",
        "data/snapshots/ID/puretalk.duckdb.seal": "440",
        "data/sync.lock": "600",
        "data/logs": "700",
        log: "600",
        "data/kept": "700",
        "data/dashboard.html": "600",
    }
    assert kept["data/kept/ID"] == "700"


@pytest.mark.usefixtures("_anything_goes")
def test_what_a_run_works_in_and_leaves_for_inspection_is_private(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "data")
    warehouse.data_dir.mkdir(mode=0o750)
    with warehouse.open_work_file() as work:
        add_rows(work, 1)
        at_work = modes_of(warehouse.data_dir / "work")
        warehouse.keep_failed(work, "run")
    (warehouse.data_dir / "foreign").mkdir()
    put_aside(warehouse.data_dir, warehouse.data_dir / "foreign")
    assert {at_work.pop("work"), at_work.pop(f"work/{os.getpid()}")} == {"700"}
    modes = modes_of(warehouse.data_dir)
    assert (modes["data/failed"], modes["data/put-aside"]) == ("700", "700")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(("sync",), 4), (("rollback",), 8), (("forget", "ada@x.org"), 8), (("replicate", "x"), 12)],
)
def test_whichever_command_makes_the_data_directory_it_has_its_mode(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int
) -> None:
    ended = CommandLine(tmp_path / "data", tmp_path)(*arguments, PURETALK_FILE_MODE="0400")
    assert ended.exit_code == exit_code, ended.error
    assert modes_of(tmp_path / "data")["data"] == "700"


@pytest.mark.usefixtures("_anything_goes")
@pytest.mark.parametrize(("file_mode", "folders"), [(0o400, "700"), (0o444, "755")])
def test_who_may_read_the_snapshots_may_enter_their_folders(tmp_path: Path, file_mode: int, folders: str) -> None:
    warehouse = Warehouse(tmp_path / "data")
    warehouse.data_dir.mkdir(mode=0o700)
    warehouse.snapshots = type(warehouse.snapshots)(warehouse.data_dir, file_mode=file_mode)
    snapshot = publish_rows(warehouse, 1)
    modes = modes_of(tmp_path / "data")
    assert (modes["data/snapshots"], modes["data/snapshots/ID"]) == (folders, folders)
    assert modes["data/snapshots/ID/puretalk.duckdb.seal"] == f"{file_mode:o}"
    assert count_rows(snapshot)[1] == 1
