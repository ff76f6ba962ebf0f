-- Claim: every sync that published is listed once.
-- Identity: rpt_sync_health = stg_sync_runs.

select
    runs.run_id,
    health.run_id as listed_run_id
from staging.stg_sync_runs as runs
full join marts.rpt_sync_health as health on runs.run_id = health.run_id
where runs.run_id is null or health.run_id is null
