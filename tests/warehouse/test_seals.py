"""Claims about seals: a snapshot that is not, byte for byte, what was published is not built upon, a good one is kept,
and one that was put back without its seal is taken in or put aside.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from support.commandline import CommandLine
from support.publishing import count_rows, find_leftovers, publish_rows
from support.storm import settings_for

from puretalk.demo import DemoApi
from puretalk.errors import WarehouseError
from puretalk.settings import RetentionSettings
from puretalk.sync.run import run_build, run_sync
from puretalk.warehouse import seals
from puretalk.warehouse.seals import Content, read_content, seal_path
from puretalk.warehouse.work_file import Warehouse

pytestmark = pytest.mark.slow

KEEP_FEW = RetentionSettings(keep_last=2, keep_hourly=0, keep_daily=0)


@pytest.fixture(scope="module")
def _published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with three snapshots. Only for copying."""
    folder = tmp_path_factory.mktemp("published") / "data"
    folder.mkdir()
    for _ in range(3):
        publish_rows(Warehouse(folder), 700)
    return folder


@pytest.fixture
def warehouse(_published_once: Path, tmp_path: Path) -> Warehouse:
    return Warehouse(shutil.copytree(_published_once, tmp_path / "data", symlinks=True))


def files_of(warehouse: Warehouse) -> list[Path]:
    """The snapshots, newest first."""
    return [snapshot.path for snapshot in warehouse.snapshots.list_snapshots()]


def flip(file: Path, at: int, size: int = 32) -> None:
    """Damage bytes, as a disk does, and leave everything else as it was: the time of the last change too."""
    before, mode = file.stat(), file.stat().st_mode
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.seek(at)
        damaged = bytes(byte ^ 0xFF for byte in opened.read(size))
        opened.seek(at)
        opened.write(damaged)
    file.chmod(mode)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_old(snapshot: Path) -> None:
    """Give it the seal of a release up to 0.3."""
    seal = seal_path(snapshot)
    first, *_ = seal.read_text().splitlines(keepends=True)
    seal.chmod(0o600)
    seal.write_text(first)


def place_of(file: Path, text: bytes) -> int:
    """Where a text is in a file: in a block that a query reads."""
    return file.read_bytes().index(text)


# Damage


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 0.97, 1.0])
def test_a_snapshot_with_flipped_bytes_is_not_built_upon_and_the_way_back_works(
    warehouse: Warehouse, share: float
) -> None:
    newest, before, first = files_of(warehouse)
    flip(newest, int(share * (newest.stat().st_size - 32)))
    flip(before, 400_000)
    kept = [path.read_bytes() for path in (newest, before, first)]
    with pytest.raises(WarehouseError, match="published") as refused:
        publish_rows(warehouse, 1)
    assert f"puretalk rollback {first.parent.name}`" in refused.value.action, "the newest that is as it was published"
    assert [path.read_bytes() for path in (newest, before, first)] == kept
    assert not warehouse.snapshots.is_intact(newest)
    with pytest.raises(WarehouseError, match="there is no untouched snapshot"):
        warehouse.snapshots.roll_back(before.parent.name)
    assert warehouse.snapshots.roll_back(None).path == first
    assert count_rows(publish_rows(warehouse, 1))[1] == 701


def test_without_a_good_snapshot_the_message_says_so(warehouse: Warehouse) -> None:
    for path in files_of(warehouse):
        flip(path, 300_000)
    with pytest.raises(WarehouseError, match="is damaged") as refused:
        publish_rows(warehouse, 1)
    assert "Restore one from a backup" in refused.value.action


def test_the_command_line_says_what_is_damaged_and_what_to_type(
    synced_data: Path, tmp_path: Path, api: DemoApi
) -> None:
    command = CommandLine(synced_data, tmp_path, api, has_models=False)
    assert command("sync").exit_code == 0
    _, first = files_of(Warehouse(synced_data))
    snapshot = (synced_data / "puretalk.duckdb").resolve()
    flip(snapshot, snapshot.stat().st_size // 2)
    ended = command("sync")
    assert ended.exit_code == 8
    assert "is damaged" in ended.message[0]
    assert ended.message[1].endswith(" UTC, which was written to or cannot be verified.")
    assert f"`puretalk rollback {first.parent.name}`" in ended.message[2]
    checked = command.in_this_process("status", "--check")
    assert (checked.exit_code, "is damaged" in checked.error) == (11, True)
    asked = command.in_this_process("check")
    assert (asked.exit_code, "is damaged" in asked.output) == (8, True)
    assert command("rollback", first.parent.name).exit_code == 0
    assert command("sync").exit_code == 0


def test_retention_keeps_a_good_snapshot_although_newer_damaged_ones_are_there(warehouse: Warehouse) -> None:
    """Readers were set back to the oldest, because the two after it are damaged. The next run makes it the fourth."""
    newest, before, first = files_of(warehouse)
    for path in (newest, before):
        flip(path, 300_000)
    warehouse.snapshots.roll_back(None)
    fourth = publish_rows(warehouse, 1)
    assert warehouse.delete_old_snapshots(KEEP_FEW) == 1
    assert files_of(warehouse) == [fourth, newest, first], "retention alone would keep the two newest"
    fifth = publish_rows(warehouse, 1)
    warehouse.delete_old_snapshots(KEEP_FEW)
    assert files_of(warehouse) == [fifth, fourth]


def test_a_run_that_begins_anew_keeps_a_good_snapshot_too(warehouse: Warehouse) -> None:
    newest, before, first = files_of(warehouse)
    for path in (newest, before):
        flip(path, 300_000)
    warehouse.snapshots.published.unlink()
    fresh = publish_rows(warehouse, 1)
    warehouse.delete_old_snapshots(KEEP_FEW)
    assert files_of(warehouse) == [fresh, newest, first]


def test_a_damaged_copy_is_noticed_where_symlinks_do_not_exist(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    published = publish_rows(warehouse, 1)
    flip(warehouse.snapshots.published, 300_000)
    with pytest.raises(WarehouseError, match="differs from the snapshot of which it is a copy") as refused:
        publish_rows(warehouse, 1)
    assert f"puretalk rollback {published.parent.name}`" in refused.value.action
    warehouse.snapshots.roll_back(published.parent.name)
    assert count_rows(publish_rows(warehouse, 1))[1] == 2102


# Seals of releases up to 0.3


def test_an_old_seal_is_accepted_and_the_next_publish_writes_a_new_one(warehouse: Warehouse) -> None:
    newest, *_ = files_of(warehouse)
    make_old(newest)
    assert warehouse.snapshots.is_intact(newest)
    following = publish_rows(warehouse, 1)
    lines = seal_path(following).read_text().splitlines()
    assert [line.split()[0] for line in lines] == [f"{following.stat().st_size}", "content"]


def test_damage_under_an_old_seal_is_found_by_duckdbs_checksums(warehouse: Warehouse) -> None:
    newest, before, _ = files_of(warehouse)
    make_old(newest)
    flip(newest, place_of(newest, b"Be brief. "))
    with pytest.raises(WarehouseError, match="is damaged") as refused:
        publish_rows(warehouse, 1)
    assert before.parent.name in refused.value.action


# What hashing costs


def test_only_what_differs_from_the_snapshot_before_is_hashed_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, *_ = files_of(warehouse)
    hashed: list[int] = []

    class Counting:
        @staticmethod
        def sha256(data: bytes = b"") -> object:
            hashed.append(len(data))
            return hashlib.sha256(data)

    with warehouse.open_work_file() as work:
        with work.connection.cursor() as connection:
            connection.execute("UPDATE main.snapshot_info SET run_id = 'x'")
        monkeypatch.setattr(seals, "hashlib", Counting)
        published = warehouse.publish(work)
    monkeypatch.undo()
    assert sum(size == 2**18 for size in hashed) <= 6, "of the chunks, those that the run wrote"
    assert published.stat().st_size > 10 * 2**18
    assert read_content(published).digest in seal_path(published).read_text()
    assert newest != published


def test_content_that_is_taken_from_another_file_equals_content_that_is_read(tmp_path: Path) -> None:
    rng = random.Random(7)
    old, new = tmp_path / "old", tmp_path / "new"
    for number in range(40):
        content = bytearray(rng.randbytes(rng.choice([0, 1, 2**18, 2**18 + 1, 5 * 2**18 - 3, 6 * 2**18])))
        old.write_bytes(content)
        before = read_content(old)
        for _ in range(rng.randrange(3)):
            if content:
                content[rng.randrange(len(content))] ^= 1
        cut = rng.choice([0, 1, 2**18])
        changed = bytes(content[:-cut] if cut and number % 2 else content + rng.randbytes(cut))
        new.write_bytes(changed)
        expected = [hashlib.sha256(changed[at : at + 2**18]).digest() for at in range(0, len(changed), 2**18)]
        assert read_content(new, like=before) == Content(new, tuple(expected)) == read_content(new)
        assert (read_content(new).digest == before.digest) == (changed == old.read_bytes())


# Put back without a seal


def take_out(snapshot: Path, backup: Path) -> Path:
    """A backup of the database alone; the snapshot itself is gone. Gives the copy."""
    backup.mkdir(exist_ok=True)
    copy = backup / snapshot.parent.name
    shutil.copy(snapshot, copy)
    shutil.rmtree(snapshot.parent)
    return copy


def put_back(copy: Path, warehouse: Warehouse) -> Path:
    target = warehouse.snapshots.folder / copy.name / "puretalk.duckdb"
    target.parent.mkdir()
    shutil.copy(copy, target)
    return target


def test_a_snapshot_that_was_put_back_without_its_seal_is_taken_in(warehouse: Warehouse, tmp_path: Path) -> None:
    newest, before, first = files_of(warehouse)
    returned = put_back(take_out(first, tmp_path / "backup"), warehouse)
    content = returned.read_bytes()
    following = publish_rows(warehouse, 1)
    [remark] = warehouse.snapshots.remarks
    assert first.parent.name in remark
    assert files_of(warehouse) == [following, newest, before, returned]
    warehouse.delete_old_snapshots(KEEP_FEW)
    assert files_of(warehouse) == [following, newest, returned], "a person put it there, so retention does not count it"
    assert returned.read_bytes() == content
    assert warehouse.snapshots.roll_back(first.parent.name).path == returned
    assert count_rows(publish_rows(warehouse, 1))[1] == 701
    assert find_leftovers(warehouse.data_dir) == []


def test_a_rollback_to_one_that_was_just_put_back_needs_no_sync_before(warehouse: Warehouse, tmp_path: Path) -> None:
    *_, first = files_of(warehouse)
    returned = put_back(take_out(first, tmp_path / "backup"), warehouse)
    assert warehouse.snapshots.roll_back(first.parent.name).path == returned


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("cut", "rror"),
        ("flip", "does not match stored checksum"),
        ("empty", "rror"),
        ("other id", "its snapshot_id is"),
        ("rows", "does not have as many rows as it says"),
        ("type", "assistants.name is BLOB instead of VARCHAR"),
        ("table", "it has no table voices"),
        ("no database", "rror"),
    ],
)
def test_what_is_no_whole_snapshot_is_put_aside_and_said(
    warehouse: Warehouse, tmp_path: Path, damage: str, reason: str
) -> None:
    newest, before, first = files_of(warehouse)
    copy = take_out(first, tmp_path / "backup")
    copy.chmod(0o600)
    content = copy.read_bytes()
    if damage == "cut":
        copy.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        flip(copy, place_of(copy, b"Be brief. "))
    elif damage == "empty":
        copy.write_bytes(b"")
    elif damage == "no database":
        copy.write_bytes(b"notes\n" * 4000)
    else:
        statement = {
            "other id": "UPDATE main.snapshot_info SET snapshot_id = 'x'",
            "rows": "DELETE FROM main.assistants WHERE name = 'Number 1'",
            "type": "ALTER TABLE main.assistants ALTER name TYPE BLOB",
            "table": "DROP TABLE main.voices",
        }[damage]
        with duckdb.connect(str(copy)) as connection:
            connection.execute(statement)
    put_back(copy, warehouse)
    following = publish_rows(warehouse, 1)
    aside = warehouse.data_dir / "put-aside" / first.parent.name / "puretalk.duckdb"
    assert aside.read_bytes() == copy.read_bytes(), "moved, and not deleted"
    [remark] = warehouse.snapshots.remarks
    assert str(aside.parent) in remark
    assert re.search(reason, remark)
    assert files_of(warehouse) == [following, newest, before]


def test_a_second_one_of_the_same_name_is_put_aside_too(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "20200101T000000000000Z").write_bytes(b"")
    for number in (1, 2):
        put_back(tmp_path / "20200101T000000000000Z", warehouse)
        publish_rows(warehouse, 1)
        assert len(list((warehouse.data_dir / "put-aside").iterdir())) == number


def test_what_a_person_keeps_in_a_folder_without_a_snapshot_is_not_deleted(warehouse: Warehouse) -> None:
    folder = warehouse.snapshots.folder / "20200101T000000000000Z"
    folder.mkdir()
    (folder / ".puretalk.duckdb.Xa81bQ").write_bytes(b"a copy that is not finished")
    publish_rows(warehouse, 1)
    assert (warehouse.data_dir / "put-aside" / folder.name / ".puretalk.duckdb.Xa81bQ").exists()


def test_a_whole_published_snapshot_without_a_seal_gets_one(warehouse: Warehouse) -> None:
    newest, *_ = files_of(warehouse)
    seal_path(newest).unlink()
    warehouse.snapshots.refuse_foreign_files()
    following = publish_rows(warehouse, 1)
    assert "adopted" in seal_path(newest).read_text()
    assert "adopted" not in seal_path(following).read_text()


def test_a_damaged_published_snapshot_without_a_seal_is_refused_and_stays(warehouse: Warehouse) -> None:
    newest, before, _ = files_of(warehouse)
    seal_path(newest).unlink()
    flip(newest, place_of(newest, b"Be brief. "))
    with pytest.raises(WarehouseError, match="has no seal, and is not whole"):
        warehouse.snapshots.refuse_foreign_files()
    with pytest.raises(WarehouseError, match="has no seal, and is not whole") as refused:
        publish_rows(warehouse, 1)
    assert f"puretalk rollback {before.parent.name}`" in refused.value.action
    assert newest.exists()
    assert warehouse.snapshots.roll_back(None).path == before


def test_commands_say_what_they_took_in_and_what_they_put_aside(
    synced_data: Path, tmp_path: Path, api: DemoApi
) -> None:
    settings = settings_for(tmp_path, api.base_url)
    warehouse = Warehouse(synced_data)
    (tmp_path / "20200101T000000000000Z").write_bytes(b"")
    put_back(tmp_path / "20200101T000000000000Z", warehouse)
    assert "was moved to" in run_sync(settings).warnings[-1]
    put_back(tmp_path / "20200101T000000000000Z", warehouse)
    assert "was moved to" in run_build(settings).warnings[-1]
    put_back(tmp_path / "20200101T000000000000Z", warehouse)
    ended = CommandLine(synced_data, tmp_path)("rollback")
    assert ended.exit_code == 0
    assert "was moved to" in ended.error
    put_back(tmp_path / "20200101T000000000000Z", warehouse)
    ended = CommandLine(synced_data, tmp_path, api)("sync", PURETALK_API_KEY="wrong")
    assert ended.exit_code == 4
    assert "was moved to" in ended.message[0], "a run that fails says it too"
