"""Looks for texts in everything that a data directory holds: raw bytes, names of files, and the values of databases,
which are compressed in their files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb


def find_traces(folder: Path, texts: Iterable[str]) -> list[str]:
    """`file: text` and `file, relation: text` for each text that is somewhere, in any case."""
    wanted = [text.lower() for text in texts]
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes().lower()
        found += [f"{path.name}: {text}" for text in wanted if text.encode() in content or text in path.name.lower()]
        if path.suffix == ".duckdb":
            found += [f"{path.parent.name}/{path.name}, {trace}" for trace in _find_in_database(path.resolve(), wanted)]
    return found


def _find_in_database(path: Path, wanted: list[str]) -> list[str]:
    found = []
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        relations = connection.execute(
            """SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal
               UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"""
        ).fetchall()
        assert relations
        for schema, name in relations:
            rows = connection.execute(f'SELECT lower(CAST(row AS VARCHAR)) FROM "{schema}"."{name}" AS row').fetchall()
            texts = "\n".join(text for (text,) in rows)
            found += [f"{schema}.{name}: {text}" for text in wanted if text in texts]
    return found
