"""A Prometheus text file for node_exporter's textfile collector, replaced after every run.

The metrics about the data come from the published snapshot, so they stay true after a run that failed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from puretalk.errors import WarehouseError
from puretalk.readers.published import RUN_NUMBERS, Published, read_published
from puretalk.settings import Settings
from puretalk.warehouse.places import create_file

#: Every metric, in the order of the file; all are gauges.
METRICS: dict[str, str] = {
    "puretalk_last_run_timestamp_seconds": "When the last run ended, successful or not (Unix time).",
    "puretalk_last_exit_code": "Exit code of the last run; 0: published an exact, complete state.",
    "puretalk_last_run_duration_seconds": "How long the last run took.",
    "puretalk_last_success_timestamp_seconds": "Newest exact and complete sync in the published snapshot (Unix time).",
    "puretalk_snapshot_timestamp_seconds": "Newest sync in the published snapshot, exact or not (Unix time).",
    "puretalk_assistants": "Assistants in the published snapshot that are not deleted.",
    "puretalk_rows_loaded": "Rows that the newest published sync loaded; 0 on a quiet account.",
    "puretalk_new": "Assistants that the newest published sync saw for the first time.",
    "puretalk_changed": "Assistants whose updated_at had changed.",
    "puretalk_silent": "Assistants whose content had changed although their updated_at had not.",
    "puretalk_deleted": "Assistants that the newest published sync found deleted.",
    "puretalk_held": "Missing assistants whose deletion is held back or unconfirmed.",
    "puretalk_rejected": "Records that could not be used.",
    "puretalk_retries": "Requests that the newest published sync had to repeat.",
}


def write_metrics(settings: Settings, *, ended_at: datetime, exit_code: int, seconds: float) -> str | None:
    """Replace the metrics file, where one is set, in one step. Returns the reason when it could not be written."""
    path = settings.locate(settings.operations.metrics_file)
    if path is None:
        return None
    try:
        published = read_published(settings.data_dir)
    except WarehouseError:
        published = None
    values: dict[str, float] = {
        "puretalk_last_run_timestamp_seconds": ended_at.timestamp(),
        "puretalk_last_exit_code": exit_code,
        "puretalk_last_run_duration_seconds": seconds,
        **(_describe(published) if published else {}),
    }
    try:
        if not _is_free_or_file(path):
            return "the metrics file cannot be written: what is there is not a file"
        _replace(path, render_metrics(values))
    except OSError as error:
        return f"the metrics file cannot be written: {error.strerror or type(error).__name__}"
    return None


def render_metrics(values: dict[str, float]) -> str:
    """Prometheus' text format. A metric without a value is left out."""
    lines = []
    for name, text in METRICS.items():
        if name in values:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {values[name]!r}"]
    return "\n".join(lines) + "\n"


def _describe(published: Published) -> dict[str, float]:
    values: dict[str, float] = {"puretalk_assistants": published.live_assistants}
    if published.exact_at:
        values["puretalk_last_success_timestamp_seconds"] = published.exact_at.timestamp()
    if published.finished_at:
        values["puretalk_snapshot_timestamp_seconds"] = published.finished_at.timestamp()
    values.update({f"puretalk_{name}": published.numbers[name] for name in RUN_NUMBERS if name in published.numbers})
    return values


def _is_free_or_file(path: Path) -> bool:
    """Whether nothing is there, or a regular file: a link, a device or a pipe is of somebody else. Raises OSError."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def _replace(path: Path, text: str) -> None:
    # The collector reads every *.prom of the folder, as another user: so another suffix first, and a mode for all.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        create_file(temporary, text, mode=0o644)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
