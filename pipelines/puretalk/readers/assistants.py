"""The assistant that a person means: by its id, its name, or the beginning of its id."""

from __future__ import annotations

import duckdb

from puretalk.errors import ConfigurationError, UsageError
from puretalk.schema import STORAGE_SCHEMA
from puretalk.terminal import escape_line

#: Most candidates that a message names.
MAX_CANDIDATES = 10


def find_assistant(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """The id of the assistant with this id, else with this name, else whose id begins so; deleted ones count too.

    Raises UsageError with the candidates when there are several, ConfigurationError when no sync ever saw one.
    """
    candidates: list[tuple[str, str | None, bool]] = []
    for condition in ("assistant_id = $wanted", "name = $wanted", "starts_with(assistant_id, $wanted)"):
        candidates = connection.execute(
            f"""SELECT assistant_id, name, deleted_at IS NOT NULL FROM {STORAGE_SCHEMA}.assistants
                WHERE {condition} AND $wanted <> '' ORDER BY ALL""",
            {"wanted": wanted},
        ).fetchall()
        if candidates:
            break
    if len(candidates) == 1:
        return candidates[0][0]
    if candidates:
        listed = [
            escape_line(f"  {assistant_id}  {name or '(no name)'}{'  (deleted)' if is_deleted else ''}")
            for assistant_id, name, is_deleted in candidates[:MAX_CANDIDATES]
        ]
        if len(candidates) > MAX_CANDIDATES:
            listed.append(f"  and {len(candidates) - MAX_CANDIDATES} more")
        raise UsageError(f"{wanted!r} fits {len(candidates)} assistants", action="\n".join(("Give an id:", *listed)))
    near = connection.execute(
        f"""SELECT DISTINCT name FROM {STORAGE_SCHEMA}.assistants
            WHERE contains(lower(name), lower($1)) AND $1 <> '' ORDER BY name LIMIT 3""",
        [wanted],
    ).fetchall()
    hint = f"; did you mean {' or '.join(repr(name) for (name,) in near)}?" if near else ""
    raise ConfigurationError(
        f"no sync ever saw the assistant {wanted!r}{hint}",
        action='`puretalk query "SELECT assistant_id, name FROM puretalk.assistants"` lists them all.',
    )
