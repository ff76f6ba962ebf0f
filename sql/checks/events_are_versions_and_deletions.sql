-- Claim: every version and every deletion is one event.
-- Identity: fct_assistant_events = fct_assistant_versions + the deletions of rpt_weekly_activity.

with events as (
    select
        count(*) filter (where event <> 'deleted') as versions_count,
        count(*) filter (where event = 'deleted') as deletions_count
    from marts.fct_assistant_events
),

versions as (
    select count(*) as versions_count
    from marts.fct_assistant_versions
),

activity as (
    select coalesce(sum(deleted_count), 0) as deletions_count
    from marts.rpt_weekly_activity
)

select
    events.versions_count,
    events.deletions_count,
    activity.deletions_count as expected_deletions_count
from events
cross join versions
cross join activity
where events.versions_count <> versions.versions_count
    or events.deletions_count <> activity.deletions_count
