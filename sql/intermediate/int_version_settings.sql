-- Grain: a version of an assistant's configuration.
-- Question: which of the settings that reports count by did each version have? (The one place that reads them.)

with versions as (
    select
        assistant_id,
        version_number,
        observed_at
    from staging.stg_assistant_versions
),

-- Numbered apart from the configurations: a window over long rows is slow.
configurations as (
    select
        assistant_id,
        observed_at,
        json_extract(config, ['$.name', '$.assistant_type', '$.model', '$.call_recording_enabled']) as settings
    from staging.stg_assistant_versions
)

-- A name, type or model that is no string is NULL, as it is in stg_assistants.
select
    versions.assistant_id,
    versions.version_number,

    case when json_type(settings[1]) = 'VARCHAR' then settings[1] ->> '$' end as assistant_name,
    case when json_type(settings[2]) = 'VARCHAR' then settings[2] ->> '$' end as assistant_type,
    case when json_type(settings[3]) = 'VARCHAR' then settings[3] ->> '$' end as model,

    coalesce(cast(settings[4] as varchar) = 'true', false) as is_recorded
from versions
inner join configurations
    on versions.assistant_id = configurations.assistant_id
    and versions.observed_at = configurations.observed_at
