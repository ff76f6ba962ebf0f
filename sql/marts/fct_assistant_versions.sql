-- Grain: a version of an assistant's configuration that a sync observed.
-- Question: what held when, and how much did each version change?

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

settings as (
    select
        assistant_id,
        version_number,
        assistant_name
    from intermediate.int_version_settings
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
    validity.content_hash,

    coalesce(changes.changed_fields_count, 0) as changed_fields_count,

    validity.version_number = 1 as is_first,
    validity.is_current,
    validity.is_silent,
    validity.is_return,

    validity.valid_from,
    validity.valid_to,
    validity.updated_at
from validity
inner join settings
    on validity.assistant_id = settings.assistant_id
    and validity.version_number = settings.version_number
left join changes
    on validity.assistant_id = changes.assistant_id
    and validity.version_number = changes.version_number
