"""Claims about `kill -9`: whenever a sync dies, readers keep a whole snapshot, and one more sync repairs everything.

Kills in the short form: 2 of a first sync, 4 of a later one, 1 of a full refresh, 2 at random moments: 9.
Kills in the long form: every moment of a first sync, of a tenth one and of a full refresh, and 40 at random: over 140.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import oracle
from support.crash_child import MOMENTS, NOT_OF_FIRST, OF_MODELS, OF_QUIET, Ended, Syncs
from support.storm import select, settings_for

from puretalk.demo import Account, DemoApi
from puretalk.settings import Settings
from puretalk.warehouse.lock import hold_lock

pytestmark = pytest.mark.slow

KILLED = -9

FIRST = ("dlt: between two jobs", "publish: seal")
LATER = ("walk: over", "dlt: in normalize", "dlt: between two merges", "publish: between link and swap")
REFRESH = ("dlt: between two merges",)
RANDOM_SHORT, RANDOM_LONG = 2, 30


def test_there_are_more_than_a_hundred_kills() -> None:
    short = len(FIRST) + len(LATER) + len(REFRESH) + RANDOM_SHORT
    assert (short, short + 2 * len(MOMENTS) + RANDOM_LONG > 110) == (9, True)
    assert {*FIRST, *LATER, *REFRESH} <= {*MOMENTS}


@pytest.fixture(scope="module")
def syncs() -> Iterator[Syncs]:
    with Syncs() as syncs:
        yield syncs


class Scene:
    """An account, its warehouse, and a reader that never stops looking."""

    def __init__(self, folder: Path, account: Account, api: DemoApi, syncs: Syncs) -> None:
        self.folder = folder / "data"
        self.settings: Settings = settings_for(folder, api.base_url)
        self.published = self.folder / "puretalk.duckdb"
        self.account = account
        self.syncs = syncs
        self.at_rest: list[Any] = []  # what the last sync that went through saw
        self.reads = 0
        self._complaints: list[str] = []
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read_on)

    def __enter__(self) -> Scene:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._reader.join()
        assert self._complaints == []

    def _read_on(self) -> None:
        """Whenever there is a snapshot, it can be opened and is whole: it holds as much as it says."""
        was_there = False
        while not self._over.wait(0.4):
            if not was_there and not self.published.exists():
                continue
            was_there = True
            try:
                [(said, there)] = select(
                    self.published,
                    """SELECT (assistants, assistant_versions),
                              ((SELECT count(*) FROM puretalk.assistants),
                               (SELECT count(*) FROM puretalk.assistant_versions))
                       FROM main.snapshot_info""",
                )
                self.reads += 1
                if said != there:
                    self._complaints.append(f"half a snapshot: {said}, {there}")
            except (duckdb.Error, ValueError) as error:
                self._complaints.append(f"unreadable: {error}")

    def sync(self, **options: Any) -> Ended:
        """One sync, in a fresh process, and the full comparison."""
        ever_seen = self._ids()
        ended = self.syncs.run(self.settings, **options)
        assert (ended.status, ended.error) == (0, "")
        self.at_rest = self.account.records()
        gone = ever_seen - set(self.account.live_ids())
        assert oracle.compare(self.at_rest, self.published, deleted_ids=gone) == []
        assert oracle.compare_history(self.at_rest, self.published) == []
        left = {path.name for path in self.folder.iterdir()}
        assert left == {"puretalk.duckdb", "snapshots", "sync.lock"}, "something was left behind"
        for folder in (self.folder / "snapshots").iterdir():
            assert {path.name for path in folder.iterdir()} == {"puretalk.duckdb", "puretalk.duckdb.seal"}
        with hold_lock(self.folder, "test"):
            return ended

    def kill(self, **when: Any) -> Ended:
        """A sync that is killed; readers have the old state, or all of the new one."""
        ended = self.syncs.run(self.settings, **when)
        if ended.status == KILLED and self.published.exists():
            records = self.account.records()
            before, after = (oracle.compare(state, self.published) for state in (self.at_rest, records))
            assert [] in (before, after), (before, after)
            assert self.published.stat().st_mode & 0o222 == 0
        return ended

    def change(self) -> None:
        """A week passes in the account, so that a sync has something of every kind to load."""
        self.account.evolve()
        gone = self.account.deleted_ids()
        if len(gone) > 2:
            self.account.restore(gone[0])

    def _ids(self) -> set[str]:
        if not self.published.exists():
            return set()
        return {row[0] for row in select(self.published, "SELECT assistant_id FROM puretalk.assistants")}


@pytest.fixture
def scene(tmp_path: Path, syncs: Syncs) -> Iterator[Scene]:
    account = Account(assistants=14)
    with DemoApi(account, page_cap=5) as api, Scene(tmp_path, account, api, syncs) as scene:
        yield scene


@pytest.fixture(scope="module")
def synced_once(tmp_path_factory: pytest.TempPathFactory, syncs: Syncs) -> Path:
    """A data directory after the first sync of the account of a scene. Only for copying."""
    folder = tmp_path_factory.mktemp("synced-once")
    account = Account(assistants=14)
    with DemoApi(account, page_cap=5) as api, Scene(folder, account, api, syncs) as scene:
        scene.sync()
    return scene.folder


@pytest.fixture
def later_scene(synced_once: Path, tmp_path: Path, syncs: Syncs) -> Iterator[Scene]:
    """A scene after its first sync."""
    shutil.copytree(synced_once, tmp_path / "data", symlinks=True)
    account = Account(assistants=14)
    with DemoApi(account, page_cap=5) as api, Scene(tmp_path, account, api, syncs) as scene:
        scene.at_rest = account.records()
        yield scene


def check_kills_of_a_first_sync(scene: Scene, moment: str) -> None:
    assert scene.kill(kill_at=moment).status == KILLED, f"no sync ever comes to {moment!r}"
    was_published = scene.published.exists()
    assert (scene.sync().run["rows_loaded"] == 0) is was_published


def check_kills_of_later_syncs(scene: Scene, moments: tuple[str, ...], **options: Any) -> None:
    for moment in moments:
        scene.change()
        assert scene.kill(kill_at=moment, **options).status == KILLED, f"no sync ever comes to {moment!r}"
        scene.sync()
    assert scene.sync().run["rows_loaded"] == 0
    assert scene.reads > 0


def check_kills_at_random(scene: Scene, times: int, seed: int) -> None:
    rng = random.Random(seed)
    scene.change()
    seconds = scene.sync().seconds
    for number in range(times):
        scene.change()
        options = {"full_refresh": True} if number % 5 == 4 else {}
        delay = rng.uniform(0, seconds)
        while scene.kill(kill_after=delay, **options).status != KILLED:  # it ended before it was killed
            scene.sync()
            scene.change()
            delay *= 0.7
        scene.sync()


@pytest.mark.parametrize("moment", FIRST)
def test_a_killed_first_sync_needs_no_repair(scene: Scene, moment: str) -> None:
    check_kills_of_a_first_sync(scene, moment)


def test_a_killed_later_sync_needs_no_repair(later_scene: Scene) -> None:
    check_kills_of_later_syncs(later_scene, LATER)


def test_a_killed_full_refresh_needs_no_repair(later_scene: Scene) -> None:
    check_kills_of_later_syncs(later_scene, REFRESH, full_refresh=True)


def test_a_killed_quiet_sync_needs_no_repair(later_scene: Scene) -> None:
    for moment in OF_QUIET:
        assert later_scene.kill(kill_at=moment).status == KILLED, f"no quiet sync ever comes to {moment!r}"
        assert later_scene.sync().run["rows_loaded"] == 0


def test_a_sync_killed_at_any_moment_needs_no_repair(later_scene: Scene) -> None:
    check_kills_at_random(later_scene, RANDOM_SHORT, seed=1)


@pytest.mark.storm
@pytest.mark.parametrize("moment", [moment for moment in MOMENTS if moment not in NOT_OF_FIRST])
def test_a_first_sync_may_die_anywhere(scene: Scene, moment: str) -> None:
    """It has nothing to carry over."""
    check_kills_of_a_first_sync(scene, moment)


@pytest.mark.storm
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("part", "full_refresh"), [(0, False), (1, False), (2, False), (3, False), (0, True)])
def test_a_later_sync_may_die_anywhere(later_scene: Scene, part: int, full_refresh: bool) -> None:
    """Each part kills nine syncs or so of one warehouse: from its second to its tenth and beyond."""
    check_kills_of_later_syncs(later_scene, MOMENTS[part::4], full_refresh=full_refresh)


@pytest.mark.storm
@pytest.mark.timeout(1800)
def test_a_sync_killed_at_thirty_random_moments_needs_no_repair(later_scene: Scene) -> None:
    check_kills_at_random(later_scene, RANDOM_LONG, seed=2)


@pytest.mark.storm
def test_a_sync_may_die_in_its_models(tmp_path: Path) -> None:
    account = Account(assistants=14)
    with (
        DemoApi(account, page_cap=5) as api,
        Syncs(with_models=True) as syncs,
        Scene(tmp_path, account, api, syncs) as scene,
    ):
        scene.sync()
        check_kills_of_later_syncs(scene, OF_MODELS)
