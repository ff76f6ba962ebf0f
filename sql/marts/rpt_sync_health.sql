-- Grain: a sync that published.
-- Question: are the syncs regular, exact and fast, and are they getting slower?

with runs as (
    select
        *,
        rows_loaded_count = 0 as is_quiet
    from staging.stg_sync_runs
),

compared as (
    select
        *,
        median(total_seconds) over (
            partition by is_quiet order by started_at, run_id rows between 100 preceding and 1 preceding
        ) as usual_seconds
    from runs
)

select
    run_id,

    pages_count,
    walks_count,
    retries_count,
    seen_count,
    coalesce(new_count, 0) + coalesce(changed_count, 0) + coalesce(silent_count, 0) + coalesce(returned_count, 0)
        as loaded_count,
    unchanged_count,
    deleted_count,
    held_count,
    rejected_count,
    case when drift is null then 0 else cast(coalesce(len(json_keys(drift)), 0) as bigint) end as drift_fields_count,
    cast(date_diff('millisecond', started_at, finished_at) as double) / 1000 as duration_seconds,
    cast(date_diff('second', lag(started_at) over (order by started_at, run_id), started_at) as double) / 3600
        as hours_since_previous,
    walk_seconds,
    load_seconds,
    models_seconds,
    checks_seconds,
    total_seconds,
    usual_seconds,
    total_seconds / nullif(usual_seconds, 0) as usual_ratio,

    is_quiet,
    is_complete,
    is_settled,
    is_exact,

    settled_from,
    settled_until,
    started_at,
    finished_at
from compared
order by started_at, run_id
