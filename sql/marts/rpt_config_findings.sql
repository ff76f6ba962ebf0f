-- Grain: a finding of the audit in a live assistant.
-- Question: what is wrong in the fleet, where, how badly, since when, and is it accepted?

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
        assistant_name,
        count(*) filter (where is_live) over (partition by assistant_name) as namesakes_count
    from staging.stg_assistants
),

states as (
    select
        assistant_id,
        path,
        name_path
    from marts.dim_llm_states
),

entries as (
    select
        position,
        rule,
        assistant_pattern,
        is_pattern,
        place_pattern,
        reason,
        accepted_until
    from intermediate.int_accepted_findings
),

-- A name that several live assistants have is none: the entry could mean any of them.
acceptances as (
    select
        findings.finding_id,
        entries.position as accepted_entry,
        entries.reason as accepted_reason,
        entries.accepted_until
    from findings
    inner join assistants on findings.assistant_id = assistants.assistant_id
    inner join entries on findings.rule = entries.rule
    where (entries.place_pattern is null or findings.place like entries.place_pattern escape '!')
        and (
            entries.assistant_pattern is null
            or assistants.assistant_id like entries.assistant_pattern escape '!'
            or (
                assistants.assistant_name like entries.assistant_pattern escape '!'
                and (entries.is_pattern or assistants.namesakes_count = 1)
            )
        )
    qualify row_number() over (partition by findings.finding_id order by entries.position) = 1
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
    case
        when states.path is null then findings.place
        else concat_ws(
                ' > ',
                'States',
                states.name_path,
                case
                    when split_part(findings.place, ' ', 3) = 'tools'
                        then 'tool ' || (try_cast(split_part(findings.place, ' ', 4) as integer) + 1)
                end
            )
    end as place_name,
    findings.excerpt,
    acceptances.accepted_reason,

    rules.severity_rank,
    acceptances.accepted_entry,

    acceptances.finding_id is not null as is_accepted,

    findings.first_seen_at,
    acceptances.accepted_until
from findings
inner join rules on findings.rule = rules.rule
inner join assistants on findings.assistant_id = assistants.assistant_id
left join acceptances on findings.finding_id = acceptances.finding_id
left join states
    on findings.assistant_id = states.assistant_id
    and states.path = case when findings.place like 'llm_states %' then split_part(findings.place, ' ', 2) end
