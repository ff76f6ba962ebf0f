-- Grain: a version that changed a field.
-- Question: what did the version change, in words that fit on one line?

-- Without prompts and personal data, so that every reader may have it: values of the settings that
-- `puretalk dashboard --no-prompts` shares, numbers of lines of the prompts, and the name of everything else.
with changes as (
    select
        assistant_id,
        version_number,
        field,
        change_kind,
        path = field and field in (
            'assistant_type', 'model', 'timezone', 'who_speaks_first', 'behavior', 'call_recording_enabled',
            'voice_stability', 'voice_clarity_similarity', 'voice_stream_latency_optimization', 'voice_boost',
            'voice_speed', 'reminder_message_frequency', 'max_reminder_messages', 'chatbot_accent_color'
        ) as has_values,
        case field
            when 'begin_message' then 'greeting'
            when 'call_recording_enabled' then 'recording'
            when 'llm_states' then 'states'
            when 'user_id' then 'owner'
            when 'voice_id' then 'voice'
            else replace(field, '_', ' ')
        end as label,
        old_value,
        new_value
    from marts.fct_config_changes
),

settings as (
    select
        assistant_id,
        version_number,
        label,
        case
            when coalesce(cast(old_value as varchar), 'null') in ('null', '""') then 'none'
            when cast(old_value as varchar) = 'true' then 'on'
            when cast(old_value as varchar) = 'false' then 'off'
            else old_value ->> '$'
        end as old_words,
        case
            when coalesce(cast(new_value as varchar), 'null') in ('null', '""') then 'none'
            when cast(new_value as varchar) = 'true' then 'on'
            when cast(new_value as varchar) = 'false' then 'off'
            else new_value ->> '$'
        end as new_words
    from changes
    where has_values
),

texts as (
    select
        assistant_id,
        version_number,
        case when is_state_prompt then 'states' else 'prompt' end as label,
        sum(lines_added) as lines_added,
        sum(lines_removed) as lines_removed
    from marts.fct_prompt_versions
    where change_kind = 'changed'
    group by assistant_id, version_number, label
),

others as (
    select
        assistant_id,
        version_number,
        label,
        count(*) as changes_count,
        min(change_kind) as first_kind,
        max(change_kind) as last_kind
    from changes
    where not has_values
    group by assistant_id, version_number, label
),

words as (
    select
        assistant_id,
        version_number,
        label,
        label
        || ' ' || case when length(old_words) > 40 then left(old_words, 39) || '…' else old_words end
        || ' → ' || case when length(new_words) > 40 then left(new_words, 39) || '…' else new_words end as part
    from settings

    union all

    select
        others.assistant_id,
        others.version_number,
        others.label,
        others.label
        || case
            when texts.lines_added + texts.lines_removed > 0
                then ' +' || texts.lines_added || ' −' || texts.lines_removed
            when others.first_kind = others.last_kind then ' ' || others.first_kind
            else ' changed'
        end
        || case when others.changes_count > 1 then ' (' || others.changes_count || ')' else '' end as part
    from others
    left join texts
        on others.assistant_id = texts.assistant_id
        and others.version_number = texts.version_number
        and others.label = texts.label
)

select
    assistant_id,
    version_number,
    string_agg(part, ', ' order by label <> 'prompt', label <> 'states', part) as summary
from words
group by assistant_id, version_number
