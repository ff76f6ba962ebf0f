-- Claim: the weekly counts of created, changed and deleted assistants add up to what assistants and versions show.
-- Identity: sum(rpt_weekly_activity) = dim_assistants and fct_assistant_versions.

with activity as (
    select
        coalesce(sum(created_count), 0) as created,
        coalesce(sum(changed_count), 0) as changed,
        coalesce(sum(deleted_count), 0) as deleted
    from marts.rpt_weekly_activity
),

assistants as (
    select
        count(coalesce(created_at, first_seen_at)) as created,
        count(deleted_at) as deleted
    from marts.dim_assistants
),

versions as (
    select
        count(*) filter (where not is_first) as changed,
        count(*) filter (where is_return) as returned
    from marts.fct_assistant_versions
)

select
    activity.created,
    activity.changed,
    activity.deleted
from activity
cross join assistants
cross join versions
where activity.created <> assistants.created
    or activity.changed <> versions.changed
    or activity.deleted <> assistants.deleted + versions.returned
