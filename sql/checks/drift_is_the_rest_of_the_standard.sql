-- Claim: for each setting, the deviating and the standard assistants together are the live fleet.
-- Identity: rows of rpt_standard_drift = (1 - standard_share) * live assistants.

with live_assistants as (
    select count(*) as assistants_count
    from marts.dim_assistants
    where is_live
),

drift as (
    select
        setting,
        count(*) as deviating_count,
        count(distinct standard_value) as standards_count,
        max(standard_share) as standard_share
    from marts.rpt_standard_drift
    group by setting
)

select
    drift.setting,
    drift.deviating_count,
    live_assistants.assistants_count
from drift
cross join live_assistants
where drift.standards_count <> 1
    or drift.deviating_count <> round((1 - drift.standard_share) * live_assistants.assistants_count)
