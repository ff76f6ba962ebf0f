-- Grain: a field path that a version changed.
-- Question: what changed, when, in which assistant, from what to what?

with value_changes as (
    select
        assistant_id,
        version_number,
        field,
        parent_path,
        path,
        old_value,
        new_value,
        is_order
    from intermediate.int_value_changes
    where not is_part
),

versions as (
    select
        assistant_id,
        version_number,
        is_silent,
        observed_at,
        updated_at
    from staging.stg_assistant_versions
),

-- A value whose items changed is replaced by them.
changes as (
    select value_changes.*
    from value_changes
    left join value_changes as items
        on value_changes.assistant_id = items.assistant_id
        and value_changes.version_number = items.version_number
        and value_changes.path = items.parent_path
    where items.path is null
)

select
    changes.assistant_id,
    changes.version_number,

    changes.path,
    changes.field,
    case
        when changes.field in ('name', 'assistant_type', 'avatar', 'timezone', 'behavior', 'created_at') then 'identity'
        when changes.field = 'prompt' then 'prompt'
        when changes.field in ('begin_message', 'who_speaks_first') then 'conversation'
        when starts_with(changes.field, 'voice_') then 'voice'
        when changes.field = 'model' then 'model'
        when changes.field = 'call_recording_enabled' then 'recording'
        when changes.field in ('reminder_message_frequency', 'max_reminder_messages') then 'reminders'
        when changes.field in ('knowledge_base', 'custom_knowledge_base') then 'knowledge'
        when starts_with(changes.field, 'chatbot_') then 'chatbot'
        when changes.field = 'llm_states' then 'states'
        when changes.field = 'tools' then 'tools'
        when changes.field = 'variables' then 'variables'
        when changes.field = 'post_analysis' then 'analysis'
        when changes.field = 'phone_number' then 'phone'
        when changes.field = 'user_id' then 'owner'
        else 'other'
    end as area,
    case
        when changes.is_order then 'moved'
        when changes.old_value is null then 'added'
        when changes.new_value is null then 'removed'
        else 'changed'
    end as change_kind,
    changes.old_value,
    changes.new_value,

    versions.is_silent,

    versions.observed_at,
    previous.observed_at as previous_observed_at,
    versions.updated_at
from changes
inner join versions
    on changes.assistant_id = versions.assistant_id
    and changes.version_number = versions.version_number
inner join versions as previous
    on changes.assistant_id = previous.assistant_id
    and changes.version_number = previous.version_number + 1
