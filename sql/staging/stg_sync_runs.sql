-- Grain: a sync that published.
-- Question: when did each sync run, and what did it find?

select
    run_id,

    drift,
    notes,

    pages as pages_count,
    received as received_count,
    seen as seen_count,
    api_count,
    new as new_count,
    changed as changed_count,
    silent as silent_count,
    unchanged as unchanged_count,
    older as older_count,
    deleted as deleted_count,
    returned as returned_count,
    held as held_count,
    rejected as rejected_count,
    set_aside as set_aside_count,
    users_changed as users_changed_count,
    voices_changed as voices_changed_count,
    versions as versions_count,
    rows_loaded as rows_loaded_count,
    retries as retries_count,
    walks as walks_count,
    walk_seconds,
    load_seconds,
    models_seconds,
    checks_seconds,
    total_seconds,

    is_complete,
    coalesce(is_settled, is_complete) as is_settled,
    is_exact,

    settled_from,
    settled_until,
    started_at,
    finished_at
from main.sync_runs
