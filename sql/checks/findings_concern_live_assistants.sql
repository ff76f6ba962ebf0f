-- Claim: each finding belongs to a live assistant and a known rule, and was first seen in one of its versions.
-- Identity: first_seen_at is the beginning of a version.

with findings as (
    select
        finding_id,
        assistant_id,
        rule,
        first_seen_at
    from marts.rpt_config_findings
),

assistants as (
    select assistant_id
    from marts.dim_assistants
    where is_live
),

rules as (
    select rule
    from marts.dim_finding_rules
),

versions as (
    select
        assistant_id,
        valid_from
    from marts.fct_assistant_versions
)

select
    findings.finding_id,
    findings.assistant_id,
    findings.rule
from findings
left join assistants on findings.assistant_id = assistants.assistant_id
left join rules on findings.rule = rules.rule
left join versions
    on findings.assistant_id = versions.assistant_id
    and findings.first_seen_at = versions.valid_from
where assistants.assistant_id is null
    or rules.rule is null
    or versions.valid_from is null
