-- Grain: one row.
-- Question: up to when do reports count? Up to the last sync, not up to the reader's clock.

-- Both values change once a day and not with each sync, so that a sync without news rebuilds nothing that counts days.
with finishes as (
    select
        finished_at,
        cast(finished_at at time zone 'UTC' as date) as finished_date
    from main.sync_runs
),

last_day as (
    select max(finished_date) as as_of_date
    from finishes
)

select
    last_day.as_of_date,
    min(finishes.finished_at) as as_of_at
from last_day
left join finishes on last_day.as_of_date = finishes.finished_date
group by last_day.as_of_date
