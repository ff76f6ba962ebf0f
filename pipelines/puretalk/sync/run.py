"""A sync, a build, a rollback: the order of their steps. Each step lives in its own module.

lock → work file (a copy of what is published) → walk and decide → load → models → checks → seal → publish
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from puretalk.catalogue import SYNC_RUNS, TABLES
from puretalk.database import quote_literal, quote_name
from puretalk.endpoints.assistants.flatten import SHOWS_FORGOTTEN
from puretalk.errors import CheckFailedError, ConfigurationError, PuretalkError, WarehouseError
from puretalk.listener import SILENT, Listener, Step, StepTimer
from puretalk.privacy.installation import read_policy
from puretalk.privacy.policy import Policy
from puretalk.schema import CATALOG, STORAGE_SCHEMA
from puretalk.settings import KEY_PLACES, Settings
from puretalk.sync.account import AccountReader
from puretalk.sync.deadline import Deadline
from puretalk.sync.destination import WorkFileDestination
from puretalk.sync.digests import write_digests
from puretalk.sync.dlt_environment import isolated_dlt
from puretalk.sync.drift import name_some
from puretalk.sync.options import SyncOptions
from puretalk.sync.page_digests import write_account
from puretalk.sync.sync_run import SyncRun, parse_drift
from puretalk.sync.verdict import Verdict
from puretalk.warehouse.disk_errors import disk_errors
from puretalk.warehouse.lock import hold_lock
from puretalk.warehouse.places import make_data_dir
from puretalk.warehouse.retention import Snapshot
from puretalk.warehouse.stored_tables import read_stored_policy, write_stored_policy
from puretalk.warehouse.work_file import Warehouse, WorkFile, describe, open_warehouse

if TYPE_CHECKING:
    from puretalk.models.audit import Audit
    from puretalk.models.build import BuildReport
    from puretalk.models.changes import Changes
    from puretalk.models.plan import Plan


@dataclass(frozen=True)
class SyncOutcome:
    """A sync that published. `row_counts` by table of the normalized layer; `warnings` are what a person should read
    although the sync went through; `seconds` of wall time."""

    run: SyncRun
    verdict: Verdict
    snapshot: Path
    row_counts: dict[str, int]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def snapshot_id(self) -> str:
        """The ID of `puretalk rollback`."""
        return self.snapshot.parent.name

    @property
    def exit_code(self) -> int:
        """0 only when what was published is exact and complete."""
        return self.verdict.exit_code


def run_sync(settings: Settings, options: SyncOptions = SyncOptions(), *, listener: Listener = SILENT) -> SyncOutcome:
    """Sync the account into the warehouse and publish. Raises a PuretalkError of the kind that says who must act; the
    published snapshot is then what it was before."""
    from puretalk.models.audit import read_audit

    started = time.monotonic()
    timer = StepTimer(listener)
    if not settings.api.api_key:
        raise ConfigurationError(
            "there is no API key",
            action=f"Set {KEY_PLACES}. To try without one: `puretalk sync --demo`.",
        )
    models_dir = settings.locate(settings.models_dir)
    if models_dir is not None and not models_dir.is_dir():  # better said now than after the whole account was read
        raise ConfigurationError(f"models_dir is {models_dir}, which is not a folder")
    audit = read_audit(settings)
    with disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
        with hold_lock(settings.data_dir, "sync", wait=options.wait):
            warehouse = open_warehouse(settings)
            deadline = Deadline(settings.operations.run_deadline)
            with (
                _remarks_with_errors(warehouse),
                warehouse.open_work_file(listener=timer, keep=options.keep_work) as work,
            ):
                with deadline.limit(work.connection):
                    policy, is_other = _apply_policy(work, settings, options)
                    timer.on_step(Step.WALK)
                    loaded = _load(work, settings, options, timer, deadline, policy, is_other)
                    changes_since_copy = None if work.is_carried_over else loaded.changes
                    build_work_file(work, settings, audit, warehouse, loaded.run.run_id, timer, changes_since_copy)
                    if is_other:
                        write_stored_policy(work.connection, policy.stored if policy is not None else None)
                    row_counts, drift_before = _look_back(work)
                    timer.end_step()
                    run = _add_durations(work, loaded.run, timer.durations)
                snapshot = warehouse.publish(work, listener=timer)
            warehouse.delete_old_snapshots(settings.retention)
    warnings = (*_warn(run, drift_before), *loaded.clock_faults, *warehouse.snapshots.remarks)
    return SyncOutcome(run, loaded.verdict, snapshot, row_counts, warnings, time.monotonic() - started)


def run_build(settings: Settings, *, listener: Listener = SILENT) -> BuildReport:
    """Build the models over what is published, without a sync, and publish the result."""
    from puretalk.models.audit import read_audit

    audit = read_audit(settings)
    with _lock_for_build(settings) as warehouse:
        deadline = Deadline(settings.operations.run_deadline)
        with _remarks_with_errors(warehouse), warehouse.open_work_file(listener=listener) as work:
            with deadline.limit(work.connection):
                report = build_work_file(work, settings, audit, warehouse, "build", listener)
            warehouse.publish(work, listener=listener)
        warehouse.delete_old_snapshots(settings.retention)
    remarks = warehouse.snapshots.remarks
    return replace(report, warnings=(*report.warnings, *remarks)) if remarks else report


def plan_build(settings: Settings, *, listener: Listener = SILENT) -> Plan:
    """What `run_build` would do now, found in a copy of what is published. Publishes nothing."""
    from puretalk.models.audit import read_audit
    from puretalk.models.plan import plan
    from puretalk.models.project import read_project

    audit = read_audit(settings)
    with (
        _lock_for_build(settings) as warehouse,
        warehouse.open_work_file(listener=listener) as work,
    ):
        listener.on_step(Step.MODELS)
        describe(work.connection)
        user_dir = settings.locate(settings.models_dir)
        return plan(work.connection, read_project(work.connection, user_dir=user_dir, audit=audit))


@contextmanager
def _lock_for_build(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse, locked. Raises WarehouseError where nothing has been published."""
    with disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
        with hold_lock(settings.data_dir, "build"):
            warehouse = open_warehouse(settings)
            if warehouse.snapshots.current() is None:
                raise WarehouseError(
                    f"nothing has been published in {settings.data_dir} yet", action="Run a sync first."
                )
            yield warehouse


@contextmanager
def _remarks_with_errors(warehouse: Warehouse) -> Iterator[None]:
    """What a person should read about the snapshots is said by a run that fails too: the next one finds it done."""
    try:
        yield
    except PuretalkError as error:
        error.message = "; ".join((error.message, *warehouse.snapshots.remarks))
        raise


def run_rollback(
    settings: Settings, snapshot_id: str | None, *, tell: Callable[[str], None] = lambda _remark: None
) -> Snapshot:
    """Give readers an earlier snapshot (default: the one before the current), from which the next sync continues.
    `tell` gets what a person should read about the snapshots."""
    with disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
        with hold_lock(settings.data_dir, "rollback"):
            warehouse = open_warehouse(settings)
            with _remarks_with_errors(warehouse):
                chosen = warehouse.snapshots.roll_back(snapshot_id)
    for remark in warehouse.snapshots.remarks:
        tell(remark)
    return chosen


def build_work_file(
    work: WorkFile,
    settings: Settings,
    audit: Audit,
    warehouse: Warehouse,
    run_name: str,
    listener: Listener,
    changes: Changes | None = None,
) -> BuildReport:
    """Build the models in the work file and run the checks. A work file that breaks one is kept and named.

    `changes`: all that was written to the work file since it was copied, where that is known.
    """
    from puretalk.models.build import build_models

    listener.on_step(Step.MODELS)
    try:
        describe(work.connection)
        return build_models(
            work.connection,
            user_dir=settings.locate(settings.models_dir),
            audit=audit,
            changes=changes,
            listener=listener,
        )
    except CheckFailedError as error:
        kept = warehouse.keep_failed(work, run_name)
        raise CheckFailedError(f"{error.message}; the work file is kept: {kept}", action=error.action) from error


@dataclass(frozen=True)
class _Loaded:
    """What reading the account into the work file gave. `changes`: what was written."""

    run: SyncRun
    verdict: Verdict
    changes: Changes
    clock_faults: tuple[str, ...]


def _apply_policy(work: WorkFile, settings: Settings, options: SyncOptions) -> tuple[Policy | None, bool]:
    """The policy of this sync, and whether the work file was written under another one; if so, its rows are treated.

    Raises ConfigurationError where the secret is another: hashes of the two say nothing about each other."""
    before = read_stored_policy(work.connection)
    policy = read_policy(settings.privacy, settings.data_dir, before)
    if policy is None or policy.stored == (before.text if before is not None else None):
        return policy, False
    if before is not None and before.mark != policy.mark and not options.full_refresh:
        raise ConfigurationError(
            "the secret is another than that of the hashes in the warehouse",
            action="Put the secret back (docs/privacy.md). If it is lost: puretalk sync --full-refresh, which makes "
            "new hashes, and takes every assistant for changed.",
        )
    from puretalk.warehouse.policy_change import change_policy

    change_policy(work.connection, before, policy)
    work.is_carried_over = True
    work.must_compact = not work.is_new
    return policy, True


def _load(
    work: WorkFile,
    settings: Settings,
    options: SyncOptions,
    listener: Listener,
    deadline: Deadline,
    policy: Policy | None,
    is_other_policy: bool,
) -> _Loaded:
    """Read the account into the work file."""
    reader = AccountReader(
        settings.api,
        settings.decision,
        options,
        listener=listener,
        spool_dir=work.folder,
        deadline=deadline,
        policy=policy,
        rewrite=is_other_policy,
    )
    try:
        destination = WorkFileDestination(work.connection, policy)
        with reader.read(destination) as account:
            listener.on_step(Step.LOAD)
            if account.is_quiet:  # dlt takes a second to import, and has nothing to load
                run = account.conclude()
                destination.add_run(run)
            else:
                with isolated_dlt(work.folder):
                    from puretalk.sync.source import load_account

                    run = load_account(account, destination, work.folder / "dlt")
            comparison = account.decision.comparison
            if is_other_policy:
                from puretalk.warehouse.policy_change import restate_newest

                restate_newest(work.connection, comparison.read_again())
            write_digests(work.connection, comparison.standing, policy)
            write_account(work.connection, account.decision, policy)
            return _Loaded(run, account.decision.verdict, account.changes, account.clock_faults)
    except Exception as error:
        cause = _find_cause(error)
        if cause is error:
            raise
        raise cause from error


def _find_cause(error: BaseException) -> BaseException:
    """What really happened behind dlt's own exceptions: ours, or the operating system's, else the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PuretalkError | OSError | duckdb.IOException | duckdb.OutOfMemoryException):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def _look_back(work: WorkFile) -> tuple[dict[str, int], dict[str, int]]:
    """Row counts of every table, and the drift that the run before this one met."""
    counted = " UNION ALL ".join(
        f"SELECT {quote_literal(name)}, count(*) FROM {quote_name(STORAGE_SCHEMA, name)}" for name in TABLES
    )
    counts = dict(work.connection.execute(counted).fetchall())
    drifts = work.connection.execute(
        f"SELECT drift FROM {quote_name(STORAGE_SCHEMA, SYNC_RUNS.name)} ORDER BY run_id DESC LIMIT 2"
    ).fetchall()
    return counts, parse_drift(drifts[1][0]) if len(drifts) > 1 else {}


def _add_durations(work: WorkFile, run: SyncRun, durations: Mapping[Step, float]) -> SyncRun:
    """Complete the run's own row, which was loaded before these were known. `durations`: of all steps before the seal;
    START is the wait for the lock."""
    known = {step: round(seconds, 3) for step, seconds in durations.items()}
    run = replace(
        run,
        load_seconds=known.get(Step.LOAD),
        models_seconds=known.get(Step.MODELS),
        checks_seconds=known.get(Step.CHECKS),
        total_seconds=round(sum(durations.values()) - durations[Step.START], 3),
    )
    work.connection.execute(
        f"""UPDATE {quote_name(STORAGE_SCHEMA, SYNC_RUNS.name)}
            SET load_seconds = ?, models_seconds = ?, checks_seconds = ?, total_seconds = ? WHERE run_id = ?""",
        [run.load_seconds, run.models_seconds, run.checks_seconds, run.total_seconds, run.run_id],
    )
    return run


def _warn(run: SyncRun, drift_before: dict[str, int]) -> tuple[str, ...]:
    """What is new and worth a person's look. A difference that the run before met too is not said again."""
    warnings = list(run.notes)
    fresh = sorted(name for name in run.drift if name not in drift_before)
    if SHOWS_FORGOTTEN in fresh:
        fresh.remove(SHOWS_FORGOTTEN)
        warnings.append(
            "the account still shows a person whom `puretalk forget` removed "
            f"({run.drift[SHOWS_FORGOTTEN]} assistants); nothing of the person is stored"
        )
    if fresh:
        warnings.append(
            "the API differs from its documentation: "
            + name_some(f"{name} ({run.drift[name]})" for name in fresh)
            + "; nothing is lost, see `extra`"
        )
    if run.rejected_new:
        warnings.append(f"{run.rejected_new} records could not be used; see {CATALOG}.rejected_records")
    return tuple(warnings)
