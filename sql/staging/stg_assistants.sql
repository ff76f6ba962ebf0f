-- Grain: an assistant that a sync has ever seen, live or deleted.
-- Question: how is each assistant configured now (or was, when it was deleted)?

select
    assistant_id,
    user_id,
    voice_id,

    name as assistant_name,
    assistant_type,
    model,
    prompt,
    who_speaks_first,
    begin_message,
    phone_number,
    timezone,
    knowledge_base,
    custom_knowledge_base,
    avatar as avatar_url,
    post_analysis,
    tools,
    chatbot_logo as chatbot_logo_url,
    chatbot_accent_color,
    chatbot_faq,
    chatbot_begin_message,
    content_hash,
    extra,

    voice_stability,
    voice_clarity_similarity,
    voice_stream_latency_optimization as voice_latency_optimization_level,
    voice_speed,
    reminder_message_frequency,
    max_reminder_messages,
    behavior,

    voice_boost as is_voice_boosted,
    call_recording_enabled as is_recorded,
    deleted_at is null as is_live,

    created_at,
    updated_at,
    first_seen_at,
    deleted_at
from main.assistants
