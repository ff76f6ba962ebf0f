-- Claim: each variable that a live assistant declares is listed as declared; each listed one is declared or used.
-- Identity: rpt_variable_usage (declared) = distinct names in dim_assistants' variables.

with live_assistants as (
    select assistant_id
    from staging.stg_assistants
    where is_live
),

declared as (
    select
        variables.assistant_id,
        count(distinct trim(variables.variable)) as names_count
    from staging.stg_assistant_variables as variables
    inner join live_assistants on variables.assistant_id = live_assistants.assistant_id
    where trim(variables.variable) <> ''
    group by variables.assistant_id
),

listed as (
    select
        assistant_id,
        count(*) filter (where is_declared) as names_count,
        count(*) filter (where not is_declared and not is_used) as stray_count
    from marts.rpt_variable_usage
    group by assistant_id
)

select
    coalesce(declared.assistant_id, listed.assistant_id) as assistant_id,
    coalesce(declared.names_count, 0) as declared_count,
    coalesce(listed.names_count, 0) as listed_count
from declared
full join listed on declared.assistant_id = listed.assistant_id
where coalesce(declared.names_count, 0) <> coalesce(listed.names_count, 0)
    or listed.stray_count > 0
