"""Claims about readers: publishing never disturbs them, with any DuckDB and any way to read.

The same harness watches over a warehouse that is published in place, and complains: it can see what it looks for.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pytest
from support.clients import python_with_duckdb
from support.publishing import add_rows, publish_rows

from puretalk.settings import RetentionSettings
from puretalk.warehouse.work_file import Warehouse, WorkFile, seal

pytestmark = pytest.mark.slow

PATIENCE = 60.0
READER = Path(__file__).parents[1] / "support" / "snapshot_reader.py"

#: Readers by name: how they read, and with which DuckDB (None: ours).
READERS: dict[str, tuple[str, str | None]] = {
    "a dashboard": ("loop", None),
    "another dashboard": ("loop", None),
    "a notebook that stays open": ("stay", None),
    "an analyst with pandas": ("pandas", None),
    "a BI tool with DuckDB 1.4": ("loop", "1.4"),
    "a BI tool with DuckDB 1.5": ("loop", "1.5"),
}
LOOPS = {name: READERS[name] for name in ("a dashboard", "another dashboard")}


@dataclass
class Reader:
    """A reader's process and what it has told so far."""

    process: subprocess.Popen[str]
    version: str = ""
    reads: list[dict[str, Any]] = field(default_factory=list)


class Readers:
    """Readers that read as fast as they can, from the entry on until `finish`."""

    def __init__(self, database: Path, kinds: dict[str, tuple[str, str | None]]) -> None:
        self._told = threading.Condition()
        self._readers = {name: Reader(_start(kind, version, database)) for name, (kind, version) in kinds.items()}
        self._threads = [threading.Thread(target=self._listen, args=(reader,)) for reader in self._readers.values()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_a_read()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for reader in self._readers.values():
            if reader.process.stdin and not reader.process.stdin.closed:
                reader.process.stdin.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        for reader in self._readers.values():
            reader.process.kill()
            reader.process.wait()
            if reader.process.stdout:
                reader.process.stdout.close()

    def wait_for_a_read(self) -> None:
        """Until every reader that lives has begun and ended a read from now on."""
        with self._told:
            goals = {name: len(reader.reads) + 2 for name, reader in self._readers.items()}
            assert self._told.wait_for(
                lambda: all(
                    len(self._readers[name].reads) >= goal or self._readers[name].process.poll() is not None
                    for name, goal in goals.items()
                ),
                PATIENCE,
            ), "a reader is stuck"

    def finish(self) -> dict[str, Reader]:
        """Let every reader read once more, over a new connection, and end."""
        self.__exit__(None, None, None)
        return self._readers

    def _listen(self, reader: Reader) -> None:
        assert reader.process.stdout
        for line in reader.process.stdout:
            with self._told:
                told = json.loads(line)
                if isinstance(told, str):
                    reader.version = told
                else:
                    reader.reads.append(told)
                self._told.notify_all()
        reader.process.wait()
        with self._told:
            self._told.notify_all()


def _start(kind: str, version: str | None, database: Path) -> subprocess.Popen[str]:
    command, environment = python_with_duckdb(version)
    return subprocess.Popen(
        [*command, str(READER), kind, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def find_complaints(readers: dict[str, Reader], published: list[str]) -> list[str]:
    """What went wrong for them, in words. `published`: ids of the snapshots in their order."""
    complaints = []
    for name, reader in readers.items():
        if reader.process.returncode != 0:
            complaints.append(f"{name} died with {reader.process.returncode}")
        complaints += [f"{name}: {read['error']}" for read in reader.reads if "error" in read]
        complaints += [f"{name} saw half a state: {read}" for read in reader.reads if not read.get("agrees", True)]
        seen = [read["snapshot"] for read in reader.reads if "snapshot" in read]
        if seen != sorted(seen):
            complaints.append(f"{name} went back in time")
        if not set(seen) <= set(published):
            complaints.append(f"{name} saw what was never published")
        if len(set(seen)) < 2:
            complaints.append(f"{name} never saw anything new")
        if seen[-1:] != published[-1:]:
            complaints.append(f"{name} did not see the newest at the end")
    return complaints


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    return Warehouse(data_dir)


@pytest.mark.parametrize("publishes", [8, pytest.param(30, marks=pytest.mark.storm)])
def test_no_reader_is_ever_disturbed(warehouse: Warehouse, publishes: int) -> None:
    published = [_id_of(publish_rows(warehouse, 50))]
    with Readers(warehouse.snapshots.published, READERS) as running:
        for _ in range(publishes):
            published.append(_id_of(publish_rows(warehouse, 7)))
            warehouse.delete_old_snapshots(RetentionSettings(keep_last=3, keep_hourly=0, keep_daily=0))
            running.wait_for_a_read()
        readers = running.finish()
    assert find_complaints(readers, published) == []
    assert {name: reader.version[:2] for name, reader in readers.items() if READERS[name][1] is None} == {
        name: "2." for name in readers if READERS[name][1] is None
    }
    assert [reader.version[:3] for name, reader in readers.items() if READERS[name][1]] == ["1.4", "1.5"]
    stayed = [read["snapshot"] for read in readers["a notebook that stays open"].reads]
    assert stayed == [published[0]] * (len(stayed) - 1) + [published[-1]]
    for name in LOOPS:
        assert {read["snapshot"] for read in readers[name].reads} == {*published}, f"{name} missed a version"


def test_the_harness_sees_a_file_that_is_copied_over(warehouse: Warehouse) -> None:
    first = publish_rows(warehouse, 50)
    first.chmod(0o640)
    published = [_id_of(first)]
    with Readers(warehouse.snapshots.published, LOOPS) as running:
        for _ in range(5):
            published.append(_copy_over(first, pause=running.wait_for_a_read))
            running.wait_for_a_read()
        readers = running.finish()
    signs = ("died", "half a state", "Error", "Exception")
    assert [words for words in find_complaints(readers, published) if any(sign in words for sign in signs)]


def test_the_harness_sees_a_writer_in_the_published_file(warehouse: Warehouse) -> None:
    first = publish_rows(warehouse, 50)
    first.chmod(0o640)
    published = [_id_of(first)]
    published_file = warehouse.snapshots.published
    with closing(duckdb.connect(str(published_file))) as writer, Readers(published_file, LOOPS) as running:
        writer.execute("DELETE FROM main.assistants")
        running.wait_for_a_read()
        readers = running.finish()
    complaints = find_complaints(readers, published)
    assert [words for words in complaints if "lock" in words]


def _copy_over(published: Path, *, pause: Callable[[], None]) -> str:
    """What one would do without a second thought: write the new file over the one that readers read."""
    work = WorkFile(published.with_name("next.duckdb"), is_new=False)
    shutil.copyfile(published, work.path)
    add_rows(work, 7)
    moment = datetime.now(UTC)
    with work.connection.cursor() as connection:
        seal(connection, f"{moment:%Y%m%dT%H%M%S%fZ}", moment)
    content = work.path.read_bytes()
    work.path.unlink()
    with published.open("r+b") as file:
        for part in (content[: len(content) // 2], content[len(content) // 2 :]):
            file.write(part)
            file.flush()
            pause()
        file.truncate()
    return f"{moment:%Y%m%dT%H%M%S%fZ}"


def _id_of(snapshot: Path) -> str:
    return snapshot.parent.name
