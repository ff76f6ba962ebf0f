"""Recipes for schedulers, with the absolute paths of this installation: what `puretalk schedule` prints.

A recipe never holds the key. It names the settings that a scheduler's run would miss, because only this shell has them.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Literal, get_args

from puretalk.errors import ConfigurationError
from puretalk.settings import SETTINGS, Settings, load_settings, setting_value

Kind = Literal["cron", "systemd", "github-actions", "airflow", "dagster"]


class _Recipe(Template):
    """A template with `@name` as placeholder, because recipes are full of `$` and `%`; `@@` is an at sign."""

    delimiter = "@"


def render(kind: Kind, *, every_minutes: int = 15, settings: Settings) -> str:
    """The recipe as text. Raises ConfigurationError for an interval that the scheduler cannot express."""
    if kind not in _RENDERERS:
        raise ConfigurationError(f"there is no recipe for {kind!r}; the recipes are {', '.join(get_args(Kind))}")
    paths = [str(path) for path in (settings.project_dir, settings.data_dir)]
    if any(ord(letter) < 32 for letter in "".join(paths)):
        raise ConfigurationError("a recipe cannot hold a folder with a control character in its name")
    if kind == "github-actions" and every_minutes < 5:
        raise ConfigurationError("GitHub runs schedules every 5 minutes at most")
    return _RENDERERS[kind](every_minutes, settings)


def cron_expression(every_minutes: int) -> str:
    """The five fields of a crontab. Raises ConfigurationError for an interval that they cannot express: `*/45` would
    mean :00 and :45, which is not every 45 minutes."""
    hours, minutes = divmod(every_minutes, 60)
    if every_minutes == 1:
        return "* * * * *"
    if 0 < every_minutes < 60 and 60 % every_minutes == 0:
        return f"*/{every_minutes} * * * *"
    if minutes == 0 and 0 < hours <= 24 and 24 % hours == 0:
        return "0 * * * *" if hours == 1 else "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"
    raise ConfigurationError(
        f"a calendar cannot express every {every_minutes} minutes",
        action="Take a divisor of an hour (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30) or of a day "
        "(60, 120, 180, 240, 360, 480, 720, 1440).",
    )


def _calendar_expression(every_minutes: int) -> str:
    """The same for systemd's OnCalendar=."""
    minute, hour = cron_expression(every_minutes).split()[:2]
    systemd_minute = {"*": "*", "0": "00"}.get(minute, minute.replace("*/", "0/"))
    systemd_hour = {"*": "*", "0": "00"}.get(hour, hour.replace("*/", "0/"))
    return f"*-*-* {systemd_hour}:{systemd_minute}:00"


def _find_program() -> Path:
    """The installed `puretalk`, next to the running Python. Links are not resolved: a virtual environment is one."""
    name = "puretalk.exe" if os.name == "nt" else "puretalk"
    neighbour = Path(sys.executable).absolute().with_name(name)
    found = str(neighbour) if neighbour.is_file() else shutil.which("puretalk")
    if found is None:
        raise ConfigurationError(
            "the puretalk command is not installed", action="Install the package, then run its `puretalk schedule`."
        )
    return Path(found).absolute()


def _secrets_file(settings: Settings) -> Path:
    return settings.project_dir / ".dlt" / "secrets.toml"


def _environment(settings: Settings) -> dict[str, str]:
    """What a run needs to find its folders from any directory."""
    return {"DLT_PROJECT_DIR": str(settings.project_dir), "PURETALK_DATA_DIR": str(settings.data_dir)}


def _lost_settings(settings: Settings) -> list[str]:
    """Names of the settings that have another value where only the recipe's environment is set."""
    scheduled = load_settings({}, _environment(settings), with_key=False)
    return [each.name for each in SETTINGS if setting_value(scheduled, each) != setting_value(settings, each)]


def _notes(settings: Settings) -> str:
    """The comment lines at the head of every recipe that runs on this machine."""
    secrets = _secrets_file(settings)
    lost = _lost_settings(settings)
    lines = [f"The key is read from {secrets} (chmod 600), never from here."]
    key_sources = [name for name in ("api_key_file", "api_key_command") if getattr(settings.key, name)]
    if key_sources:
        lines = [f"The key comes from {' or '.join(key_sources)}, never from here."]
    elif "api_key" in lost or not settings.api.api_key:
        lines.append(f"TO DO: write the key there; a scheduler does not see this shell. Form: {secrets.parent}/")
        lines[-1] += "secrets.example.toml"
    others = [name for name in lost if name != "api_key"]
    if others:
        lines.append(f"TO DO: set only in this shell, so missing there: {', '.join(others)}.")
        lines.append(f"Write them into {settings.project_dir / '.dlt' / 'config.toml'}.")
    return "\n".join(f"# {line}" for line in [*lines, *_EXIT_CODES])


_EXIT_CODES = (
    "Exit codes. 0: success. 3, 9, 12: the next run usually succeeds; send an alert only after several in a row.",
    "7: another run is at work, nothing to do. 1, 4, 5, 6, 8, 10, 13: a person has to act; the message says how.",
)


def _render_cron(every_minutes: int, settings: Settings) -> str:
    assignments = [f"{name}={shlex.quote(value)}" for name, value in _environment(settings).items()]
    # A run that finds another at work waits for half an interval, so that one slow run sends no mail.
    command = [*assignments, shlex.quote(str(_find_program())), "sync", f"--wait {every_minutes * 30}"]
    return _CRON.substitute(
        notes=_notes(settings),
        line=f"{cron_expression(every_minutes)} {' '.join(command)}".replace("%", r"\%"),
    )


_CRON = _Recipe("""\
# puretalk for a crontab: type `crontab -e` and paste.
@notes
# cron mails what a run prints, and a successful run prints nothing. Uncomment to set the address:
# MAILTO=you@@example.org
@line
""")


def _render_systemd(every_minutes: int, settings: Settings) -> str:
    writable = [settings.data_dir]
    metrics = settings.locate(settings.operations.metrics_file)
    if metrics is not None:
        writable.append(metrics.parent)
    try:
        user = f"User={getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        user = "# User=the owner of the data folder"
    return _SYSTEMD.substitute(
        notes=_notes(settings),
        shell_data_dir=shlex.quote(str(settings.data_dir)),
        user=user,
        environment="\n".join(
            f"Environment={_quote_systemd(f'{name}={value}')}" for name, value in _environment(settings).items()
        ),
        program=_quote_systemd(str(_find_program())).replace("$", "$$"),
        writable=" ".join(_quote_systemd(str(path)) for path in writable),
        calendar=_calendar_expression(every_minutes),
        delay=min(60, every_minutes * 6),
    )


def _quote_systemd(text: str) -> str:
    r"""A word of a unit file. `%` begins a specifier and is doubled; a space, a quote or a backslash needs quotes."""
    text = text.replace("%", "%%")
    if any(letter in text for letter in " \"'\\;"):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


_SYSTEMD = _Recipe("""\
# puretalk for systemd: two files. Afterwards:
#   mkdir -p @shell_data_dir && systemctl daemon-reload && systemctl enable --now puretalk.timer
@notes

# /etc/systemd/system/puretalk.service
[Unit]
Description=Sync PureTalk AI assistants into DuckDB
Wants=network-online.target
After=network-online.target
# OnFailure=the-unit-that-tells-you@@%n.service

[Service]
Type=oneshot
@user
@environment
# Another place for the key: a file of mode 600 with the line PURETALK_API_KEY=…
EnvironmentFile=-/etc/puretalk.env
ExecStart=@program sync
TimeoutStartSec=1h
# Another run is at work, started by hand: not a failure.
SuccessExitStatus=7
UMask=0027
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=@writable
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes

# /etc/systemd/system/puretalk.timer
[Unit]
Description=Sync PureTalk AI assistants regularly

[Timer]
OnCalendar=@calendar
Persistent=true
RandomizedDelaySec=@delay

[Install]
WantedBy=timers.target
""")


def _render_github_actions(every_minutes: int, _settings: Settings) -> str:
    return _GITHUB_ACTIONS.substitute(
        cron=cron_expression(every_minutes), exit_codes="\n".join(f"# {line}" for line in _EXIT_CODES)
    )


_GITHUB_ACTIONS = _Recipe("""\
# .github/workflows/puretalk.yml, in a PRIVATE repository that holds this project: prompts and phone numbers end up in
# its cache, which pull requests can read.
#
# A hosted runner keeps nothing but this cache, and GitHub deletes a cache after 7 days without a run, or when the
# repository's quota is used up. The next sync then starts from an empty warehouse: its result is exact, but the history
# (assistant_versions, first_seen_at, deleted assistants) is lost. To keep the history, use cron or systemd.
# Schedules are in UTC, start late under load, and stop in a public repository without activity.
@exit_codes
name: puretalk
on:
  schedule:
    - cron: "@cron"
  workflow_dispatch:
permissions:
  contents: read
concurrency:
  group: puretalk
  cancel-in-progress: false
jobs:
  sync:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    env:
      PURETALK_DATA_DIR: ${{ github.workspace }}/data
      # The cache needs only the last snapshot.
      PURETALK_KEEP_LAST: "1"
      PURETALK_KEEP_HOURLY: "0"
      PURETALK_KEEP_DAILY: "0"
    steps:
      - uses: actions/checkout@@v4
        with:
          persist-credentials: false
      - uses: actions/setup-python@@v5
        with:
          python-version: "3.12"
          cache: pip
      - run: pip install .
      - uses: actions/cache/restore@@v4
        with:
          path: |
            data/puretalk.duckdb
            data/snapshots
          key: puretalk-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: puretalk-
      - run: puretalk sync
        env:
          PURETALK_API_KEY: ${{ secrets.PURETALK_API_KEY }}
      # Always: exit codes 9 and 10 publish too. After the others this saves the old snapshot again.
      - uses: actions/cache/save@@v4
        if: always() && hashFiles('data/snapshots/**/*.duckdb') != ''
        with:
          path: |
            data/puretalk.duckdb
            data/snapshots
          key: puretalk-${{ github.run_id }}-${{ github.run_attempt }}
""")


def _render_airflow(every_minutes: int, settings: Settings) -> str:
    # Airflow would render these as a Jinja template.
    if any(mark in text for text in _environment(settings).values() for mark in ("{{", "{%", "{#")):
        raise ConfigurationError("a folder with {{, {% or {# in its name cannot be part of an Airflow recipe")
    return _AIRFLOW.substitute(
        notes=_notes(settings),
        cron=repr(cron_expression(every_minutes)),
        command=repr(f"{shlex.quote(str(_find_program()))} sync"),
        environment=repr(_environment(settings)),
    )


_AIRFLOW = _Recipe('''\
"""puretalk for Airflow 2.7 or newer: a file in the DAGs folder. Airflow's own environment does not need the package."""
@notes

from datetime import datetime, timedelta, timezone

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

with DAG(
    "puretalk",
    schedule=@cron,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # a sync reads the account as it is now: there is nothing to catch up on
    max_active_runs=1,
):
    BashOperator(
        task_id="sync",
        bash_command=@command,
        env=@environment,
        append_env=True,
        skip_on_exit_code=[7],
        retries=0,  # the next scheduled run does the same
        execution_timeout=timedelta(hours=1),
    )
''')


def _render_dagster(every_minutes: int, settings: Settings) -> str:
    return _DAGSTER.substitute(
        notes=_notes(settings),
        cron=repr(cron_expression(every_minutes)),
        program=repr(str(_find_program())),
        environment=repr(_environment(settings)),
        published=repr(str(settings.data_dir / "puretalk.duckdb")),
    )


_DAGSTER = _Recipe('''\
"""puretalk for Dagster: a module with definitions. Dagster's own environment does not need the package."""
@notes

import os
import subprocess

import dagster as dg

ENVIRONMENT = @environment
ANOTHER_RUN_IS_AT_WORK = 7


@@dg.asset(description="The PureTalk AI account in DuckDB")
def puretalk_warehouse(context: dg.AssetExecutionContext):
    done = subprocess.run(
        [@program, "sync"],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    if done.stderr:
        context.log.warning(done.stderr)
    if done.returncode not in (0, ANOTHER_RUN_IS_AT_WORK):
        raise dg.Failure(f"puretalk sync ended with exit code {done.returncode}: {done.stderr}", allow_retries=False)
    return dg.MaterializeResult(metadata={"exit_code": done.returncode, "published": @published})


job = dg.define_asset_job("puretalk_sync", selection=[puretalk_warehouse])
defs = dg.Definitions(
    assets=[puretalk_warehouse],
    jobs=[job],
    schedules=[dg.ScheduleDefinition(job=job, cron_schedule=@cron)],
)
''')


_RENDERERS: dict[str, Callable[[int, Settings], str]] = {
    "cron": _render_cron,
    "systemd": _render_systemd,
    "github-actions": _render_github_actions,
    "airflow": _render_airflow,
    "dagster": _render_dagster,
}
