"""The source run the plain way, as any dlt user would: `dlt.pipeline(…).run(puretalk_source(…))`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt

from puretalk.demo import DemoApi
from puretalk.sync.source import puretalk_source


def run_plainly(api: DemoApi, database: Path, **options: Any) -> dlt.Pipeline:
    """Sync into a DuckDB file, with a working folder that no run has used before."""
    number = len(list(database.parent.glob("working-*")))
    pipeline = dlt.pipeline(
        "puretalk",
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="puretalk",
        pipelines_dir=str(database.parent / f"working-{number}"),
    )
    pipeline.run(puretalk_source(**{"api_key": api.key, "base_url": api.base_url, **options}))
    return pipeline


def rows_loaded(pipeline: dlt.Pipeline) -> dict[str, int]:
    """Rows that the pipeline's last run loaded, by table; without dlt's own tables and empty ones."""
    trace = pipeline.last_trace
    assert trace is not None
    assert trace.last_normalize_info is not None
    counts = trace.last_normalize_info.row_counts
    return {table: rows for table, rows in counts.items() if rows and not table.startswith("_dlt")}
