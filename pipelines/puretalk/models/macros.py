"""Table macros in a snapshot: questions with a parameter. A build creates them after the models.

A macro names tables without the database, so that it works in a file of any name; a client that attached the file must
`USE` it first.
"""

from __future__ import annotations

import duckdb

#: Assistants at a moment. It reads the tables of the normalized layer only, and uses what DuckDB 1.4 has, because the
#: client expands it: DuckDB 1.4 does not find the WITH of a macro that DuckDB 2.0 stored.
FLEET_AS_OF = """
CREATE OR REPLACE MACRO marts.fleet_as_of(moment) AS TABLE
SELECT
    valid.assistant_id,
    json_extract_string(valid.config, '$.user_id') AS user_id,
    json_extract_string(valid.config, '$.voice_id') AS voice_id,
    valid.version_number,
    json_extract_string(valid.config, '$.name') AS assistant_name,
    coalesce(nullif(trim(users.name), ''), users.email, users.user_id) AS owner_name,
    voices.name AS voice_name,
    voices.language AS voice_language,
    json_extract_string(valid.config, '$.assistant_type') AS assistant_type,
    json_extract_string(valid.config, '$.model') AS model,
    json_extract_string(valid.config, '$.timezone') AS timezone,
    json_extract_string(valid.config, '$.who_speaks_first') AS who_speaks_first,
    json_extract_string(valid.config, '$.phone_number') AS phone_number,
    json_extract_string(valid.config, '$.begin_message') AS begin_message,
    json_extract_string(valid.config, '$.prompt') AS prompt,
    coalesce(length(json_extract_string(valid.config, '$.prompt')), 0) AS prompt_characters,
    coalesce(json_extract_string(valid.config, '$.call_recording_enabled') = 'true', false) AS is_recorded,
    valid.is_silent,
    valid.observed_at AS valid_from,
    valid.valid_to,
    valid.updated_at,
    valid.config
FROM (
    SELECT
        versions.*,
        coalesce(versions.next_at, assistants.deleted_at) AS valid_to
    FROM (
        SELECT
            assistant_id,
            row_number() OVER (PARTITION BY assistant_id ORDER BY observed_at) AS version_number,
            config,
            is_silent,
            observed_at,
            updated_at,
            lead(coalesce(previous_deleted_at, observed_at)) OVER (
                PARTITION BY assistant_id ORDER BY observed_at
            ) AS next_at
        FROM main.assistant_versions
    ) AS versions
    INNER JOIN main.assistants AS assistants ON versions.assistant_id = assistants.assistant_id
    WHERE versions.observed_at <= CAST(moment AS TIMESTAMP WITH TIME ZONE)
) AS valid
LEFT JOIN main.users AS users ON json_extract_string(valid.config, '$.user_id') = users.user_id
LEFT JOIN main.voices AS voices ON json_extract_string(valid.config, '$.voice_id') = voices.voice_id
WHERE valid.valid_to IS NULL OR valid.valid_to > CAST(moment AS TIMESTAMP WITH TIME ZONE)
"""
_COMMENT = (
    "COMMENT ON MACRO TABLE marts.fleet_as_of IS 'The assistants that were live at a moment, as they were then: one "
    "row each. A moment without a time zone is in the time zone of the session.'"
)


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in the schema `marts`, where there is one and the tables that they read are."""
    [(is_there,)] = connection.execute(
        """SELECT count(*) = 2 FROM (
             SELECT schema_name FROM duckdb_schemas()
             WHERE database_name = current_database() AND schema_name = 'marts'
             UNION ALL
             SELECT table_name FROM duckdb_tables()
             WHERE database_name = current_database() AND schema_name = 'main' AND table_name = 'assistant_versions')"""
    ).fetchall()
    if is_there:
        connection.execute(FLEET_AS_OF)
        connection.execute(_COMMENT)
