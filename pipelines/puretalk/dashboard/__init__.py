"""One self-contained HTML page about the fleet's configuration, made from the published snapshot.

write_dashboard(Path("data/puretalk.duckdb"), Path("dashboard.html"))
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from puretalk.dashboard.figures import read_figures
from puretalk.dashboard.history import pack_histories
from puretalk.dashboard.page import render_page
from puretalk.dashboard.redaction import open_snapshot
from puretalk.dashboard.serving import serve_dashboard
from puretalk.dashboard.spec import load_spec
from puretalk.errors import WarehouseError

__all__ = ["DashboardReport", "serve_dashboard", "write_dashboard"]


@dataclass(frozen=True)
class DashboardReport:
    """What was written. `assistants` includes the deleted ones, because the page has their history."""

    path: Path
    bytes: int
    assistants: int
    tiles: int
    charts: int
    tables: int
    is_stale: bool


def write_dashboard(
    snapshot: Path,
    out: Path,
    *,
    spec: Path | None = None,
    include_prompts: bool = True,
    now: datetime | None = None,
    stale_after: timedelta = timedelta(hours=24),
) -> DashboardReport:
    """Write the page of the snapshot to `out`, whole or not at all. `spec` is the user's own, merged into ours.

    Without prompts the page holds neither prompt texts nor personal data (redaction.py). Raises ConfigurationError
    for a wrong spec, WarehouseError for a snapshot that cannot be read or a file that cannot be written.
    """
    declared = load_spec(spec)
    now = now or datetime.now(UTC)
    with open_snapshot(snapshot, include_prompts=include_prompts) as connection:
        figures = read_figures(connection, declared)
        histories = pack_histories(connection, declared.details, list(figures.assistants))
    page = render_page(
        declared, figures, histories, include_prompts=include_prompts, now=now, stale_after=stale_after
    ).encode("utf-8", "replace")
    _replace(out, page)
    finished_at = figures.last_sync.finished_at
    return DashboardReport(
        path=out,
        bytes=len(page),
        assistants=len(figures.assistants),
        tiles=len(figures.tiles),
        charts=len(figures.charts),
        tables=len(figures.tables),
        is_stale=finished_at is not None and now - finished_at > stale_after,
    )


def _replace(out: Path, page: bytes) -> None:
    """Only the owner can read a new page, because it holds what the warehouse holds; an existing one keeps its mode."""
    try:
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
            if out.exists():
                os.chmod(name, out.stat().st_mode & 0o777)
            os.replace(name, out)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WarehouseError(f"The dashboard cannot be written to {out}: {error.strerror}") from error
