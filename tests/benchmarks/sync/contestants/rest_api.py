"""dlt's rest_api source as its documentation shows it: `rest_api.py FOLDER`, into FOLDER/rest_api.duckdb."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dlt
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import RESTAPIConfig


def main() -> None:
    folder = Path(sys.argv[1])
    config: RESTAPIConfig = {
        "client": {
            "base_url": os.environ["PURETALK_BASE_URL"],
            "auth": {
                "type": "api_key",
                "name": "X-API-KEY",
                "api_key": os.environ["PURETALK_API_KEY"],
                "location": "header",
            },
            "paginator": {"type": "json_link", "next_url_path": "next"},
        },
        "resource_defaults": {"primary_key": "assistant_id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "assistants",
                "endpoint": {
                    "path": "ai-assistants",
                    "params": {"limit": 100},
                    "data_selector": "results",
                    "incremental": {"cursor_path": "updated_at"},
                },
            }
        ],
    }
    pipeline = dlt.pipeline(
        "rest_api",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "rest_api.duckdb")),
        dataset_name="account",
    )
    pipeline.run(rest_api_source(config))


if __name__ == "__main__":
    main()
