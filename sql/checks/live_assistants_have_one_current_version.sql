-- Claim: each live assistant has exactly one current version, with the content that staging shows; a deleted one none.
-- Identity: the end of the history is the present.

with assistants as (
    select
        assistant_id,
        content_hash,
        is_live
    from staging.stg_assistants
),

current_versions as (
    select
        assistant_id,
        count(*) as versions_count,
        max(content_hash) as content_hash
    from marts.fct_assistant_versions
    where is_current
    group by assistant_id
)

select
    assistants.assistant_id,
    assistants.is_live,
    coalesce(current_versions.versions_count, 0) as current_versions_count
from assistants
left join current_versions on assistants.assistant_id = current_versions.assistant_id
where coalesce(current_versions.versions_count, 0) <> case when assistants.is_live then 1 else 0 end
    or current_versions.content_hash <> assistants.content_hash
