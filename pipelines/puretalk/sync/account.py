"""Read the account once: decide, then give what follows as batches of rows. Knows nothing of dlt."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from puretalk.api.client import ApiClient
from puretalk.catalogue import SYNC_RUNS
from puretalk.listener import SILENT, Listener
from puretalk.models.changes import Changes
from puretalk.privacy.policy import Policy
from puretalk.settings import ApiSettings, DecisionSettings, check_bounds
from puretalk.sync.batches import Batch, Loader, StoredAssistants
from puretalk.sync.clock import find_clock_faults
from puretalk.sync.deadline import Deadline
from puretalk.sync.decision import Decision, decide
from puretalk.sync.destination import Destination
from puretalk.sync.known import KnownLater
from puretalk.sync.options import SyncOptions
from puretalk.sync.spool import Spool
from puretalk.sync.sync_run import SyncRun, describe_run


class AccountRead:
    """An account that was read against a destination; its spool is open. `run` is set when all batches were taken."""

    def __init__(
        self,
        decision: Decision,
        bare: frozenset[str],
        *,
        started_at: datetime,
        walk_seconds: float,
        retries: int,
        clock_faults: tuple[str, ...],
        now: Callable[[], datetime],
    ) -> None:
        self.decision = decision
        self.clock_faults = clock_faults
        self.run: SyncRun | None = None
        self._bare = bare
        self._tables: set[str] = set()
        self._assistants: set[str] = set()
        self._started_at = started_at
        self._walk_seconds = walk_seconds
        self._retries = retries
        self._now = now

    @property
    def is_quiet(self) -> bool:
        """Whether the run's own row is all that there is to write: no row, and no table or column that is missing."""
        comparison = self.decision.comparison
        return self.decision.same_as is not None or not (
            self._bare
            or self.decision.deleted
            or next(comparison.ids_to_load(), None)
            or comparison.changed_shared()
            or comparison.rejected.keys() - comparison.known.rejected
        )

    @property
    def changes(self) -> Changes:
        """What the batches that were taken, and the run's own row, write."""
        return Changes(frozenset(self._tables), frozenset(self._assistants))

    def conclude(self, versions: int = 0, rows_loaded: int = 0) -> SyncRun:
        """The record of the run, which wrote so many versions and rows."""
        self._tables.add(SYNC_RUNS.name)
        self.run = describe_run(
            self.decision,
            started_at=self._started_at,
            finished_at=self._now(),
            walk_seconds=self._walk_seconds,
            versions=versions,
            rows_loaded=rows_loaded,
            retries=self._retries,
        )
        return self.run

    def batches(self, stored: StoredAssistants) -> Iterator[Batch]:
        """All rows to write, in batches; the last one holds the run's own row. All have the same cursor."""
        loader = Loader(self.decision, stored)
        standing = self.decision.comparison.standing.values()
        cursor = max((each.updated_at for each in standing if each.updated_at), default=None)
        last = Batch(bare=self._bare, cursor=cursor)
        for batch in loader.batches():
            batch.cursor = cursor
            self._tables |= batch.rows.keys()
            self._assistants |= batch.assistants
            yield batch
        loader.add_shared(last)
        loader.add_rejected(last)
        last.add(SYNC_RUNS, self.conclude(loader.versions, loader.loaded).to_row())
        self._tables |= last.rows.keys()
        yield last


class AccountReader:
    """What reading an account needs. `spool_dir`: None for the system's temporary folder. `deadline`: when reading ends
    with a TimeoutError. `rewrite`: the destination was written under another policy than `policy`."""

    def __init__(
        self,
        api: ApiSettings,
        bounds: DecisionSettings,
        options: SyncOptions = SyncOptions(),
        *,
        listener: Listener = SILENT,
        spool_dir: Path | None = None,
        deadline: Deadline = Deadline(0),
        policy: Policy | None = None,
        rewrite: bool = False,
    ) -> None:
        self._api = api
        self._bounds = bounds
        self._options = options
        self._listener = listener
        self._spool_dir = spool_dir
        self._deadline = deadline
        self._policy = policy
        self._rewrite = rewrite

    @contextmanager
    def read(self, destination: Destination) -> Iterator[AccountRead]:
        """Read the account against what the destination holds, and decide. Errors: those of `puretalk.errors`."""
        check_bounds(self._bounds)
        began = time.monotonic()
        newest = destination.latest_moment()
        now = _monotonic_clock(newest)
        started_at = now()
        known, known_account = KnownLater(destination.read_known), destination.read_account()
        with tempfile.TemporaryFile(dir=self._spool_dir) as file, start_blocking_portal() as portal:
            spool = Spool(file)

            async def read() -> tuple[Decision, ApiClient]:
                async with (
                    asyncio.timeout(self._deadline.remaining),
                    ApiClient(
                        self._api, listener=self._listener, now=now, quotes_bodies=self._policy is None
                    ) as client,
                ):
                    decision = await decide(
                        client,
                        known,
                        spool,
                        self._bounds,
                        self._options,
                        known_account=known_account,
                        now=now,
                        listener=self._listener,
                        policy=self._policy,
                        rewrite=self._rewrite,
                    )
                    return decision, client

            decision, client = portal.call(read)
            yield AccountRead(
                decision,
                destination.bare_tables(),
                started_at=started_at,
                walk_seconds=time.monotonic() - began,
                retries=client.retries,
                clock_faults=find_clock_faults(datetime.now(UTC), offset=client.clock_offset, newest=newest),
                now=now,
            )


def _monotonic_clock(not_before: datetime | None) -> Callable[[], datetime]:
    """The time, always later than every time in the warehouse: a clock set back must not reorder history."""
    latest = not_before or datetime.min.replace(tzinfo=UTC)

    def now() -> datetime:
        nonlocal latest
        latest = max(datetime.now(UTC), latest + timedelta(microseconds=1))
        return latest

    return now
