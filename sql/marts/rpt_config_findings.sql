-- Grain: a finding of the audit in a live assistant.
-- Question: what is wrong in the fleet, where, how badly, and since when?

with findings as (
    select
        finding_id,
        assistant_id,
        rule,
        place,
        excerpt,
        first_seen_at
    from _internal.assistant_findings

    union all

    select
        finding_id,
        assistant_id,
        rule,
        place,
        excerpt,
        first_seen_at
    from intermediate.int_shared_findings
),

rules as (
    select
        rule,
        severity,
        severity_rank,
        title
    from marts.dim_finding_rules
),

assistants as (
    select
        assistant_id,
        user_id,
        assistant_name
    from staging.stg_assistants
)

select
    findings.finding_id,
    findings.assistant_id,
    assistants.user_id,

    assistants.assistant_name,
    findings.rule,
    rules.severity,
    rules.title,
    findings.place,
    findings.excerpt,

    rules.severity_rank,

    findings.first_seen_at
from findings
inner join rules on findings.rule = rules.rule
inner join assistants on findings.assistant_id = assistants.assistant_id
