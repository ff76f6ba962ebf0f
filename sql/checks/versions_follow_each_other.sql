-- Claim: the versions of an assistant do not overlap, and none ends before it begins.
-- Identity: at any moment at most one version holds.

with versions as (
    select
        assistant_id,
        version_number,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by assistant_id order by version_number) as next_valid_from
    from marts.fct_assistant_versions
)

select
    assistant_id,
    version_number,
    valid_from,
    valid_to
from versions
where valid_to < valid_from
    or valid_to > next_valid_from
    or (valid_to is null and next_valid_from is not null)
