"""Forget a person: the order of the steps.

lock → who is meant → remember who must not come back → dashboard, kept work folders, logs → failed work files → kept
snapshots → the current snapshot

A file is written anew next to its place and then takes it, so a kill leaves each file as it was or without the person.
The current snapshot comes last: until then it says who the person is, and the next call completes what is missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from puretalk.erasure.database import Erasure
from puretalk.erasure.files import clean_logs, remove_dashboard, remove_kept
from puretalk.erasure.person import find_wanted
from puretalk.errors import WarehouseError
from puretalk.listener import SILENT, Listener, Step
from puretalk.models.audit import Audit, read_audit
from puretalk.privacy.installation import read_secret
from puretalk.privacy.persons import Forgotten, add_forgotten
from puretalk.privacy.policy import Policy, read_treatments
from puretalk.schema import STORAGE_SCHEMA
from puretalk.settings import Settings
from puretalk.sync.run import build_work_file
from puretalk.warehouse.adoption import ASIDE_NAME
from puretalk.warehouse.copies import copy_file
from puretalk.warehouse.disk_errors import disk_errors
from puretalk.warehouse.lock import hold_lock
from puretalk.warehouse.places import make_data_dir
from puretalk.warehouse.retention import Snapshot
from puretalk.warehouse.snapshots import PUBLISHED_NAME
from puretalk.warehouse.work_file import Warehouse, WorkFile, open_warehouse


@dataclass(frozen=True)
class Forgetting:
    """What was done, in sentences: `touched` files, and what it cannot reach. `had_dashboard`: the dashboard of the
    data directory was removed, to be written anew."""

    touched: tuple[str, ...]
    unreachable: tuple[str, ...]
    had_dashboard: bool


def run_forget(settings: Settings, said: str, *, listener: Listener = SILENT) -> Forgetting:
    """Remove the person whom `said` names (an e-mail address, a user_id, a name) from the data directory. Raises
    UsageError where it names nobody, WarehouseError where nothing has been published."""
    audit = read_audit(settings)
    with disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
        with hold_lock(settings.data_dir, "forget"):
            warehouse = open_warehouse(settings)
            if warehouse.snapshots.current() is None:
                raise WarehouseError(
                    f"nothing has been published in {settings.data_dir} yet", action="There is nobody to forget."
                )
            with warehouse.open_work_file(listener=listener) as work:
                return _forget(settings, warehouse, work, said, listener, audit)


def _forget(
    settings: Settings, warehouse: Warehouse, work: WorkFile, said: str, listener: Listener, audit: Audit
) -> Forgetting:
    data_dir = settings.data_dir
    snapshots = warehouse.snapshots.list_snapshots()
    failed = sorted([*(data_dir / "failed").glob("*.duckdb"), *(data_dir / ASIDE_NAME).rglob("*.duckdb")])
    secret = read_secret(data_dir, settings.privacy.privacy_secret)
    policy = Policy(read_treatments(settings.privacy.treatments), secret)
    wanted = find_wanted(said, [*(each.path for each in snapshots), *failed], policy)
    kept = add_forgotten(data_dir, Forgotten(wanted.hashes, wanted.person.hash_texts(policy)))
    erasure = Erasure(wanted.person, replace(policy, forgotten=kept.users, forgotten_texts=kept.texts))

    listener.on_step(Step.FORGET)
    had_dashboard = remove_dashboard(data_dir)
    touched = ["dashboard.html: removed"] if had_dashboard else []
    touched += [f"kept/{folder.name}: removed" for folder in remove_kept(data_dir)]
    touched += [
        f"logs/{path.name}: written again" for path in clean_logs(data_dir / "logs", wanted.person, erasure.policy)
    ]
    for path in failed:
        listener.on_step(Step.FORGET)
        changed = _clean_failed(path, work, warehouse, erasure)
        touched += [f"{path.relative_to(data_dir)}: {changed}"] if changed else []
    current = next((each for each in snapshots if each.is_current), None)
    for snapshot in reversed(snapshots):
        listener.on_step(Step.FORGET)
        if snapshot is not current and (changed := _clean_kept(snapshot, work, warehouse, erasure)):
            touched.append(f"snapshot {snapshot.snapshot_id}: {changed}")
    values = erasure.erase(work.connection)
    if values:
        work.must_compact = True
        build_work_file(work, settings, audit, warehouse, "forget", listener)
        published = warehouse.publish(work, listener=listener)
        if current is not None:
            warehouse.snapshots.remove(current)
        touched.append(f"the current snapshot: {_count(values)} removed; published as {published.parent.name}")
    return Forgetting(tuple(touched), _list_unreachable(settings), had_dashboard)


def _clean_failed(path: Path, work: WorkFile, warehouse: Warehouse, erasure: Erasure) -> str | None:
    try:
        fresh, values = _clean_copy(path, work, warehouse, erasure, None)
    except duckdb.Error:
        path.unlink()
        return "removed, because it could not be read"
    if values:
        os.replace(fresh, path)
    return f"{_count(values)} removed" if values else None


def _clean_kept(snapshot: Snapshot, work: WorkFile, warehouse: Warehouse, erasure: Erasure) -> str | None:
    if not warehouse.snapshots.is_intact(snapshot.path):  # a new seal would say that it is
        warehouse.snapshots.remove(snapshot)
        return "removed, because it is damaged"
    snapshot_id = warehouse.snapshots.next_id(snapshot)
    try:
        fresh, values = _clean_copy(snapshot.path, work, warehouse, erasure, snapshot_id)
    except duckdb.Error:
        warehouse.snapshots.remove(snapshot)
        return "removed, because it could not be read"
    if not values:
        return None
    warehouse.snapshots.replace_kept(snapshot, fresh, snapshot_id)
    return f"{_count(values)} removed; its id is {snapshot_id} now"


def _clean_copy(
    path: Path, work: WorkFile, warehouse: Warehouse, erasure: Erasure, snapshot_id: str | None
) -> tuple[Path, int]:
    """A copy of a database without the person, in the work folder, and how many values were changed."""
    folder = work.folder / "forget"
    folder.mkdir(mode=0o700, exist_ok=True)
    copy = WorkFile(folder / PUBLISHED_NAME, is_new=False, storage=warehouse.storage)
    copy.path.unlink(missing_ok=True)
    copy_file(path, copy.path)
    try:
        values = erasure.erase(copy.connection)
        if snapshot_id is not None:
            copy.connection.execute(f"UPDATE {STORAGE_SCHEMA}.snapshot_info SET snapshot_id = ?", [snapshot_id])
        copy.connection.execute("CHECKPOINT")
    finally:
        copy.close()
    if values:
        warehouse.write_again(copy.path)
    return copy.path, values


def _count(values: int) -> str:
    return "1 value" if values == 1 else f"{values} values"


def _list_unreachable(settings: Settings) -> tuple[str, ...]:
    replicas = settings.replication.destinations
    return (
        "copies and backups of the data directory, and exports of queries",
        "readers that have an old snapshot open, until they close it",
        "dashboards that were written elsewhere, and notices that were sent",
        f"the git repository of the prompts: {settings.git_dir}"
        if settings.git_dir
        else "repositories that `puretalk git` wrote (git_dir is not set)",
        f"replicas: {', '.join(replicas)}; run `puretalk replicate` for each, and clean up what the engine keeps"
        if replicas
        else "replicas that `puretalk replicate` wrote (replicate_to is not set)",
    )
