-- Claim: the history has each finding that is listed, and calls no other one of a rule that runs unresolved.
-- Identity: fct_finding_history without resolved_at, of rules that run = rpt_config_findings.

with withheld as (
    select rule
    from marts.dim_finding_rules
    where not is_run
),

unresolved as (
    select
        finding_id,
        is_open,
        is_accepted
    from marts.fct_finding_history
    where resolved_at is null
        and rule not in (select withheld.rule from withheld)
),

listed as (
    select
        finding_id,
        is_accepted
    from marts.rpt_config_findings
)

select
    coalesce(unresolved.finding_id, listed.finding_id) as finding_id,
    unresolved.is_accepted as accepted_in_history,
    listed.is_accepted as accepted_in_the_list
from unresolved
full join listed on unresolved.finding_id = listed.finding_id
where unresolved.finding_id is null
    or listed.finding_id is null
    or unresolved.is_accepted <> listed.is_accepted
    or unresolved.is_open = listed.is_accepted
