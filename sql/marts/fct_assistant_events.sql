-- Grain: a version of an assistant that a sync observed, or a deletion.
-- Question: what happened in the account, when, and to which assistant?

with versions as (
    select
        *,
        lead(is_return) over (partition by assistant_id order by version_number) as is_return_next
    from marts.fct_assistant_versions
)

select
    assistant_id,
    version_number,
    user_id,

    case
        when is_first then 'new'
        when is_return then 'returned'
        when is_silent then 'silently changed'
        else 'changed'
    end as event,
    summary,

    changed_fields_count,

    is_silent,

    valid_from as observed_at
from versions

union all

-- A version ends with the next one, or with a deletion: of the last version, or before a return.
select
    assistant_id,
    version_number,
    user_id,

    'deleted' as event,
    null as summary,

    0 as changed_fields_count,

    false as is_silent,

    valid_to as observed_at
from versions
where valid_to is not null
    and coalesce(is_return_next, true)
