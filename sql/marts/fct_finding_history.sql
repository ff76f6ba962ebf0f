-- Grain: a finding that a build has listed, since release 0.3 first built this table.
-- Question: when was a finding first and last seen, and when was it resolved?

-- The model reads itself: what it was after the build before, and nothing in the first build.
with listed as (
    select
        finding_id,
        assistant_id,
        rule,
        severity,
        place,
        is_accepted,
        first_seen_at
    from marts.rpt_config_findings
),

known as (
    select
        finding_id,
        assistant_id,
        rule,
        severity,
        place,
        first_seen_at,
        last_seen_at,
        resolved_at
    from marts.fct_finding_history
),

-- Nobody can say whether the findings of these are resolved.
withheld as (
    select rule
    from marts.dim_finding_rules
    where not is_run
),

-- The newest moment that the data tell. It is not the clock, so building again changes nothing.
moments as (
    select as_of_at as observed_at
    from staging.stg_as_of

    union all

    select valid_from as observed_at
    from marts.fct_assistant_versions

    union all

    select deleted_at as observed_at
    from staging.stg_assistants
),

newest as (
    select max(observed_at) as observed_at
    from moments
)

select
    coalesce(listed.finding_id, known.finding_id) as finding_id,
    coalesce(listed.assistant_id, known.assistant_id) as assistant_id,

    coalesce(listed.rule, known.rule) as rule,
    coalesce(listed.severity, known.severity) as severity,
    coalesce(listed.place, known.place) as place,

    listed.finding_id is not null and not listed.is_accepted as is_open,
    coalesce(listed.is_accepted, false) as is_accepted,

    least(listed.first_seen_at, known.first_seen_at) as first_seen_at,
    case when listed.finding_id is null then known.last_seen_at else newest.observed_at end as last_seen_at,
    case
        when listed.finding_id is not null then null
        when withheld.rule is not null then known.resolved_at
        else coalesce(known.resolved_at, newest.observed_at)
    end as resolved_at
from listed
full join known on listed.finding_id = known.finding_id
left join withheld on known.rule = withheld.rule
cross join newest
