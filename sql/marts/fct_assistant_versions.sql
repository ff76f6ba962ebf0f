-- Grain: a version of an assistant's configuration that a sync observed.
-- Question: which configuration was valid when, and how much did each version change?

with validity as (
    select
        assistant_id,
        version_number,
        content_hash,
        is_silent,
        is_return,
        is_current,
        valid_from,
        valid_to,
        updated_at
    from intermediate.int_validity
),

configurations as (
    select
        assistant_id,
        observed_at,
        json_extract(
            config,
            ['$.name', '$.assistant_type', '$.model', '$.call_recording_enabled', '$.user_id', '$.voice_id']
        ) as settings
    from staging.stg_assistant_versions
),

-- A name, type or model that is not a string, or is blank, is NULL, as in stg_assistants.
settings as (
    select
        assistant_id,
        observed_at,
        case when json_type(settings[1]) = 'VARCHAR' and regexp_matches(settings[1] ->> '$', '\S')
                then settings[1] ->> '$'
        end as assistant_name,
        case when json_type(settings[2]) = 'VARCHAR' and regexp_matches(settings[2] ->> '$', '\S')
                then settings[2] ->> '$'
        end as assistant_type,
        case when json_type(settings[3]) = 'VARCHAR' and regexp_matches(settings[3] ->> '$', '\S')
                then settings[3] ->> '$'
        end as model,
        coalesce(cast(settings[4] as varchar) = 'true', false) as is_recorded,
        settings[5] ->> '$' as user_id,
        settings[6] ->> '$' as voice_id
    from configurations
),

changes as (
    select
        assistant_id,
        version_number,
        count(*) as changed_fields_count
    from marts.fct_config_changes
    group by assistant_id, version_number
),

words as (
    select
        assistant_id,
        version_number,
        summary
    from intermediate.int_change_words
),

-- The time of a change is updated_at, unless the change was silent or a sync had seen it before that time.
prompt_changes as (
    select
        versions.assistant_id,
        versions.version_number,
        case
            when versions.is_silent then versions.valid_from
            else least(coalesce(versions.updated_at, versions.valid_from), versions.valid_from)
        end as prompt_changed_at
    from validity as versions
    semi join intermediate.int_prompt_changes as prompts
        on versions.assistant_id = prompts.assistant_id
        and versions.version_number = prompts.version_number
)

select
    validity.assistant_id,
    validity.version_number,

    settings.assistant_name,
    settings.assistant_type,
    settings.model,
    settings.user_id,
    settings.voice_id,
    validity.content_hash,
    words.summary,

    coalesce(changes.changed_fields_count, 0) as changed_fields_count,
    date_diff('microsecond', validity.valid_from, validity.valid_to) / 86400e6 as valid_days,

    validity.version_number = 1 as is_first,
    validity.is_current,
    validity.is_silent,
    validity.is_return,
    settings.is_recorded,

    validity.valid_from,
    validity.valid_to,
    validity.updated_at,
    last_value(prompt_changes.prompt_changed_at ignore nulls) over (
        partition by validity.assistant_id order by validity.version_number
    ) as prompt_changed_at
from validity
inner join settings
    on validity.assistant_id = settings.assistant_id
    and validity.valid_from = settings.observed_at
left join changes
    on validity.assistant_id = changes.assistant_id
    and validity.version_number = changes.version_number
left join words
    on validity.assistant_id = words.assistant_id
    and validity.version_number = words.version_number
left join prompt_changes
    on validity.assistant_id = prompt_changes.assistant_id
    and validity.version_number = prompt_changes.version_number
