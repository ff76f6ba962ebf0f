"""What a page made with `--no-prompts` may still say: text columns are hidden unless they are listed here.

The list names what is allowed, so a new column of a mart is hidden until somebody lists it. Numbers, booleans and times
always stay. The SQL of the spec, including the user's own, sees the same tables with NULL in place of hidden text.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb

from puretalk.database import Options, quote_literal
from puretalk.errors import WarehouseError
from puretalk.schema import CATALOG

_VOICE_SETTINGS = ("voice_id", "voice_name")
_ASSISTANT_SETTINGS = ("assistant_name", "assistant_type", "model", "timezone", "who_speaks_first")

#: Relation → its text columns that hold neither prompt texts nor personal data.
SHAREABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "marts.dim_assistants": ("assistant_id", *_VOICE_SETTINGS, "voice_language", *_ASSISTANT_SETTINGS),
    "marts.dim_voices": (*_VOICE_SETTINGS, "language", "gender"),
    "marts.dim_tools": ("tool_id", "tool_name", "tool_type", "method"),
    "marts.fct_tool_use": ("assistant_id", "tool_id", "function_id", "used_in", "tool_name", "tool_type", "method"),
    "marts.dim_llm_states": ("assistant_id", "state_id", "parent_state_id", "path", "state_name", "name_path"),
    "marts.fct_assistant_versions": ("assistant_id", "assistant_name", "summary"),
    "marts.fct_assistant_events": ("assistant_id", "event", "summary"),
    "marts.fct_config_changes": ("assistant_id", "field", "area", "change_kind"),
    "marts.fct_prompt_versions": ("assistant_id", "change_kind"),
    "marts.fct_daily_fleet": ("assistant_type", "model"),
    "marts.dim_finding_rules": ("rule", "severity", "fields", "title", "description", "remedy"),
    "marts.rpt_config_findings": ("finding_id", "assistant_id", "assistant_name", "rule", "severity", "title", "place"),
    "marts.fct_finding_history": ("finding_id", "assistant_id", "rule", "severity", "place"),
    "marts.rpt_variable_usage": ("assistant_id", "assistant_name", "variable", "matching_variable"),
    "marts.rpt_prompt_duplicates": ("assistant_id", "assistant_name", "place", "duplicate_kind"),
    "marts.rpt_standard_drift": ("assistant_id", "assistant_name", "setting"),
    "marts.rpt_coverage": ("voice_language", "assistant_type", "model"),
    "marts.rpt_sync_health": ("run_id",),
    "main.assistants": (
        *("assistant_id", "voice_id", "name", "assistant_type", "model", "timezone"),
        *("who_speaks_first", "chatbot_accent_color"),
    ),
    "main.voices": ("voice_id", "name", "language", "gender"),
    "main.assistant_variables": ("assistant_id", "name"),
    "main.assistant_voice_emotions": ("assistant_id", "emotion"),
    "main.assistant_chatbot_domains": ("assistant_id",),
    "main.assistant_llm_states": ("assistant_id", "state_id", "parent_state_id", "path", "name"),
    "main.assistant_llm_state_tools": ("assistant_id", "type", "function_id", "function_name"),
    "main.assistant_versions": ("assistant_id",),
    "main.sync_runs": ("run_id",),
}

#: Fields whose old and new values may be shown; of every other field only that it changed.
SHAREABLE_FIELDS: Final = (
    *("assistant_type", "model", "timezone", "who_speaks_first", "behavior", "call_recording_enabled"),
    *("voice_id", "voice_stability", "voice_clarity_similarity", "voice_stream_latency_optimization", "voice_boost"),
    *("voice_speed", "reminder_message_frequency", "max_reminder_messages", "chatbot_accent_color"),
)

_OPEN_TYPES: Final = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DATE")


def open_snapshot(
    snapshot: Path, *, include_prompts: bool, options: Options | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection that can read the snapshot and nothing else; redacted unless `include_prompts`. `options`: DuckDB's,
    which no query can change.

    WarehouseError when there is no snapshot or it cannot be read.
    """
    if not snapshot.exists():
        raise WarehouseError(f"There is no published snapshot at {snapshot}", action="Run `puretalk sync` first.")
    connection = duckdb.connect(config=options or {})
    path = snapshot.resolve()
    # With prompts, the name that every client gives the file. Else one that a spec cannot know, so that its SQL cannot
    # bypass the redacted tables.
    name = path.stem if include_prompts else f"snapshot_{secrets.token_hex(8)}"
    try:
        connection.execute(f"ATTACH {quote_literal(str(path))} AS {_quoted(name)} (READ_ONLY)")
        connection.execute("SET TimeZone='UTC'")
        if include_prompts:
            connection.execute(f"USE {_quoted(name)}")
        else:
            _redact(connection, name)
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
    except duckdb.Error as error:
        connection.close()
        raise WarehouseError(f"The snapshot {snapshot} cannot be read: {error}") from error
    return connection


def _redact(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make the current database one that has a redacted view of each relation of the database `name`."""
    connection.execute(f"ATTACH ':memory:' AS {CATALOG}")
    connection.execute(f"USE {CATALOG}")
    relations: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, relation, column, data_type in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name <> ? AND NOT internal ORDER BY schema_name, table_name, column_index",
        [name, CATALOG],  # up to release 0.2 a schema of that name held views of the tables in main
    ).fetchall():
        relations.setdefault((schema, relation), []).append((column, data_type))
    for (schema, relation), columns in relations.items():
        shareable = SHAREABLE.get(f"{schema}.{relation}", ())
        selected = ", ".join(_expression(f"{schema}.{relation}", *column, shareable) for column in columns)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        connection.execute(
            f"CREATE VIEW {_quoted(schema)}.{_quoted(relation)} AS "
            f"SELECT {selected} FROM {name}.{_quoted(schema)}.{_quoted(relation)}"
        )


def _expression(relation: str, column: str, data_type: str, shareable: tuple[str, ...]) -> str:
    quoted = _quoted(column)
    if data_type in _OPEN_TYPES or data_type.startswith(("TIMESTAMP", "DECIMAL")) or column in shareable:
        return quoted
    if relation == "marts.fct_config_changes" and column in ("path", "old_value", "new_value"):
        allowed = ", ".join(f"'{name}'" for name in SHAREABLE_FIELDS)
        otherwise = "field" if column == "path" else "NULL"
        return f"CASE WHEN field IN ({allowed}) THEN {quoted} ELSE {otherwise} END AS {quoted}"
    return f"CAST(NULL AS {data_type}) AS {quoted}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
