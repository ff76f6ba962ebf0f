"""The tables of the assistants endpoint: every table and column is defined once, with type, key and meaning.

The dlt schema hints, the Arrow types of the rows, the comments in DuckDB and the printed data dictionary follow from
them. Names and types are a contract: tables and columns are added, never renamed or removed. A change needs a higher
version of `tables` (versions.py).
"""

from __future__ import annotations

from puretalk.schema import Column, ColumnType, Table


def _api(type_: ColumnType, name: str, description: str) -> Column:
    return Column(name, type_, description, api_field=name)


_ASSISTANT_ID = Column("assistant_id", "text", "Id of the assistant (a UUID given by the API).")
_CONTENT_HASH = (
    "SHA-256 (hex) of the canonical JSON of {}. It changes when, and only when, that JSON changes. "
    "Under a privacy policy: HMAC-SHA256 of the JSON as the API sent it."
)
_EXTRA = Column(
    "extra",
    "json",
    "JSON object with the fields of the API that have no column, and with values that do not fit their column's type "
    "(that column is then NULL). NULL when there are none.",
)

ASSISTANTS = Table(
    "assistants",
    grain="an assistant that a sync has ever seen, as the API last showed it",
    note="Deleted assistants stay in the table and have a deleted_at.",
    key=("assistant_id",),
    columns=(
        _api("text", "assistant_id", "Id of the assistant (a UUID given by the API)."),
        _api("text", "name", "Name of the assistant."),
        Column(
            "user_id",
            "text",
            "Owner of the assistant (key of users). NULL when the API gave no user with an e-mail, name or picture.",
        ),
        Column(
            "voice_id", "text", "Voice of the assistant (key of voices). NULL when the API gave no voice with an id."
        ),
        _api("text", "assistant_type", "Kind of assistant, for example single_prompt."),
        _api("text", "model", "Language model, for example puretalk-plg."),
        _api("text", "prompt", "Main prompt (system instruction); may contain {{variables}}."),
        _api("text", "who_speaks_first", "Who opens the call: user or assistant."),
        _api("text", "begin_message", "First message of the assistant in a phone call; may contain {{variables}}."),
        _api("text", "phone_number", "Phone number that the assistant answers, as the API writes it."),
        _api("text", "timezone", "Time zone of the assistant (IANA name, as entered)."),
        _api("text", "knowledge_base", "Reference to the knowledge base."),
        _api("text", "custom_knowledge_base", "Text of the custom knowledge base."),
        _api("text", "avatar", "URL of the assistant's picture."),
        _api("double", "voice_stability", "Stability of the voice (the API documents no range; its example is 0.5)."),
        _api(
            "double",
            "voice_clarity_similarity",
            "Clarity and similarity of the voice (the API documents no range; its example is 0.5).",
        ),
        _api("bigint", "voice_stream_latency_optimization", "Level of latency optimization (the API's own scale)."),
        _api("bool", "voice_boost", "Whether the voice is boosted."),
        _api("double", "voice_speed", "Speed of the voice (the API's own scale; 1 is normal)."),
        _api("bool", "call_recording_enabled", "Whether calls are recorded."),
        _api(
            "double",
            "reminder_message_frequency",
            "How often the assistant reminds a silent caller; the API does not document the unit.",
        ),
        _api("double", "max_reminder_messages", "Maximum number of reminders in a call."),
        _api("text", "post_analysis", "Definition of the analysis that follows a call; often JSON in a string."),
        _api("text", "tools", "Tools of the assistant; often JSON in a string."),
        _api("text", "chatbot_logo", "URL of the chatbot's logo."),
        _api("text", "chatbot_accent_color", "Accent colour of the chatbot, normally #rrggbb."),
        _api("text", "chatbot_faq", "Frequently asked questions of the chatbot; often JSON in a string."),
        _api("text", "chatbot_begin_message", "First message of the chatbot."),
        _api("bigint", "behavior", "Behaviour preset (an integer in the list endpoint)."),
        _api("timestamp", "created_at", "When the assistant was created, according to the API (UTC)."),
        _api(
            "timestamp",
            "updated_at",
            "When the assistant was last changed, according to the API (UTC). The API does not report every change: "
            "see assistant_versions.is_silent.",
        ),
        Column(
            "content_hash",
            "text",
            _CONTENT_HASH.format("the configuration (assistant_versions.config)"),
        ),
        Column("first_seen_at", "timestamp", "When a sync first saw the assistant (UTC)."),
        Column(
            "deleted_at", "timestamp", "When a sync found the assistant deleted (UTC); NULL when it is not deleted."
        ),
        _EXTRA,
    ),
)

USERS = Table(
    "users",
    grain="a user who owns, or once owned, an assistant",
    key=("user_id",),
    columns=(
        Column(
            "user_id",
            "text",
            "Key of the user: UUID v5 of the e-mail address, trimmed and in lower case; without one, of name and dp. "
            "Where a privacy policy hides users: made of the same with the secret.",
        ),
        _api("text", "name", "Name of the user."),
        _api("text", "dp", "URL of the user's picture."),
        _api("text", "email", "E-mail address, as the API writes it."),
        Column("content_hash", "text", _CONTENT_HASH.format("the user")),
        _EXTRA,
    ),
)

VOICES = Table(
    "voices",
    grain="a voice that an assistant uses, or once used",
    key=("voice_id",),
    columns=(
        _api("text", "voice_id", "Id of the voice, given by the API."),
        _api("text", "name", "Name of the voice."),
        _api("text", "avatar", "URL of the voice's picture."),
        _api("text", "gender", "Gender of the voice, according to the API."),
        _api("text", "demo_audio_url", "URL of an audio sample."),
        _api("bool", "is_cloned", "Whether the voice was cloned from a person."),
        _api("text", "language", "Language of the voice, according to the API."),
        _api("text", "description", "Description of the voice."),
        Column("content_hash", "text", _CONTENT_HASH.format("the voice")),
        _EXTRA,
    ),
)

_POSITION = Column("position", "bigint", "Position in the list, counted from 0.")
_ITEM = Column("item", "json", "The list item as canonical JSON: the values as the API sent them, the keys sorted.")

ASSISTANT_VARIABLES = Table(
    "assistant_variables",
    grain="a variable of an assistant, at its position in the list",
    key=("assistant_id", "position"),
    owner="assistant_id",
    columns=(
        _ASSISTANT_ID,
        _POSITION,
        Column("name", "text", "Name of the variable, as prompts use it: {{name}}."),
        Column(
            "value", "text", "Value of the variable; JSON text when it is not a string; NULL when the API gave none."
        ),
        _ITEM,
    ),
)

ASSISTANT_VOICE_EMOTIONS = Table(
    "assistant_voice_emotions",
    grain="an emotion of an assistant's voice, at its position in the list",
    key=("assistant_id", "position"),
    owner="assistant_id",
    columns=(
        _ASSISTANT_ID,
        _POSITION,
        Column("emotion", "text", "The emotion; NULL when the item is not a string."),
        _ITEM,
    ),
)

ASSISTANT_CHATBOT_DOMAINS = Table(
    "assistant_chatbot_domains",
    grain="a domain that may embed an assistant's chatbot, at its position in the list",
    key=("assistant_id", "position"),
    owner="assistant_id",
    columns=(
        _ASSISTANT_ID,
        _POSITION,
        Column("domain", "text", "The whitelisted domain, as entered; NULL when the item is not a string."),
        _ITEM,
    ),
)

_NODE = Column(
    "node",
    "bigint",
    "Number of the state in the assistant's state tree, counted from 0 in reading order (a state, then its children).",
)

ASSISTANT_LLM_STATES = Table(
    "assistant_llm_states",
    grain="a state (a node of the state tree, at any depth) of an assistant",
    key=("assistant_id", "node"),
    owner="assistant_id",
    columns=(
        _ASSISTANT_ID,
        _NODE,
        Column("parent_node", "bigint", "Node of the parent state; NULL for a state at the top."),
        Column("state_id", "text", "Id of the state, given by the API; not necessarily unique."),
        Column("parent_state_id", "text", "state_id of the parent; NULL for a state at the top."),
        Column("depth", "bigint", "Depth in the tree; 0 at the top."),
        Column(
            "path",
            "text",
            "The sibling_position of each state from the top to this one, joined by slashes, for example 0/2/1.",
        ),
        Column("sibling_position", "bigint", "Position among the children of the parent, counted from 0."),
        Column("name", "text", "Name of the state."),
        Column("description", "text", "Description of the state."),
        Column("prompt", "text", "Prompt of the state; may contain {{variables}}."),
        Column("x", "double", "Horizontal position in the editor (the API's own unit)."),
        Column("y", "double", "Vertical position in the editor (the API's own unit)."),
        Column("parameters", "json", "Parameters of the state as JSON."),
        Column(
            "extra",
            "json",
            "JSON object with the fields of the state that have no column, and with values that do not fit their "
            "column's type; the whole item when it is not an object. NULL when there are none.",
        ),
    ),
)

ASSISTANT_LLM_STATE_TOOLS = Table(
    "assistant_llm_state_tools",
    grain="a tool of a state, at its position in the list",
    key=("assistant_id", "node", "position"),
    owner="assistant_id",
    columns=(
        _ASSISTANT_ID,
        Column("node", "bigint", "Node of the state (assistant_llm_states.node)."),
        _POSITION,
        Column("type", "text", "Kind of tool, for example function."),
        Column("function_id", "text", "Id of the function (the API's functionId)."),
        Column("function_name", "text", "Name of the function."),
        Column("function_description", "text", "Description of the function."),
        Column("parameters", "json", "Parameters of the function as JSON (normally a JSON schema)."),
        _ITEM,
    ),
)

ASSISTANT_VERSIONS = Table(
    "assistant_versions",
    grain="a version of an assistant's configuration that a sync observed",
    note="Append-only. A change of a shared voice or user does not add a version: it changes voices or users instead.",
    key=("assistant_id", "observed_at"),
    columns=(
        _ASSISTANT_ID,
        Column("observed_at", "timestamp", "When the sync received this version (UTC)."),
        Column("updated_at", "timestamp", "When this version was made, according to the API (UTC)."),
        Column("content_hash", "text", "SHA-256 (hex) of config. Under a privacy policy: HMAC-SHA256 of the real one."),
        Column("is_silent", "bool", "Whether the content changed although updated_at did not."),
        Column(
            "previous_deleted_at",
            "timestamp",
            "When the assistant had been found deleted, if it came back with this version (UTC); else NULL.",
        ),
        Column(
            "config",
            "json",
            "The whole configuration as canonical JSON (sorted keys), with user_id and voice_id in place of the "
            "shared objects user and voice, and without updated_at (it has a column).",
        ),
    ),
)

#: Tables whose rows belong to one assistant and are replaced together with it.
CHILD_TABLES: tuple[Table, ...] = (
    ASSISTANT_VARIABLES,
    ASSISTANT_VOICE_EMOTIONS,
    ASSISTANT_CHATBOT_DOMAINS,
    ASSISTANT_LLM_STATES,
    ASSISTANT_LLM_STATE_TOOLS,
)

#: All tables of the endpoint, owners before their children.
ASSISTANT_TABLES: tuple[Table, ...] = (ASSISTANTS, USERS, VOICES, *CHILD_TABLES, ASSISTANT_VERSIONS)
