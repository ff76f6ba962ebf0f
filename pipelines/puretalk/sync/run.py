"""One sync, from the lock to the published snapshot. Orchestrates; each step lives in its own module.

lock → work file (a copy of what is published) → dlt: walk, flatten, load → models and checks → seal → publish
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import duckdb

from puretalk.api.client import ClientSettings
from puretalk.assistants.flatten import Row
from puretalk.assistants.tables import SCHEMA, TABLES
from puretalk.database import OFFLINE
from puretalk.errors import (
    EXIT_HELD,
    EXIT_INCOMPLETE,
    EXIT_OK,
    CheckFailedError,
    ConfigurationError,
    PuretalkError,
    WarehouseError,
)
from puretalk.settings import Settings
from puretalk.sync.reading import ReadingRules
from puretalk.warehouse.lock import hold_lock
from puretalk.warehouse.snapshots import Retention, Snapshot
from puretalk.warehouse.work_file import Warehouse, WorkFile, describe

if TYPE_CHECKING:
    from puretalk.reporting.build import BuildReport
    from puretalk.reporting.plan import Plan

#: A sync's dlt has no settings but ours, calls nobody, and writes nothing outside of the work folder: whatever .dlt/
#: lies in the folder or the HOME that a scheduler starts in is not meant for it. Set before dlt is imported.
OWN_DLT_SETTINGS = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}

_DISK_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # full
    *(errno.EROFS, errno.EACCES, errno.EPERM),  # forbidden
    *(errno.EIO, errno.EXDEV, errno.ENOTDIR, errno.EEXIST),  # broken, or something else is there
}


class Listener(Protocol):
    """Who wants to know how a sync goes on. Called from several threads."""

    def on_step(self, step: str) -> None:
        """A step begins."""

    def on_page(self, pages: int, expected: int) -> None:
        """A page came."""

    def on_retry(self, reason: str, seconds: float) -> None:
        """A request is repeated after so many seconds."""


class Silent:
    """A listener that does not care."""

    def on_step(self, step: str) -> None:
        pass

    def on_page(self, pages: int, expected: int) -> None:
        pass

    def on_retry(self, reason: str, seconds: float) -> None:
        pass


@dataclass(frozen=True)
class SyncOptions:
    """What one run may do differently. `wait`: seconds to wait for another run's lock."""

    full_refresh: bool = False
    accept_deletions: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class SyncOutcome:
    """A sync that published. `run` is its row of sync_runs; `row_counts` by table of the normalized layer; `warnings`
    are what a person should read although the sync went through, `actions` what to do about it; `seconds` of wall
    time."""

    run: Row
    snapshot: Path
    row_counts: dict[str, int]
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    actions: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 only when what was published is exact and complete."""
        if self.run["is_exact"]:
            return EXIT_OK
        return EXIT_HELD if self.run["is_complete"] and self.run["held"] else EXIT_INCOMPLETE


def run_sync(
    settings: Settings, options: SyncOptions = SyncOptions(), *, listener: Listener | None = None
) -> SyncOutcome:
    """Sync the account into the warehouse and publish. Raises a PuretalkError of the kind that says who must act; the
    published snapshot is then what it was before."""
    started = time.monotonic()
    listener = listener or Silent()
    if not settings.api_key:
        raise ConfigurationError(
            "there is no API key",
            action="Set PURETALK_API_KEY, or api_key in .dlt/secrets.toml (see .dlt/secrets.example.toml). "
            "To try without one: `puretalk sync --demo`.",
        )
    models_dir = settings.path("models_dir")
    if models_dir is not None and not models_dir.is_dir():  # better said now than after the whole account was read
        raise ConfigurationError(f"models_dir is {models_dir}, which is no folder")
    with _disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir)
        with hold_lock(settings.data_dir, "sync", wait=options.wait):
            warehouse = open_warehouse(settings)
            with warehouse.open_work_file(on_step=listener.on_step) as work:
                listener.on_step("load")
                run, actions = _load(work, settings, options, listener)
                build_work_file(work, settings, warehouse, run["run_id"], listener)
                row_counts, drift_before = _look_back(work)
                snapshot = warehouse.publish(work, on_step=listener.on_step)
            warehouse.thin(retention_of(settings))
    return SyncOutcome(run, snapshot, row_counts, _warn(run, drift_before), time.monotonic() - started, actions)


def run_build(settings: Settings, *, listener: Listener | None = None) -> BuildReport:
    """Build the models over what is published, without a sync, and publish the result."""
    listener = listener or Silent()
    with _lock_for_build(settings) as warehouse:
        with warehouse.open_work_file(on_step=listener.on_step) as work:
            report = build_work_file(work, settings, warehouse, "build", listener)
            warehouse.publish(work, on_step=listener.on_step)
        warehouse.thin(retention_of(settings))
    return report


def plan_build(settings: Settings, *, listener: Listener | None = None) -> Plan:
    """What `run_build` would do now, found in a copy of what is published. Publishes nothing."""
    from puretalk.reporting.plan import plan
    from puretalk.reporting.project import read_project

    listener = listener or Silent()
    with (
        _lock_for_build(settings) as warehouse,
        warehouse.open_work_file(on_step=listener.on_step) as work,
        closing(duckdb.connect(str(work.path), config=OFFLINE)) as connection,
    ):
        listener.on_step("models")
        describe(connection)
        return plan(connection, read_project(connection, user_dir=settings.path("models_dir")))


@contextmanager
def _lock_for_build(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse, locked. Raises WarehouseError where nothing has been published."""
    with _disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir)
        with hold_lock(settings.data_dir, "build"):
            warehouse = open_warehouse(settings)
            if warehouse.snapshots.current() is None:
                raise WarehouseError(
                    f"nothing has been published in {settings.data_dir} yet", action="Run a sync first."
                )
            yield warehouse


def run_rollback(settings: Settings, snapshot_id: str | None) -> Snapshot:
    """Give readers an earlier snapshot (default: the one before the current), from which the next sync continues."""
    with _disk_errors(settings.data_dir), hold_lock(settings.data_dir, "rollback"):
        return open_warehouse(settings).snapshots.roll_back(snapshot_id)


def make_data_dir(data_dir: Path) -> None:
    """The folder of the warehouse, made where it is missing."""
    data_dir.mkdir(parents=True, exist_ok=True)


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of these settings."""
    return Warehouse(settings.data_dir, storage_version=settings.storage_version, file_mode=settings.file_mode_bits)


def retention_of(settings: Settings) -> Retention:
    """Which snapshots these settings keep."""
    return Retention(settings.keep_last, settings.keep_hourly, settings.keep_daily, settings.disk_budget)


def build_work_file(
    work: WorkFile, settings: Settings, warehouse: Warehouse, run_name: str, listener: Listener
) -> BuildReport:
    """Build the models in the work file and run the checks. A work file that breaks one is kept and named."""
    from puretalk.reporting.build import build_models

    listener.on_step("models")
    try:
        with closing(duckdb.connect(str(work.path), config=OFFLINE)) as connection:
            describe(connection)
            return build_models(connection, user_dir=settings.path("models_dir"))
    except CheckFailedError as error:
        kept = warehouse.keep_failed(work, run_name)
        raise CheckFailedError(f"{error.message}; the work file is kept: {kept}", action=error.action) from error


def _load(work: WorkFile, settings: Settings, options: SyncOptions, listener: Listener) -> tuple[Row, list[str]]:
    """Read the account into the work file; gives the run's row of sync_runs, and what a person should do."""
    before = dict(os.environ)
    os.environ.update(OWN_DLT_SETTINGS, DLT_PROJECT_DIR=str(work.folder), DLT_DATA_DIR=str(work.folder))
    try:
        from puretalk.sync.source import Hooks, run_pipeline

        hooks = Hooks(on_page=listener.on_page, on_retry=listener.on_retry, spool_dir=work.folder)
        return run_pipeline(
            work.path, work.folder / "dlt", client_settings(settings), _reading_rules(settings, options), hooks
        )
    except Exception as error:
        raise _find_cause(error) from error
    finally:
        for name in ("DLT_PROJECT_DIR", "DLT_DATA_DIR", *OWN_DLT_SETTINGS):  # the caller's next settings are his own
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


def client_settings(settings: Settings) -> ClientSettings:
    """The part of the settings that the client needs."""
    return ClientSettings(
        api_key=settings.api_key,
        base_url=settings.base_url,
        page_size=settings.page_size,
        window=settings.window,
        timeout=settings.timeout,
        retry_budget=settings.retry_budget,
    )


def _reading_rules(settings: Settings, options: SyncOptions) -> ReadingRules:
    return ReadingRules(
        max_walks=settings.max_walks,
        deletion_cap_share=settings.deletion_cap_share,
        deletion_cap_minimum=settings.deletion_cap_minimum,
        accept_deletions=options.accept_deletions,
        full_refresh=options.full_refresh,
    )


def _find_cause(error: BaseException) -> BaseException:
    """What really happened behind dlt's own exceptions: ours, or the operating system's, else the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PuretalkError | OSError | duckdb.IOException):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


@contextmanager
def _disk_errors(data_dir: Path) -> Iterator[None]:
    """A disk that is full, read-only or forbidden is an error of the place, whoever stumbled over it."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise WarehouseError(f"{data_dir} cannot be written: {error.strerror}") from error
        raise
    except duckdb.Error as error:
        text = str(error)
        if isinstance(error, duckdb.IOException) or "No space left" in text or "out of disk" in text.lower():
            raise WarehouseError(f"{data_dir} cannot be used: {text.splitlines()[0]}") from error
        raise


def _look_back(work: WorkFile) -> tuple[dict[str, int], dict[str, int]]:
    """Row counts of every table, and the drift that the run before this one met."""
    with closing(duckdb.connect(str(work.path), config=OFFLINE)) as connection:
        counts = {name: connection.execute(f"SELECT count(*) FROM {SCHEMA}.{name}").fetchall()[0][0] for name in TABLES}
        drifts = connection.execute(f"SELECT drift FROM {SCHEMA}.sync_runs ORDER BY run_id DESC LIMIT 2").fetchall()
    before = drifts[1][0] if len(drifts) > 1 else None
    return counts, json.loads(before) if before else {}


def _warn(run: Row, drift_before: dict[str, int]) -> list[str]:
    """What is new and worth a person's look. A difference that was there the last time is not said again."""
    warnings = list(json.loads(run["notes"])) if run["notes"] else []
    drift = json.loads(run["drift"]) if run["drift"] else {}
    fresh = sorted(name for name in drift if name not in drift_before)
    if fresh:
        warnings.append(
            "the API differs from its documentation: "
            + ", ".join(f"{name} ({drift[name]})" for name in fresh)
            + "; nothing is lost, see `extra`"
        )
    if run["rejected_new"]:
        warnings.append(f"{run['rejected_new']} records could not be used; see {SCHEMA}.rejected_records")
    return warnings
