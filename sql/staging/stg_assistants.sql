-- Grain: an assistant that a sync has ever seen, live or deleted.
-- Question: how is each assistant configured now (or was, when it was deleted)?

-- A text that is empty, or only white space, is NULL, here and in all views of staging. There are two exceptions:
-- prompts, because their length is compared with that of their versions, and the values of variables.

select
    assistant_id,
    user_id,
    voice_id,

    case when regexp_matches(name, '\S') then name end as assistant_name,
    case when regexp_matches(assistant_type, '\S') then assistant_type end as assistant_type,
    case when regexp_matches(model, '\S') then model end as model,
    prompt,
    case when regexp_matches(who_speaks_first, '\S') then who_speaks_first end as who_speaks_first,
    case when regexp_matches(begin_message, '\S') then begin_message end as begin_message,
    case when regexp_matches(phone_number, '\S') then phone_number end as phone_number,
    case when regexp_matches(timezone, '\S') then timezone end as timezone,
    case when regexp_matches(knowledge_base, '\S') then knowledge_base end as knowledge_base,
    case when regexp_matches(custom_knowledge_base, '\S') then custom_knowledge_base end as custom_knowledge_base,
    case when regexp_matches(avatar, '\S') then avatar end as avatar_url,
    case when regexp_matches(post_analysis, '\S') then post_analysis end as post_analysis,
    case when regexp_matches(tools, '\S') then tools end as tools,
    case when regexp_matches(chatbot_logo, '\S') then chatbot_logo end as chatbot_logo_url,
    case when regexp_matches(chatbot_accent_color, '\S') then chatbot_accent_color end as chatbot_accent_color,
    case when regexp_matches(chatbot_faq, '\S') then chatbot_faq end as chatbot_faq,
    case when regexp_matches(chatbot_begin_message, '\S') then chatbot_begin_message end as chatbot_begin_message,
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
