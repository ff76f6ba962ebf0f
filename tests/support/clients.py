"""Clients in processes of their own, with the DuckDB of our time or an older one."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def python_with_duckdb(version: str | None) -> tuple[list[str], dict[str, str]]:
    """A command, to which a script is added, and its environment. `version`: "1.4" or "1.5"; None is ours."""
    environment = dict(os.environ)
    if version is not None:
        old = Path(sys.prefix) / f"duckdb-{version}"
        assert old.is_dir(), f"there is no {old.name} in the environment: run `make .venv/old-duckdb`"
        environment["PYTHONPATH"] = str(old)
    return [sys.executable, "-P"], environment
