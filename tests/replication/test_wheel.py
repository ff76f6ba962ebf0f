"""An installed wheel with its extra for PostgreSQL, without the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from support.commandline import CommandLine
from support.postgres import PostgresServer
from support.replicas import expect_equal, reading

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.storm
def test_an_installed_wheel_names_its_driver_and_replicates(
    synced_data: Path, tmp_path: Path, in_postgres: PostgresServer
) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    [packages] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    # What the wheel needs is taken from this environment, whose own puretalk a path alone does not bring in.
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib"))

    def run(code: str, *arguments: str) -> str:
        environment = CommandLine(synced_data, tmp_path).environment(
            DESTINATION__ENGINE__DESTINATION_TYPE="postgres", DESTINATION__ENGINE__CREDENTIALS=in_postgres.url
        )
        command = [str(python), "-c", code, *arguments]
        return subprocess.run(command, cwd="/", env=environment, check=True, capture_output=True, text=True).stdout

    assert run("import puretalk; print(puretalk.__file__)").startswith(str(packages))
    needed = run("import importlib.metadata as m; print(*m.requires('puretalk'), sep='\\n')").splitlines()
    assert [line for line in needed if "psycopg2" in line] == ["psycopg2-binary>=2.9.9; extra == 'postgres'"]
    run("import sys, puretalk.cli; sys.argv[0] = 'puretalk'; sys.exit(puretalk.cli.run())", "replicate", "engine")
    expect_equal(reading(in_postgres.select), (synced_data / "puretalk.duckdb").resolve())
