"""Apache Superset as a client of the published snapshot: `python superset_client.py FOLDER DATABASE`.

FOLDER is where Superset keeps its metadata (SQLite). A person's steps go through Superset's REST API, once: a database,
datasets from the schemas that are offered, charts. Then, for each line on stdin, the stored charts are asked for their
data, and what they got is printed as one line of JSON: [snapshot_id, rows of dim_assistants, its first column].
It runs in an environment of its own, so it imports nothing of puretalk.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

CONFIG = """
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
SECRET_KEY = "only of this test, and long enough for a key"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
AUTH_RATE_LIMITED = False
"""
PERSON = {"username": "ada", "password": "only of this test"}
NAMES = ("--firstname=Ada", "--lastname=A", "--email=ada@example.com")


def start(folder: Path) -> Any:
    """Superset's own application with an empty metadata database and one administrator."""
    (folder / "superset_config.py").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    os.environ |= {"SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"), "SUPERSET_HOME": str(folder)}
    os.environ["FLASK_APP"] = "superset"
    from superset.app import create_app
    from superset.cli.main import superset

    app = create_app()
    runner = app.test_cli_runner()
    for command in (
        ["db", "upgrade"],
        ["fab", "create-admin", *(f"--{key}={value}" for key, value in PERSON.items()), *NAMES],
        ["init"],
    ):
        result = runner.invoke(superset, command)
        if result.exit_code:
            raise SystemExit(f"superset {' '.join(command)}: {result.output}") from result.exception
    return app


class Rest:
    """Superset's REST API, as the administrator."""

    def __init__(self, app: Any) -> None:
        self._client = app.test_client()
        self._headers: dict[str, str] = {}
        token = self.post("security/login", {**PERSON, "provider": "db"})["access_token"]
        self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: str) -> Any:
        return self._read(path, self._client.get(f"/api/v1/{path}", query_string=query, headers=self._headers))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._read(path, self._client.post(f"/api/v1/{path}", json=body, headers=self._headers))

    def _read(self, path: str, response: Any) -> Any:
        if response.status_code >= 300:
            raise SystemExit(f"{path}: HTTP {response.status_code}: {response.get_data(as_text=True)}")
        return response.get_json()


def find_schema(rest: Rest, database: int, table: str) -> str:
    """The only schema of those that Superset offers which has this table."""
    schemas = rest.get(f"database/{database}/schemas/")["result"]
    having = []
    for schema in schemas:
        tables = rest.get(f"database/{database}/tables/", q=f"(schema_name:'{schema}')")
        having += [schema for one in tables["result"] if one["value"] == table]
    [schema] = having
    return str(schema)


def main(folder: Path, database_file: str, answers: TextIO) -> None:
    rest = Rest(start(folder))
    database = rest.post(
        "database/",
        {
            "database_name": "puretalk",
            "sqlalchemy_uri": f"duckdb:///{database_file}",
            "extra": json.dumps({"engine_params": {"connect_args": {"read_only": True}}}),
        },
    )["id"]
    queries: dict[str, dict[str, Any]] = {}
    for table, metric in (
        ("dim_assistants", "count(distinct assistant_id)"),
        ("snapshot_info", "max(snapshot_id)"),
    ):
        schema = find_schema(rest, database, table)
        dataset = rest.post("dataset/", {"database": database, "schema": schema, "table_name": table})["id"]
        queries[table] = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"metrics": [{"expressionType": "SQL", "sqlExpression": metric, "label": "value"}]}],
            "result_format": "json",
            "result_type": "full",
        }
    charts = {
        table: rest.post(
            "chart/",
            {
                "slice_name": table,
                "viz_type": "big_number_total",
                "datasource_id": query["datasource"]["id"],
                "datasource_type": "table",
                "params": "{}",
                "query_context": json.dumps({**query, "force": True}),
            },
        )["id"]
        for table, query in queries.items()
    }
    columns = rest.get(f"dataset/{queries['dim_assistants']['datasource']['id']}")["result"]["columns"]
    for _ in sys.stdin:
        values = {}
        for table, chart in charts.items():
            [result] = rest.get(f"chart/{chart}/data/", force="true")["result"]
            [row] = result["data"]
            values[table] = row["value"]
        answer = [values["snapshot_info"], values["dim_assistants"], columns[0]["column_name"]]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    # Superset writes its log lines and warnings where it likes; stdout is for answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(Path(sys.argv[1]), sys.argv[2], answers)
