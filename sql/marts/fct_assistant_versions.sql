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
        json_extract(config, ['$.name', '$.assistant_type', '$.model', '$.call_recording_enabled']) as settings
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
        coalesce(cast(settings[4] as varchar) = 'true', false) as is_recorded
    from configurations
),

changes as (
    select
        assistant_id,
        version_number,
        count(*) as changed_fields_count
    from marts.fct_config_changes
    group by assistant_id, version_number
)

select
    validity.assistant_id,
    validity.version_number,

    settings.assistant_name,
    settings.assistant_type,
    settings.model,
    validity.content_hash,

    coalesce(changes.changed_fields_count, 0) as changed_fields_count,

    validity.version_number = 1 as is_first,
    validity.is_current,
    validity.is_silent,
    validity.is_return,
    settings.is_recorded,

    validity.valid_from,
    validity.valid_to,
    validity.updated_at
from validity
inner join settings
    on validity.assistant_id = settings.assistant_id
    and validity.valid_from = settings.observed_at
left join changes
    on validity.assistant_id = changes.assistant_id
    and validity.version_number = changes.version_number
