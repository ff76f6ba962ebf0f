"""The demonstration of `make demo`, and the demo account for `puretalk sync --demo`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from puretalk.cli.messages import describe_outcome, describe_tables
from puretalk.dashboard import write_dashboard
from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.readers.connection import connect
from puretalk.schema import STORAGE_SCHEMA
from puretalk.settings import Settings
from puretalk.sync.run import run_sync
from puretalk.warehouse.places import make_data_dir

DEMO_SEED = 1
DEMO_ASSISTANTS = 240


@contextmanager
def open_demo(settings: Settings, account: Account | None = None) -> Iterator[Settings]:
    """The settings, pointed at a demo API that lives as long as the context."""
    with DemoApi(account or Account(DEMO_SEED, DEMO_ASSISTANTS)) as api:
        yield replace(settings, api=replace(settings.api, base_url=api.base_url, api_key=api.key))


def show_demo(settings: Settings, say: Callable[[str], None]) -> None:
    """Sync the demo account, let it change the way accounts do, sync again, and tell what happened."""
    if (settings.data_dir / "puretalk.duckdb").exists() and not (settings.data_dir / ".demo").exists():
        raise ConfigurationError(
            f"{settings.data_dir} holds a warehouse that is not the demo's",
            action="Give the demo a folder of its own: `puretalk demo --data-dir FOLDER`.",
        )
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
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
            f"SELECT assistant_id FROM {STORAGE_SCHEMA}.assistant_versions GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
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
WHERE NOT findings.is_accepted
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
