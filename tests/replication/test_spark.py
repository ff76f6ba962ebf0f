"""Real Spark answers three questions about the marts as DuckDB does, from each kind of lake.

Spark reads the Parquet files. The jars with which it reads the logs of Delta and Iceberg by itself are not on PyPI: so
deltalake and pyiceberg say here which files a table consists of.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.lakes import Lake

from puretalk.replication.parquet_export import export_parquet
from puretalk.replication.replica import replicate
from puretalk.replication.snapshot import open_snapshot
from puretalk.settings import Settings

pytestmark = [pytest.mark.storm, pytest.mark.timeout(900)]  # 40 CPU-seconds, which a busy machine takes minutes for

SPARK = Path(sys.prefix) / "spark"

MARTS = ("dim_assistants", "rpt_config_findings", "fct_prompt_versions")
#: SQL that both understand; times become text in SQL, since Spark's rows have no zone.
QUERIES = (
    """SELECT model, voice_language, count(*), sum(prompt_characters), CAST(max(updated_at) AS STRING)
       FROM dim_assistants WHERE is_live GROUP BY model, voice_language ORDER BY model, voice_language""",
    """SELECT severity, rule, count(*), count(DISTINCT assistant_id), min(excerpt)
       FROM rpt_config_findings WHERE NOT is_accepted GROUP BY severity, severity_rank, rule
       ORDER BY severity_rank, rule""",
    """SELECT assistant_name, prompt_path, sum(lines_added), max(similarity), bool_or(is_current)
       FROM fct_prompt_versions AS versions JOIN dim_assistants USING (assistant_id)
       GROUP BY assistant_id, assistant_name, prompt_path ORDER BY assistant_id, prompt_path""",
)


def test_spark_answers_three_questions_about_the_marts_as_duckdb_does(
    synced_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(synced_data.parent, synced_data)
    asked = {"parquet": {name: [str(export_folder(settings, tmp_path) / f"{name}.parquet")] for name in MARTS}}
    for table_format in ("delta", "iceberg"):
        lake = Lake(table_format, tmp_path / table_format)
        lake.configure(monkeypatch)
        replicate(settings, "engine")
        asked[table_format] = {name: [*map(str, lake.files(f"puretalk_marts.{name}"))] for name in MARTS}
    answers = ask_spark(asked)
    with open_snapshot((synced_data / "puretalk.duckdb").resolve()) as connection:
        connection.execute("USE puretalk.marts")
        wanted = [[[*row] for row in connection.execute(query).fetchall()] for query in QUERIES]
    assert [len(rows) > 2 for rows in wanted] == [True] * 3
    for row in wanted[0]:
        row[4] = row[4].removesuffix("+00")  # DuckDB writes the zone
    assert answers == dict.fromkeys(("parquet", "delta", "iceberg"), wanted)


def export_folder(settings: Settings, folder: Path) -> Path:
    return export_parquet(settings, folder / "parquet").folder / "puretalk_marts"


def ask_spark(lakes: dict[str, Any]) -> Any:
    assert (SPARK / "ready").exists(), "Spark is not there: run `make .venv/spark/ready`"
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("spark_client.py"))],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SPARK), "PYSPARK_PYTHON": sys.executable, "TZ": "UTC"},
        input=json.dumps({"lakes": lakes, "queries": QUERIES}),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout.splitlines()[-1])
