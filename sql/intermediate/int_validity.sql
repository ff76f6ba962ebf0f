-- Grain: a version of an assistant's configuration.
-- Question: from when to when did each version hold? A version ends with the next one, or with a deletion before it.

with versions as (
    select
        assistant_id,
        version_number,
        content_hash,
        is_silent,
        observed_at,
        updated_at,
        previous_deleted_at
    from staging.stg_assistant_versions
),

assistants as (
    select
        assistant_id,
        is_live,
        deleted_at
    from staging.stg_assistants
),

followed as (
    select
        *,
        lead(version_number) over (partition by assistant_id order by version_number) is null as is_last,
        lead(coalesce(previous_deleted_at, observed_at)) over (
            partition by assistant_id order by version_number
        ) as ended_at
    from versions
)

select
    followed.assistant_id,
    followed.version_number,

    followed.content_hash,

    followed.is_silent,
    followed.previous_deleted_at is not null as is_return,
    followed.is_last and assistants.is_live as is_current,

    followed.observed_at as valid_from,
    case when followed.is_last then assistants.deleted_at else followed.ended_at end as valid_to,
    followed.updated_at,
    followed.previous_deleted_at
from followed
inner join assistants
    on followed.assistant_id = assistants.assistant_id
