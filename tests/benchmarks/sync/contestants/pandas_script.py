"""What an analyst writes in an afternoon: `pandas_script.py FOLDER`. Page after page, json_normalize, DuckDB.

Keeps records above the highest `updated_at` that FOLDER/pandas_script.duckdb holds, so it misses silent changes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb
import httpx
import pandas as pd


def main() -> None:
    database = Path(sys.argv[1]) / "pandas_script.duckdb"
    is_first = not database.exists()
    with duckdb.connect(str(database)) as connection:
        cursor = "" if is_first else connection.execute("SELECT max(updated_at) FROM assistants").fetchall()[0][0]
        records = []
        url: str | None = f"{os.environ['PURETALK_BASE_URL']}/ai-assistants?limit=100"
        with httpx.Client(headers={"X-API-KEY": os.environ["PURETALK_API_KEY"]}) as client:
            while url:
                page = client.get(url).raise_for_status().json()
                records += [record for record in page["results"] if record["updated_at"] > cursor]
                url = page["next"]
        if not records:
            return
        fresh = pd.json_normalize(records)
        for name in ("llm_states", "variables", "voice_emotion", "chatbot_whitelisted_domains"):
            fresh[name] = fresh[name].map(json.dumps)
        if is_first:
            connection.execute("CREATE TABLE assistants AS FROM fresh")
        else:
            connection.execute("DELETE FROM assistants WHERE assistant_id IN (SELECT assistant_id FROM fresh)")
            connection.execute("INSERT INTO assistants BY NAME FROM fresh")


if __name__ == "__main__":
    main()
