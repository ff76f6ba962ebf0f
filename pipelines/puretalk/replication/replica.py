"""`puretalk replicate`: bring an engine to the published snapshot by sending what differs.

What the engine holds is read from the engine, never from a local note. So a replica that was changed, half loaded, or
set back is repaired by the next run: its marker table, the number of its rows, or the engine's digest of them shows it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa

from puretalk.database import quote_name
from puretalk.errors import ConfigurationError, PuretalkError, ReplicaError
from puretalk.replication.snapshot import (
    OWNER,
    Part,
    Parts,
    Relation,
    list_relations,
    open_snapshot,
    read_batches,
    read_parts,
)
from puretalk.scrubbing import Scrubber
from puretalk.settings import Settings
from puretalk.sync.dlt_environment import isolated_dlt
from puretalk.warehouse.disk_errors import disk_errors
from puretalk.warehouse.lock import hold_replication_lock
from puretalk.warehouse.places import make_data_dir
from puretalk.warehouse.snapshots import SnapshotStore

#: The part that stands for the descriptions and keys of all tables.
_DESCRIPTIONS = ("", "descriptions")
#: The SQL function that makes JSON fit for PostgreSQL.
_FIT_JSON = "fit_json"
_NAME = re.compile(r"[\w-]+")
#: A setting of dlt whose value is a secret.
_SECRET_NAME = re.compile("password|secret|token|key|credentials", re.IGNORECASE)
#: In JSON: an escaped character, a pair of surrogates as one.
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")


@dataclass(frozen=True)
class Replication:
    """What a run sent: `tables` that differed, `parts` (an assistant's rows of a table) and `rows`."""

    name: str
    snapshot_id: str
    tables: int
    parts: int
    rows: int
    seconds: float


def replicate(settings: Settings, name: str, *, everything: bool = False) -> Replication:
    """Bring the destination NAME to the published snapshot. `everything`: send all, whatever the engine says it holds.

    Raises ReplicaError; where the engine has transactions, it then holds what it held before.
    """
    started = time.monotonic()
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name of a destination", action="Use letters, digits, _ and - in its name: docs/engines.md."
        )
    _refuse_foreign_destination(settings)
    with disk_errors(settings.data_dir):
        make_data_dir(settings.data_dir, settings.storage.file_mode_bits)
    with hold_replication_lock(settings.data_dir), tempfile.TemporaryDirectory() as folder:
        snapshot = SnapshotStore(settings.data_dir).current()
        if snapshot is None:
            raise ReplicaError("nothing has been published yet", action="Run `puretalk sync` first.")
        project_dir = settings.project_dir if settings.is_trusted else None
        try:
            with isolated_dlt(Path(folder), project_dir=project_dir), open_snapshot(snapshot) as connection:
                tables, parts, rows = _replicate(connection, name, Path(folder), everything)
        except (PuretalkError, duckdb.Error):
            raise
        except Exception as error:  # noqa: BLE001  (of dlt or any driver; the cause is not shown: it may hold a password)
            raise ReplicaError(f"{name} could not be written: {_reason(error, settings)}") from None
    return Replication(name, snapshot.parent.name, tables, parts, rows, time.monotonic() - started)


def _replicate(
    connection: duckdb.DuckDBPyConnection, name: str, folder: Path, everything: bool
) -> tuple[int, int, int]:
    from puretalk.replication.engine import MARKER, Engine
    from puretalk.replication.lake import Lake, is_lake, replicate_to_lake

    if is_lake(name):
        return replicate_to_lake(connection, Lake(name, folder), everything=everything)
    engine = Engine(name, folder)
    relations = list_relations(connection)
    wanted: Parts = {_DESCRIPTIONS: Part(0, hashlib.md5(repr(relations).encode()).hexdigest())}
    for relation in relations:
        wanted |= read_parts(connection, relation)
    held = engine.read_parts(relations)
    differing = [key for key, part in wanted.items() if everything or held.get(key) != part]
    surplus = [key for key in held if key not in wanted]
    if not differing and not surplus:
        return 0, 0, 0
    names = {relation for relation, _ in (*differing, *surplus)}
    touched = [relation for relation in relations if relation.full_name in names]
    connection.create_function(_FIT_JSON, fit_json, ["VARCHAR"], "VARCHAR")
    connection.execute(
        "CREATE TABLE memory.differing (relation VARCHAR, part VARCHAR, row_count BIGINT, digest VARCHAR)"
    )
    marks = [
        *([*key, wanted[key].row_count, wanted[key].digest] for key in differing),
        *([*key, 0, None] for key in surplus),
    ]
    connection.execute(
        "INSERT INTO memory.differing SELECT unnest(?), unnest(?), unnest(?), unnest(?)",
        [[*values] for values in zip(*marks, strict=True)],
    )
    engine.expect_ours(relations)
    engine.create([*relations, MARKER])
    engine.load(
        [
            (
                MARKER,
                read_batches(connection, "SELECT *, CAST(NULL AS VARCHAR) AS held_digest FROM memory.differing", []),
            ),
            *((relation, _rows_of(connection, relation, engine.dialect.refuses_nul)) for relation in touched),
        ]
    )
    engine.take_over(touched, [*relations, MARKER] if _DESCRIPTIONS in differing else [])
    return len(touched), len(marks), sum(wanted[key].row_count for key in differing)


def _rows_of(connection: duckdb.DuckDBPyConnection, relation: Relation, is_without_nul: bool) -> Iterator[pa.Table]:
    """The rows of the parts that differ."""
    columns = ", ".join(
        _without_nul(quote_name(column.name), column.type) if is_without_nul else quote_name(column.name)
        for column in relation.columns
    )
    part = f"coalesce({OWNER}, '')" if relation.is_by_assistant else "''"
    return read_batches(
        connection,
        f"""SELECT {columns} FROM {relation.source} WHERE {part} IN
            (SELECT part FROM memory.differing WHERE relation = ? AND digest IS NOT NULL)""",
        [relation.full_name],
    )


def fit_json(text: str) -> str:
    """The JSON with U+FFFD in place of U+0000 and of each lone surrogate, which jsonb refuses."""

    def fit(escape: re.Match[str]) -> str:
        found = escape[0].lower()
        is_refused = found == "\\u0000" or (len(found) == 6 and found[:3] == "\\ud" and found[3] in "89abcdef")
        return "\\ufffd" if is_refused else escape[0]

    return _ESCAPE.sub(fit, text) if "\\u" in text else text


def _refuse_foreign_destination(settings: Settings) -> None:
    """Raise ConfigurationError where the folder in which the command was started says where the data go."""
    for path, content in _project_files(settings):
        if not settings.is_trusted and content.keys() & {"destination", "credentials"}:
            raise ConfigurationError(
                f"{path} sets a destination, and puretalk found that file only because it was started in that folder; "
                "the data went nowhere",
                action=f"If you trust that folder: export DLT_PROJECT_DIR={shlex.quote(str(settings.project_dir))}. "
                "Otherwise start puretalk elsewhere.",
            )


def _project_files(settings: Settings) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files in which dlt finds a destination, as far as they can be read."""
    for name in ("secrets.toml", "config.toml"):
        path = settings.project_dir / ".dlt" / name
        with contextlib.suppress(OSError, ValueError):
            yield path, tomllib.loads(path.read_text("utf-8"))


def _reason(error: BaseException, settings: Settings) -> str:
    """What the engine said, on one line, without a secret: the innermost cause says it best."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    text = Scrubber("", *_secrets(settings)).scrub(str(error)) or type(error).__name__
    return re.sub(r"://[^/@\s]*@", "://***@", text)[:400]


def _secrets(settings: Settings) -> Iterator[str]:
    """Every text that is configured for a destination and may be a secret."""
    for name, value in os.environ.items():
        if "CREDENTIALS" in name or "PASSWORD" in name:
            yield from _passwords(value)
        elif name.startswith("ICEBERG_CATALOG__"):  # the value may be JSON
            with contextlib.suppress(ValueError):
                yield from _walk(json.loads(value))
    for _, content in _project_files(settings):
        yield from _walk(content)


def _walk(node: Any, name: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _walk(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value, name)
    elif isinstance(node, str) and _SECRET_NAME.search(name):
        yield from _passwords(node)


def _passwords(value: str) -> Iterator[str]:
    """The password in a URL, as it stands there and as it is meant, or the whole value."""
    password = urlsplit(value).password if "://" in value else value
    if password and len(password) > 3:
        yield password
        yield unquote(password)  # as the driver gets it from a URL


def _without_nul(column: str, kind: str) -> str:
    """The column in SQL, with U+FFFD in place of what PostgreSQL refuses: U+0000, and in JSON lone surrogates too."""
    if kind == "text":
        return f"replace({column}, chr(0), chr(65533)) AS {column}"
    if kind == "json":
        return f"{_FIT_JSON}({column}) AS {column}"
    return column
