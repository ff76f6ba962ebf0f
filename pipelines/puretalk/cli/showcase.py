"""What a person sees: the outcome of a sync, the status of the warehouse, and the demonstration of `make demo`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from puretalk.dashboard import write_dashboard
from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.readers.connection import connect
from puretalk.readers.published import Published
from puretalk.schema import SCHEMA
from puretalk.settings import Settings
from puretalk.sync.run import SyncOutcome, run_sync

DEMO_SEED = 1
DEMO_ASSISTANTS = 240


@contextmanager
def open_demo(settings: Settings, account: Account | None = None) -> Iterator[Settings]:
    """The settings, pointed at a demo API that lives as long as the context."""
    with DemoApi(account or Account(DEMO_SEED, DEMO_ASSISTANTS)) as api:
        yield replace(settings, api=replace(settings.api, base_url=api.base_url, api_key=api.key))


def describe_outcome(outcome: SyncOutcome) -> Iterator[str]:
    """What a sync did, in a few lines."""
    run = outcome.run
    yield (
        f"synced {run.seen} assistants in {outcome.seconds:.1f} s: {run.pages} pages walked, "
        f"{run.rows_loaded} rows loaded, {run.unchanged} assistants unchanged"
    )
    parts = [
        f"{count} {word}"
        for count, word in (
            (run.new, "new"),
            (run.changed, "changed"),
            (run.silent, "silently changed"),
            (run.deleted, "deleted"),
            (run.returned, "came back"),
            (run.held, "held back"),
            (run.voices_changed, "new or changed voices"),
            (run.users_changed, "new or changed users"),
            (run.retries, "repeated requests"),
        )
        if count
    ]
    yield "  " + (", ".join(parts) or "nothing changed")


def status_facts(published: Published) -> dict[str, object]:
    """What `status --json` prints. The age is in seconds."""
    return {
        "snapshot": str(published.path),
        "run_id": published.run_id,
        "finished_at": published.finished_at,
        "age_seconds": _age_seconds(published.finished_at) if published.finished_at else None,
        "is_exact": published.is_exact,
        "cursor": published.cursor,
        "tables": dict(published.row_counts),
    }


def describe_status(published: Published) -> Iterator[str]:
    """The same for people."""
    yield f"snapshot   {published.path}"
    if published.finished_at:
        exact = "exact" if published.is_exact else "not exact: see `notes` in puretalk.sync_runs"
        age = _describe_age(_age_seconds(published.finished_at))
        yield f"read at    {published.finished_at:%Y-%m-%d %H:%M:%S} UTC, {age} ago ({exact})"
    if published.cursor:
        yield f"cursor     updated_at {published.cursor:%Y-%m-%d %H:%M:%S.%f} UTC"
    yield from describe_tables(published.row_counts)


def describe_tables(counts: Mapping[str, int]) -> Iterator[str]:
    """Tables and their row counts."""
    width = max(map(len, counts))
    for name, rows in counts.items():
        yield f"  {SCHEMA}.{name:<{width}}  {rows:>8,} rows"


def show_demo(settings: Settings, say: Callable[[str], None]) -> None:
    """Sync the demo account, let it change the way accounts do, sync again, and tell what happened."""
    if (settings.data_dir / "puretalk.duckdb").exists() and not (settings.data_dir / ".demo").exists():
        raise ConfigurationError(
            f"{settings.data_dir} holds a warehouse that is not the demo's",
            action="Give the demo a folder of its own: `puretalk demo --data-dir FOLDER`.",
        )
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    settings.data_dir.mkdir(parents=True)
    (settings.data_dir / ".demo").touch()
    account = Account(DEMO_SEED, DEMO_ASSISTANTS)
    with open_demo(settings, account) as demo:
        say("1. First sync of the demo account, over HTTP on loopback:")
        outcome = run_sync(demo)
        for line in describe_outcome(outcome):
            say(f"   {line}")
        say("\n2. The account changes, the way accounts do:")
        for change in account.evolve():
            say(f"     {change}")
        say("\n3. Second sync:")
        outcome = run_sync(demo)
        for line in describe_outcome(outcome):
            say(f"   {line}")
    say(f"\n4. The warehouse, {_relative(settings.data_dir / 'puretalk.duckdb')}:")
    for line in describe_tables(outcome.row_counts):
        say(f"   {line}")
    with closing(connect(settings.data_dir)) as connection:
        say("\n5. What changed between the two syncs, and in which assistant?")
        for name, area, kind, is_silent, fields in connection.execute(_CHANGES).fetchall():
            count, silently = (f" ({fields} fields)" if fields > 1 else ""), (", silently" if is_silent else "")
            say(f"     {name}: {area} {kind}{count}{silently}")
        say("\n6. What is wrong in the fleet?")
        for severity, findings, title, example in connection.execute(_FINDINGS).fetchall():
            say(f"     {severity:<6}  {findings:>3} × {title}, for example {example}")
        changed = connection.execute(
            f"SELECT assistant_id FROM {SCHEMA}.assistant_versions GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        ).fetchall()[0][0]
    page = write_dashboard(outcome.snapshot, settings.data_dir / "dashboard.html")
    say(f"\n7. The same as a page that works offline: {_relative(page.path)}")
    _show_next(settings, changed, say)


_CHANGES = """
SELECT assistants.assistant_name, changes.area, changes.change_kind, changes.is_silent, count(*) AS fields
FROM marts.fct_config_changes AS changes
JOIN marts.dim_assistants AS assistants USING (assistant_id)
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3
LIMIT 10
"""

_FINDINGS = """
SELECT findings.severity, count(*) AS findings, rules.title, min(findings.assistant_name) AS example
FROM marts.rpt_config_findings AS findings
JOIN marts.dim_finding_rules AS rules USING (rule)
GROUP BY 1, 3
ORDER BY CASE findings.severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, 2 DESC, 3
LIMIT 7
"""


def _show_next(settings: Settings, changed: str, say: Callable[[str], None]) -> None:
    folder = _relative(settings.data_dir)
    command = _relative(Path(sys.argv[0]))
    say("\nNext:")
    say(f'  {command} query --data-dir {folder} "SELECT name, model, updated_at FROM puretalk.assistants LIMIT 5"')
    say(f"  {command} explain --data-dir {folder} {changed}")
    say(f"  {command} status --data-dir {folder}")
    say(f"  export PURETALK_API_KEY=…  &&  {command} check  &&  {command} sync      # your own account")


def _relative(path: Path) -> str:
    """The path as a person would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _describe_age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
