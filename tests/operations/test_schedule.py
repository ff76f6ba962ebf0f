"""Claims about the recipes for schedulers: they are correct where they are pasted, and hold no secret."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, get_args

import duckdb
import pytest
import yaml

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.operations.schedule import Kind, cron_expression, render
from puretalk.settings import OperationsSettings, Settings, load_settings

KINDS = get_args(Kind)
SECRET = "key-that-nobody-may-see"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose folder has a name with characters that are special in every scheduler."""
    folder = tmp_path / "my own $HOME & more"
    (folder / ".dlt").mkdir(parents=True)
    return folder


def settings_of(project: Path, **environment: str) -> Settings:
    return load_settings({}, {"DLT_PROJECT_DIR": str(project), **environment})


def write_secrets(project: Path, key: str) -> None:
    secrets = project / ".dlt" / "secrets.toml"
    secrets.write_text(f'[sources.puretalk]\napi_key = "{key}"\n')
    secrets.chmod(0o600)


def cron_command(recipe: str) -> str:
    """What cron gives to /bin/sh: the line without its five times, `\\%` as `%`."""
    [line] = [line for line in recipe.splitlines() if line and not line.startswith("#")]
    command = line.split(" ", 5)[5]
    assert re.search(r"(?<!\\)%", command) is None, "a bare % ends the command of a crontab"
    return command.replace(r"\%", "%")


def run_as_cron(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """As cron does it: an empty environment, another directory, no terminal."""
    return subprocess.run(
        ["/usr/bin/env", "-i", "/bin/sh", "-c", command],
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# --- cron


def test_the_cron_recipe_syncs_from_anywhere_and_is_silent(
    project: Path, tmp_path: Path, account: Account, api: DemoApi
) -> None:
    write_secrets(project, api.key)
    (project / ".dlt" / "config.toml").write_text(f'[sources.puretalk]\nbase_url = "{api.base_url}"\n')
    data_dir = tmp_path / "the data"
    recipe = render("cron", every_minutes=15, settings=settings_of(project, PURETALK_DATA_DIR=str(data_dir)))
    assert "TO DO" not in recipe
    done = run_as_cron(cron_command(recipe), Path("/"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with duckdb.connect(str(data_dir / "puretalk.duckdb"), read_only=True) as connection:
        synced = connection.execute("SELECT assistant_id FROM assistants ORDER BY 1").fetchall()
    assert [assistant_id for (assistant_id,) in synced] == sorted(
        record["assistant_id"] for record in account.records()
    )


def test_the_cron_recipe_mails_four_lines_when_the_key_is_missing(project: Path) -> None:
    recipe = render("cron", settings=settings_of(project))
    assert "TO DO: write the key there" in recipe
    done = run_as_cron(cron_command(recipe), Path("/"))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (4, "", 4)


def test_what_cron_would_not_see_is_named(project: Path) -> None:
    recipe = render("cron", settings=settings_of(project, PURETALK_API_KEY=SECRET, PURETALK_PAGE_SIZE="7"))
    assert "TO DO: write the key there" in recipe
    assert "TO DO: set only in this shell, so missing there: page_size." in recipe


def test_a_data_directory_of_its_own_is_part_of_the_recipe(project: Path, tmp_path: Path) -> None:
    settings = settings_of(project, PURETALK_DATA_DIR=str(tmp_path / "elsewhere"))
    recipe = render("cron", settings=settings)
    assert f"PURETALK_DATA_DIR={tmp_path}/elsewhere " in cron_command(recipe)
    assert "missing there" not in recipe


# --- all of them


@pytest.mark.parametrize("kind", KINDS)
def test_no_recipe_holds_the_key_or_the_ping_address(project: Path, kind: Kind) -> None:
    write_secrets(project, SECRET)
    settings = settings_of(project)
    settings = replace(settings, operations=OperationsSettings(ping_url="https://ping.example/0f3c"))
    recipe = render(kind, settings=settings)
    assert SECRET not in recipe
    assert "0f3c" not in recipe


@pytest.mark.parametrize("kind", KINDS)
def test_every_recipe_explains_the_exit_codes(project: Path, kind: Kind) -> None:
    recipe = render(kind, settings=settings_of(project))
    assert "7: another run is at work, nothing to do" in recipe
    assert "3, 9, 12: the next run usually succeeds" in recipe
    assert "10, 13: a person has to act" in recipe


@pytest.mark.parametrize("kind", KINDS)
def test_no_recipe_pretends_to_an_interval_that_a_calendar_cannot_say(project: Path, kind: Kind) -> None:
    with pytest.raises(ConfigurationError, match="cannot express every 45 minutes"):
        render(kind, every_minutes=45, settings=settings_of(project))


@pytest.mark.parametrize(
    ("every_minutes", "expression"),
    [
        (1, "* * * * *"),
        (15, "*/15 * * * *"),
        (30, "*/30 * * * *"),
        (60, "0 * * * *"),
        (120, "0 */2 * * *"),
        (720, "0 */12 * * *"),
        (1440, "0 0 * * *"),
    ],
)
def test_intervals_become_cron_expressions(every_minutes: int, expression: str) -> None:
    assert cron_expression(every_minutes) == expression


@pytest.mark.parametrize("every_minutes", [-60, 0, 7, 45, 59, 61, 90, 300, 2880])
def test_uneven_intervals_are_refused(every_minutes: int) -> None:
    with pytest.raises(ConfigurationError):
        cron_expression(every_minutes)


def test_a_folder_with_a_line_break_in_its_name_is_refused(project: Path) -> None:
    settings = replace(settings_of(project), data_dir=project / "a\nb")
    with pytest.raises(ConfigurationError, match="control character"):
        render("cron", settings=settings)


def test_an_unknown_scheduler_is_refused(project: Path) -> None:
    kind: Any = "at"
    with pytest.raises(ConfigurationError, match="cron, systemd, github-actions, airflow, dagster"):
        render(kind, settings=settings_of(project))


# --- systemd


def test_the_systemd_recipe_is_a_service_and_its_timer(project: Path) -> None:
    settings = settings_of(project)
    settings = replace(settings, operations=OperationsSettings(metrics_file="/var/lib/node/puretalk.prom"))
    recipe = render("systemd", every_minutes=60, settings=settings)
    head, service_text, timer_text = re.split(
        r"^# /etc/systemd/system/puretalk\.(?:service|timer)\n", recipe, flags=re.M
    )
    assert all(line.startswith("#") for line in head.splitlines() if line)
    service, timer = _read_unit(service_text), _read_unit(timer_text)
    written = str(project).replace("%", "%%")
    assert service["Service"]["Type"] == "oneshot"
    assert service["Service"]["ExecStart"] == f"{Path(sys.executable).with_name('puretalk')} sync"
    assert service["Service"]["ReadWritePaths"] == f'"{written}/data" /var/lib/node'
    assert service["Service"]["SuccessExitStatus"] == "7"
    assert service["Service"]["EnvironmentFile"] == "-/etc/puretalk.env"
    assert f'Environment="DLT_PROJECT_DIR={written}"\nEnvironment="PURETALK_DATA_DIR={written}/data"\n' in service_text
    assert dict(timer["Timer"]) == {"OnCalendar": "*-*-* *:00:00", "Persistent": "true", "RandomizedDelaySec": "60"}
    assert timer["Install"]["WantedBy"] == "timers.target"


def _read_unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


# --- GitHub Actions


def test_the_github_recipe_takes_the_key_from_the_secrets_and_keeps_the_state(project: Path) -> None:
    workflow = yaml.safe_load(render("github-actions", settings=settings_of(project)))
    assert workflow[True]["schedule"] == [{"cron": "*/15 * * * *"}]  # YAML takes the key `on` for a truth value
    job = workflow["jobs"]["sync"]
    restore, sync, save = job["steps"][-3:]
    assert sync == {"run": "puretalk sync", "env": {"PURETALK_API_KEY": "${{ secrets.PURETALK_API_KEY }}"}}
    assert (restore["with"]["path"], restore["with"]["key"]) == (save["with"]["path"], save["with"]["key"])
    assert restore["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert restore["with"]["path"].split() == ["data/puretalk.duckdb", "data/snapshots"]
    assert all("PURETALK_API_KEY" not in str(step) for step in job["steps"] if step is not sync)


def test_github_runs_nothing_every_minute(project: Path) -> None:
    with pytest.raises(ConfigurationError, match="every 5 minutes at most"):
        render("github-actions", every_minutes=1, settings=settings_of(project))


# --- Airflow and Dagster: neither is installed here, so small fakes record what the recipes tell them


def test_the_airflow_recipe_runs_the_installed_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, dict[str, Any]] = {}

    class Dag:
        def __init__(self, name: str, **options: Any) -> None:
            told[name] = options

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_details: object) -> None:
            pass

    def operator(**options: Any) -> None:
        told["operator"] = options

    contents: dict[str, dict[str, object]] = {
        "airflow": {"DAG": Dag},
        "airflow.operators.bash": {"BashOperator": operator},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(render("airflow", settings=settings_of(project)), "recipe", "exec"), {})
    assert told["puretalk"]["schedule"] == "*/15 * * * *"
    assert (told["puretalk"]["catchup"], told["puretalk"]["max_active_runs"]) == (False, 1)
    assert told["operator"]["env"] == {"DLT_PROJECT_DIR": str(project), "PURETALK_DATA_DIR": str(project / "data")}
    assert told["operator"]["skip_on_exit_code"] == [7]
    command = told["operator"]["bash_command"]
    done = subprocess.run(["bash", "-c", f"{command} --help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith("Usage: puretalk sync")


def test_a_folder_that_airflow_would_take_for_a_template_is_refused(project: Path) -> None:
    with pytest.raises(ConfigurationError, match="Airflow"):
        render("airflow", settings=replace(settings_of(project), data_dir=project / "{{ here }}"))


def test_the_dagster_recipe_fails_with_the_message_of_the_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failure(Exception):  # noqa: N818  (as Dagster calls it)
        def __init__(self, description: str, *, allow_retries: bool) -> None:
            super().__init__(description)
            assert not allow_retries

    class Context:
        class log:  # noqa: N801  (as Dagster calls it)
            warnings: ClassVar[list[str]] = []

            @classmethod
            def warning(cls, text: str) -> None:
                cls.warnings.append(text)

    module = ModuleType("dagster")
    vars(module).update(
        asset=lambda **_options: lambda function: function,
        AssetExecutionContext=Context,
        Failure=Failure,
        define_asset_job=lambda name, selection: (name, selection),
        ScheduleDefinition=lambda job, cron_schedule: (job[0], cron_schedule),
        Definitions=lambda assets, jobs, schedules: (assets, jobs, schedules),
    )
    monkeypatch.setitem(sys.modules, "dagster", module)
    names: dict[str, Any] = {}
    exec(compile(render("dagster", settings=settings_of(project)), "recipe", "exec"), names)
    assert names["defs"][2] == [("puretalk_sync", "*/15 * * * *")]
    with pytest.raises(Failure, match="ended with exit code 4: puretalk: there is no API key"):
        names["puretalk_warehouse"](Context())
    assert len(Context.log.warnings) == 1


def test_recipes_name_the_program_of_this_environment(project: Path) -> None:
    program = Path(sys.executable).with_name("puretalk")
    assert os.access(program, os.X_OK)
    assert f"{program} sync --wait 450" in cron_command(render("cron", settings=settings_of(project)))


# --- the docs


def recipe_in_docs(kind: Kind, project: Path) -> str:
    """The recipe as the docs show it: for a project in /srv/puretalk, run by a user of that name."""
    (project / ".dlt").mkdir(exist_ok=True)
    write_secrets(project, SECRET)
    recipe = render(kind, settings=settings_of(project))
    recipe = recipe.replace(str(Path(sys.executable).parent), "/srv/puretalk/.venv/bin")
    return re.sub("^User=.*$", "User=puretalk", recipe.replace(str(project), "/srv/puretalk"), flags=re.M)


@pytest.mark.parametrize("kind", KINDS)
def test_the_docs_show_what_is_printed(kind: Kind, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "scheduling.md").read_text(encoding="utf-8")
    assert f"\n{recipe_in_docs(kind, tmp_path)}```" in text
