-- Claim: a version has changes if and only if it differs from the previous one in more than updated_at.
-- Identity: a version without changes has the hash of the previous one, or another updated_at.

with versions as (
    select
        assistant_id,
        version_number,
        changed_fields_count,
        content_hash,
        updated_at,
        lag(content_hash) over history as previous_content_hash,
        lag(updated_at) over history as previous_updated_at
    from marts.fct_assistant_versions
    window history as (partition by assistant_id order by version_number)
)

select
    assistant_id,
    version_number,
    changed_fields_count
from versions
where version_number > 1
    and (
        (changed_fields_count > 0 and content_hash = previous_content_hash)
        or (
            changed_fields_count = 0
            and content_hash <> previous_content_hash
            and updated_at is not distinct from previous_updated_at
            and updated_at is not null
        )
    )
