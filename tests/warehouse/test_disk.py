"""Claims about the place: a disk that runs full, a folder that is read-only, a reader that writes. What is published is
never harmed, the message says what is the matter, and when it is repaired the next sync is exact.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import oracle
from support.publishing import count_rows, find_leftovers
from support.stepping import SteppedRun
from support.storm import settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, WarehouseError
from puretalk.sync.run import run_sync
from puretalk.warehouse import work_file as warehouse

pytestmark = pytest.mark.slow

#: Root may write anywhere. Without these two capabilities, permissions apply to it as to other users.
AS_ANYBODY = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.name != "nt" and os.geteuid() == 0 else ()
)
DISK_SIZE = 160 * 2**20
NOTHING_CHANGED = "State: readers still get the snapshot of "
MORE = "More: docs/operations.md (exit code 8)"


class Disk:
    """A place with a limit, on which a warehouse has been synced once; the account has changed since.

    Where mounting is allowed it is a small tmpfs that can be filled; else the size of files is limited by the kernel,
    a little above that of the snapshot.
    """

    def __init__(self, folder: Path, *, is_mounted: bool) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.is_mounted = is_mounted
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**20))
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**9))
        assert os.statvfs(self.folder).f_bavail == 0

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(assistants=4)


@pytest.fixture(scope="module")
def api(account: Account) -> Iterator[DemoApi]:
    with DemoApi(account) as api:
        yield api


@pytest.fixture(scope="module", autouse=True)
def _without_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        skip_models(environment)
        yield


def mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def disk(account: Account, api: DemoApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("disk")
    is_mounted = mount(folder)
    try:
        run_sync(settings_for(folder, api.base_url))
        account.edit(account.live_ids()[0], prompt="Be kind.")
        yield Disk(folder, is_mounted=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def expect_refusal(disk: Disk, api: DemoApi, step: str, act: Callable[[], None], prefix: tuple[str, ...] = ()) -> str:
    """Let `act` happen before the step; the run fails and harms nothing. Gives the first line of its message."""
    before = count_rows(disk.data_dir / "puretalk.duckdb")
    run = SteppedRun(step, "sync", data_dir=disk.data_dir, api=api, prefix=prefix)
    act()
    run.go_on()
    exit_code, message = run.end()
    assert exit_code == 8, message
    expect_no_change(disk, message, before)
    return message[0]


def expect_no_change(disk: Disk, message: list[str], before: tuple[str, int, int]) -> None:
    """The message has its four lines, and readers get what they got before."""
    assert len(message) == 4, message
    assert message[1].startswith(NOTHING_CHANGED)
    assert message[2].startswith("Do: ")
    assert message[3] == MORE
    assert count_rows(disk.data_dir / "puretalk.duckdb") == before
    assert not (disk.data_dir / "work").exists()


def expect_repair(disk: Disk, account: Account, api: DemoApi) -> None:
    """The next sync is exact and leaves nothing; then the account changes again."""
    assert run_sync(settings_for(disk.folder, api.base_url)).run.rows_loaded > 0
    assert oracle.compare(account.records(), disk.data_dir / "puretalk.duckdb") == []
    assert find_leftovers(disk.data_dir) == []
    change(account)


def change(account: Account) -> None:
    first = account.live_ids()[0]
    account.edit(first, prompt=account.record(first)["prompt"] + " Be brief.")


@pytest.mark.parametrize(
    "step",
    [
        "work: copy",
        "load",
        pytest.param("models", marks=pytest.mark.storm),
        "publish: swap",
    ],
)
def test_a_disk_that_runs_full_harms_nobody(disk: Disk, account: Account, api: DemoApi, step: str) -> None:
    if disk.is_mounted:
        try:
            said = expect_refusal(disk, api, step, disk.fill)
        finally:
            disk.make_room()
        assert str(disk.data_dir) in said or "the new snapshot" in said
        assert "space" in said, said
        expect_repair(disk, account, api)
    else:
        check_a_limit_of_file_sizes(disk, account, api)


@pytest.mark.storm
def test_a_disk_that_runs_full_at_the_seal_harms_nobody(disk: Disk, account: Account, api: DemoApi) -> None:
    """The file has blocks of its own to spare, and closing it gives the log's space back. So the run may still
    succeed; then what it published is exact.
    """
    if disk.is_mounted:
        before = count_rows(disk.data_dir / "puretalk.duckdb")
        run = SteppedRun("seal", "sync", data_dir=disk.data_dir, api=api)
        try:
            disk.fill()
            run.go_on()
            exit_code, message = run.end()
        finally:
            disk.make_room()
        assert exit_code in {0, 8}, message
        if exit_code:
            expect_no_change(disk, message, before)
        else:
            assert oracle.compare(account.records(), disk.data_dir / "puretalk.duckdb") == []
            assert find_leftovers(disk.data_dir) == []
            change(account)
        expect_repair(disk, account, api)


def test_a_file_that_may_not_grow_harms_nobody(disk: Disk, account: Account, api: DemoApi) -> None:
    check_a_limit_of_file_sizes(disk, account, api)


def check_a_limit_of_file_sizes(disk: Disk, account: Account, api: DemoApi) -> None:
    limit = (disk.data_dir / "puretalk.duckdb").stat().st_size // 2
    expect_refusal(disk, api, "work: copy", lambda: None, ("prlimit", f"--fsize={limit}"))
    expect_repair(disk, account, api)


def test_a_disk_that_is_too_small_is_noticed_before_the_work_starts(
    disk: Disk, api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "DISK_MARGIN", 2**60)
    before = count_rows(disk.data_dir / "puretalk.duckdb")
    api.forget_requests()
    with pytest.raises(WarehouseError, match=r"MiB free, a sync needs \d+ MiB"):
        run_sync(settings_for(disk.folder, api.base_url))
    assert api.requests == []
    assert count_rows(disk.data_dir / "puretalk.duckdb") == before


@pytest.mark.parametrize("has_run_before", [True, False])
def test_a_read_only_folder_gives_the_message(disk: Disk, account: Account, api: DemoApi, has_run_before: bool) -> None:
    lock = disk.data_dir / "sync.lock"
    if not has_run_before:
        lock.unlink()
    disk.data_dir.chmod(0o555)
    try:
        said = expect_refusal(disk, api, "lock", lambda: None, AS_ANYBODY)
    finally:
        disk.data_dir.chmod(0o755)
    place = f"{disk.data_dir} cannot be written" if has_run_before else f"the lock {lock} cannot be taken"
    assert said == f"puretalk: {place}: Permission denied."
    expect_repair(disk, account, api)


def test_a_read_only_file_system_gives_the_message(disk: Disk, account: Account, api: DemoApi) -> None:
    if not disk.is_mounted:  # then the kernel cannot be asked for one, and modes have to do
        disk.data_dir.chmod(0o555)
        said = expect_refusal(disk, api, "lock", lambda: None, AS_ANYBODY)
        disk.data_dir.chmod(0o755)
        assert said.endswith("Permission denied.")
        return
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    try:
        said = expect_refusal(disk, api, "lock", lambda: None)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk.folder)], check=True)
    assert said.endswith("Read-only file system.")
    expect_repair(disk, account, api)


def test_a_reader_without_special_rights_cannot_write(disk: Disk) -> None:
    published = disk.data_dir / "puretalk.duckdb"
    before = published.read_bytes()
    script = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('DELETE FROM main.assistants')"
    ended = subprocess.run(
        [*AS_ANYBODY, sys.executable, "-c", script, str(published)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "Permission denied" in ended.stderr) == (1, True), ended.stderr
    assert published.read_bytes() == before


@pytest.mark.parametrize(
    ("memory_limit", "message"),
    [
        ("much", r"memory_limit 'much' or threads 1 cannot be used: .*Memory must have a number"),
        ("1MB", "DuckDB needs more than memory_limit allows"),
    ],
    ids=["no number", "too low"],
)
def test_a_memory_limit_that_cannot_be_used_names_the_setting(tmp_path: Path, memory_limit: str, message: str) -> None:
    with DemoApi(Account(assistants=60)) as api:
        settings = settings_for(tmp_path, api.base_url)
        settings = replace(settings, storage=replace(settings.storage, memory_limit=memory_limit))
        with pytest.raises(ConfigurationError, match=message) as raised:
            run_sync(settings)
    assert raised.value.exit_code == 4
    assert not (settings.data_dir / "puretalk.duckdb").exists()
