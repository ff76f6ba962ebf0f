"""Claims about `puretalk export dbt`. dbt builds the same marts from the project, so it judges our own runner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import jinja2
import pytest
import yaml
from support.commandline import CommandLine
from support.storm import settings_for

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.models.dbt_export import export_dbt
from puretalk.models.model import sql_folder
from puretalk.sync.run import run_sync

REPOSITORY = Path(__file__).parents[2]


def render(path: Path) -> str:
    """A model of the project as dbt would compile it, with names as we write them."""
    template = jinja2.Environment(keep_trailing_newline=True).from_string(path.read_text())
    relations = {each.stem: f"{each.parent.name}.{each.stem}" for each in path.parents[1].rglob("*.sql")}
    return template.render(
        config=lambda **_: "", ref=lambda name: relations[name], source=lambda _, table: f"main.{table}"
    )


def test_every_model_and_check_is_there_with_its_sql_unchanged_but_for_what_it_reads(tmp_path: Path) -> None:
    export_dbt(tmp_path / "project", tmp_path / "puretalk.duckdb")
    ours = sorted(path for path in sql_folder().rglob("*.sql") if path.parent.name != "checks")
    assert len(ours) > 30
    for path in ours:
        assert (
            render(tmp_path / "project/models/puretalk" / path.parent.name / path.name)
            .replace("puretalk.marts.fct_finding_history", "marts.fct_finding_history")  # it reads itself
            .strip()
            == path.read_text().strip()
        )
    checks = {path.name for path in (tmp_path / "project/tests/puretalk").iterdir()}
    assert checks == {path.name for path in (sql_folder() / "checks").iterdir()}
    for path in sql_folder().rglob("*.yml"):
        written = tmp_path / "project/models/puretalk" / path.relative_to(sql_folder())
        assert written.read_bytes() == path.read_bytes()


def test_own_models_come_along_however_they_write_names(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.sql").write_text(
        'SELECT \'{{ city }} {% x %} é\' AS text, count(*) AS n FROM "Marts" . "dim_assistants", assistants, main.users'
    )
    export_dbt(tmp_path / "project", tmp_path / "puretalk.duckdb", user_dir=own)
    assert render(tmp_path / "project/models/puretalk/models/mine.sql").strip() == (
        "SELECT '{{ city }} {% x %} é' AS text, count(*) AS n FROM marts.dim_assistants, main.assistants, main.users"
    )


@pytest.mark.parametrize("name", ["data", "o'brien", 'the "data"', "é \\ {{ x }}"])
def test_the_profile_names_the_snapshot_wherever_it_is(tmp_path: Path, name: str) -> None:
    published = tmp_path / name / "puretalk.duckdb"
    export_dbt(tmp_path / "project", published)
    profile = yaml.safe_load((tmp_path / "project/profiles.yml").read_text())
    [attached] = profile["puretalk"]["outputs"]["local"]["attach"]
    template = jinja2.Environment().from_string(attached["path"])
    assert template.render(env_var=lambda _, default: default) == str(published)
    assert template.render(env_var=lambda variable, _: variable) == "PURETALK_SNAPSHOT"


def test_an_export_replaces_an_earlier_one_and_no_other_folder(tmp_path: Path) -> None:
    project, published = tmp_path / "project", tmp_path / "puretalk.duckdb"
    written = export_dbt(project, published)
    (project / "models/puretalk/marts/gone.sql").write_text("SELECT 1")
    (project / "models/ours.sql").write_text("SELECT 1")
    assert export_dbt(project, published) == written
    assert (project / "models/ours.sql").exists()
    assert not (project / "models/puretalk/marts/gone.sql").exists()

    (project / "dbt_project.yml").write_text("name: other\n")
    with pytest.raises(ConfigurationError, match="is not empty"):
        export_dbt(project, published)
    with pytest.raises(ConfigurationError, match="is not a folder"):
        export_dbt(project / "dbt_project.yml", published)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/dim_assistants.sql").write_text("SELECT 1 AS one")
    with pytest.raises(ConfigurationError, match=r"names that differ: .*dim_assistants\.sql and .*dim_assistants\.sql"):
        export_dbt(tmp_path / "project", tmp_path / "puretalk.duckdb", user_dir=tmp_path / "own")


@pytest.mark.storm
def test_dbt_builds_the_same_marts_row_for_row_after_each_publish(tmp_path: Path) -> None:
    account = Account(assistants=40)
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        run_sync(settings)
        for assistant_id in account.live_ids()[:5]:
            account.edit(assistant_id, prompt="Say yes.\nThen hang up.", voice_speed=1.5)
        account.delete(account.live_ids()[7])
        run_sync(settings)
        account.edit(account.live_ids()[3], name="Renamed", touch=False)
        account.restore(account.deleted_ids()[0])
        run_sync(settings)
        puretalk = CommandLine(settings.data_dir, tmp_path)
        ended = puretalk("export", "dbt", str(tmp_path / "project"))
        assert (ended.exit_code, ended.error) == (0, "")
        build_with_dbt(tmp_path / "project")
        assert find_differences(settings.data_dir, tmp_path / "project") == []

        account.edit(account.live_ids()[1], prompt="Say no.")
        run_sync(settings)
        assert "fct_config_changes" in find_differences(settings.data_dir, tmp_path / "project")
        build_with_dbt(tmp_path / "project")
        assert find_differences(settings.data_dir, tmp_path / "project") == []


@pytest.mark.storm
def test_a_small_project_whose_source_is_the_snapshot_reads_the_next_one(tmp_path: Path) -> None:
    """The profile and the source that docs/bi.md shows, and one model."""
    account = Account(assistants=12)
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    with DemoApi(account) as api:
        settings = settings_for(tmp_path, api.base_url)
        run_sync(settings)
        published = settings.data_dir / "puretalk.duckdb"
        recipe = (REPOSITORY / "docs/bi.md").read_text().partition("# profiles.yml\n")[2].partition("```")[0]
        profile, _, sources = recipe.partition("# models/sources.yml\n")
        (project / "profiles.yml").write_text(profile.replace("/srv/puretalk/data/puretalk.duckdb", str(published)))
        (project / "models/sources.yml").write_text(sources)
        (project / "dbt_project.yml").write_text("name: fleet\nprofile: fleet\nversion: 1.0.0\n")
        model = "select count(*) as assistants from {{ source('puretalk', 'dim_assistants') }}"
        (project / "models/fleet_size.sql").write_text(f"{{{{ config(materialized='table') }}}} {model}")
        for _ in range(2):
            build_with_dbt(project)
            with duckdb.connect(str(project / "fleet.duckdb"), read_only=True) as connection:
                assert connection.execute("FROM fleet_size").fetchall() == [(len(account.live_ids()),)]
            account.create(name="One more")
            run_sync(settings)


def build_with_dbt(project: Path) -> None:
    dbt = Path(sys.prefix) / "dbt" / "bin" / "dbt"
    assert dbt.exists(), "there is no dbt in the environment: run `make .venv/dbt/ready`"
    done = subprocess.run(
        [str(dbt), "build", "--no-use-colors"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "WARN=0 ERROR=0 SKIP=0" in done.stdout


def find_differences(data_dir: Path, project: Path) -> list[str]:
    """The marts that are not the same in both, by name, columns and rows."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{data_dir / 'puretalk.duckdb'}' AS puretalk (READ_ONLY)")
        connection.execute(f"ATTACH '{project / 'puretalk_dbt.duckdb'}' AS theirs (READ_ONLY)")
        marts = {
            catalog: connection.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns "
                "WHERE table_catalog = ? AND table_schema = 'marts' ORDER BY table_name, ordinal_position",
                [catalog],
            ).fetchall()
            for catalog in ("puretalk", "theirs")
        }
        assert marts["puretalk"] == marts["theirs"]
        names = sorted({name for name, _, _ in marts["puretalk"]})
        assert len(names) > 15
        return [
            name
            for name in names
            for one, other in (("puretalk", "theirs"), ("theirs", "puretalk"))
            if connection.execute(
                f"SELECT * FROM {one}.marts.{name} EXCEPT ALL SELECT * FROM {other}.marts.{name}"
            ).fetchall()
        ]
