"""Folders of small models, and what a build makes of them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from puretalk.models.build import build_models


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def outcomes(connection: duckdb.DuckDBPyConnection, folder: Path, user_dir: Path | None = None) -> dict[str, str]:
    report = build_models(connection, sql_dirs=[folder], user_dir=user_dir)
    return {step.name: step.outcome for step in report.models}
