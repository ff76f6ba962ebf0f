"""One claim about any order of changes, failures, wrong answers and kills: a sync that exits with 0 is exact.

Hypothesis plays the account's owner, the network, the operator and the machine's power supply.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support import oracle
from support.crash_child import MOMENTS, Syncs
from support.storm import KINDS, Storm, Witness, select, settings_for, skip_models

from puretalk.demo import Asked, DemoApi
from puretalk.errors import EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK, PuretalkError
from puretalk.sync.options import SyncOptions
from puretalk.sync.run import run_sync
from puretalk.warehouse.snapshots import SnapshotStore

pytestmark = pytest.mark.slow

_TRUTH = {"order": "created", "detail": "ok", "page_cap": 3, "count_lie": None, "next_lie": None, "repeat_page": False}
_LIES: tuple[dict[str, Any], ...] = (
    {"count_lie": 1},
    {"count_lie": -1},
    {"next_lie": "early"},
    {"next_lie": "endless"},
    {"next_lie": "missing"},
    {"repeat_page": True},
)
_FAULTS = ("401", "404", "500", "502", "html", "truncated", "not_json", "reset", "redirect_foreign", "wrong_shape")


class Life(RuleBasedStateMachine):
    """A small account, its API, its warehouse."""

    syncs: ClassVar[Syncs]

    @initialize(seed=st.integers(0, 3))
    def begin(self, seed: int) -> None:
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.account = Witness(seed, assistants=8)
        self.storm = Storm(self.account, seed)
        self.api = self.stack.enter_context(DemoApi(self.account, page_cap=3))
        self.settings = settings_for(folder, self.api.base_url, retry_budget=0.3, page_size=3)
        self.published = self.settings.data_dir / "puretalk.duckdb"

    # The account's owner

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    def change(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.storm.change(kind)

    @rule()
    def open_another_account(self) -> None:
        """The key is exchanged for that of another account: not one assistant is the same."""
        for assistant_id in self.account.live_ids():
            self.account.delete(assistant_id)
        for _ in range(4):
            self.account.create()

    # The API and the network

    @rule(
        kind=st.sampled_from(_FAULTS),
        times=st.sampled_from([1, 2, 30]),
        where=st.sampled_from(["anywhere", "page 2", "detail"]),
    )
    def break_down(self, kind: Any, times: int, where: str) -> None:
        chosen: dict[str, Callable[[Asked], bool]] = {
            "anywhere": lambda _asked: True,
            "page 2": lambda asked: asked.page == 2,
            "detail": lambda asked: asked.assistant_id is not None,
        }
        self.api.fail(kind, times, when=chosen[where])

    @rule(
        order=st.sampled_from(["created", "-updated", "name", "unordered"]),
        detail=st.sampled_from(["ok", "missing", "error", "forbidden"]),
        page_cap=st.integers(2, 5),
    )
    def serve_otherwise(self, order: Any, detail: Any, page_cap: int) -> None:
        self.api.order, self.api.detail, self.api.page_cap = order, detail, page_cap

    @rule(lie=st.sampled_from(_LIES))
    def lie(self, lie: dict[str, Any]) -> None:
        """One wrong answer at a time: two that fit together cannot be detected."""
        for name in ("count_lie", "next_lie", "repeat_page"):
            setattr(self.api, name, lie.get(name, _TRUTH[name]))

    # The scheduler, the operator, the power supply

    @rule(full_refresh=st.booleans(), accept_deletions=st.booleans())
    def sync(self, full_refresh: bool, accept_deletions: bool) -> None:
        """The account does not change, the API may fail: a sync changes nothing, is exact, or says that it is not."""
        if self._sync(SyncOptions(full_refresh, accept_deletions)) == EXIT_OK:
            self._check_exact()

    @rule(force=st.sampled_from([0.3, 1.5]))
    def sync_in_a_storm(self, force: float) -> None:
        self.storm.force = force
        self.api.after_page = self.storm.strike
        self._sync(SyncOptions())
        self.api.after_page = None

    @rule(moment=st.sampled_from(MOMENTS))
    def kill(self, moment: str) -> None:
        ended = self.syncs.run(self.settings, kill_at=moment)
        assert ended.status in (-9, 0, 3, 4, 5, EXIT_INCOMPLETE, EXIT_HELD), ended
        self._check_nobody_is_declared_dead()

    @precondition(lambda self: len(self._store().list_snapshots()) > 1)
    @rule()
    def roll_back(self) -> None:
        store = self._store()
        if not store.list_snapshots()[-1].is_current:
            store.roll_back(None)

    @rule()
    def rest(self) -> None:
        """The invariant: when nothing changes or fails any more, one sync is enough, and a second one loads nothing."""
        self.api.heal()
        for name, value in _TRUTH.items():
            setattr(self.api, name, value)
        expected = self._expect()
        outcome = run_sync(self.settings)
        assert outcome.exit_code == expected, outcome.run
        if expected != EXIT_OK:
            outcome = run_sync(self.settings, SyncOptions(accept_deletions=True))
            assert outcome.exit_code == EXIT_OK
        self._check_exact()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            with self.stack:
                self.rest()
                assert run_sync(self.settings).run.rows_loaded == 0

    def _sync(self, options: SyncOptions) -> int:
        """A sync; gives its exit code. A failed one changes nothing; none marks a live assistant as deleted."""
        before = self._state()
        try:
            code = run_sync(self.settings, options).exit_code
        except PuretalkError as error:
            code = error.exit_code
        assert code in (EXIT_OK, 3, 4, 5, EXIT_INCOMPLETE, EXIT_HELD)
        assert (self._state() == before) is (code in (3, 4, 5))
        self._check_nobody_is_declared_dead()
        return code

    def _expect(self) -> int:
        """The exit code of a sync at rest: 0 unless so much is gone that a person has to look."""
        live = {row[0] for row in self._rows("SELECT assistant_id FROM puretalk.assistants WHERE deleted_at IS NULL")}
        served = set(self.account.live_ids())
        missing = live - served
        is_everything = bool(live) and missing == live  # another account, or a mass deletion
        return EXIT_HELD if is_everything or (len(missing) >= 10 and len(missing) > len(live) / 2) else EXIT_OK

    def _check_exact(self) -> None:
        records = self.account.records()
        assert oracle.compare(records, self.published) == []
        assert oracle.compare_history(records, self.published) == []

    def _check_nobody_is_declared_dead(self) -> None:
        """Every assistant that is deleted in the snapshot was missing from the account once."""
        rows = self._rows("SELECT assistant_id FROM puretalk.assistants WHERE deleted_at IS NOT NULL")
        assert {row[0] for row in rows} <= self.account.absences.keys()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return select(self.published, sql) if self.published.exists() else []

    def _state(self) -> Path | None:
        return self._store().current()

    def _store(self) -> SnapshotStore:
        return SnapshotStore(self.settings.data_dir)


def live(examples: int, steps: int, phases: tuple[Phase, ...]) -> None:
    with Syncs() as syncs:
        Life.syncs = syncs
        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=True,
                database=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture(autouse=True)
def _without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_models(monkeypatch)


def test_a_sync_that_says_zero_is_exact_whatever_came_before() -> None:
    live(examples=2, steps=6, phases=(Phase.generate,))


def test_another_account_loads_nothing_until_a_person_accepts_it() -> None:
    life = Life()
    life.begin(seed=2)
    assert life._sync(SyncOptions()) == EXIT_OK
    before = life._rows("SELECT assistant_id, deleted_at FROM puretalk.assistants ORDER BY 1")
    life.open_another_account()
    life.lie({"count_lie": 1})  # a walk that is not complete shows another account as well
    for _ in range(2):
        assert life._sync(SyncOptions()) == EXIT_HELD
        assert life._rows("SELECT assistant_id, deleted_at FROM puretalk.assistants ORDER BY 1") == before
    life.teardown()  # rests: held once more, then accepted, then exact


@pytest.mark.storm
@pytest.mark.timeout(3600)
def test_a_sync_that_says_zero_is_exact_in_long_lives_too() -> None:
    live(examples=12, steps=14, phases=(Phase.generate, Phase.shrink))
