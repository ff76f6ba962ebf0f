-- Grain: a finding that follows from the configuration of one assistant alone.
-- Question: since which version has it been there? (rpt_config_findings adds what follows from several assistants.)

with findings as (
    select distinct on (finding_id)
        finding_id,
        assistant_id,
        rule,
        place,
        excerpt,
        conditions
    from intermediate.int_findings
    order by finding_id
),

versions as (
    select
        assistant_id,
        version_number,
        valid_from
    from intermediate.int_validity
),

conditions as (
    select
        finding_id,
        assistant_id,
        unnest(conditions) as condition
    from findings
),

deciding_fields as (
    select distinct
        assistant_id,
        condition['field'] as field
    from conditions
),

-- Each value that a deciding field has had, with the version that set it. A missing field counts as null.
first_values as (
    select
        deciding_fields.assistant_id,
        deciding_fields.field,
        first_versions.version_number,
        json_extract(configurations.config, '$.' || deciding_fields.field) as value
    from deciding_fields
    inner join versions as first_versions
        on deciding_fields.assistant_id = first_versions.assistant_id
        and first_versions.version_number = 1
    inner join staging.stg_assistant_versions as configurations
        on first_versions.assistant_id = configurations.assistant_id
        and first_versions.valid_from = configurations.observed_at
),

later_values as (
    select
        changes.assistant_id,
        changes.field,
        changes.version_number,
        changes.new_value as value
    from intermediate.int_field_changes as changes
    inner join deciding_fields
        on changes.assistant_id = deciding_fields.assistant_id
        and changes.field = deciding_fields.field
),

field_values as (
    select * from first_values

    union all

    select * from later_values
),

field_history as (
    select
        assistant_id,
        field,
        version_number,
        coalesce(cast(value as varchar), 'null') as value,
        last_value(coalesce(cast(value as varchar), 'null')) over whole_history as current_value,
        lead(version_number) over (partition by assistant_id, field order by version_number) as next_version_number
    from field_values
    window whole_history as (
        partition by assistant_id, field order by version_number
        rows between unbounded preceding and unbounded following
    )
),

-- The condition has been true since the value that followed the last value for which it was false.
condition_starts as (
    select
        conditions.finding_id,
        conditions.assistant_id,
        coalesce(max(field_history.next_version_number) filter (
            where not case conditions.condition.state
                when 'contains'
                    then contains(field_history.value, cast(to_json(conditions.condition.text) as varchar)[2:-2])
                when 'lacks' then not contains(field_history.value, cast(to_json(conditions.condition.text) as varchar))
                when 'blank' then regexp_full_match(field_history.value, 'null|\[\]|"(\\[nrt]|\s)*"')
                when 'filled' then not regexp_full_match(field_history.value, 'null|\[\]|"(\\[nrt]|\s)*"')
                else field_history.value = field_history.current_value
            end
        ), 1) as version_number
    from conditions
    inner join field_history
        on conditions.assistant_id = field_history.assistant_id
        and conditions.condition.field = field_history.field
    group by conditions.finding_id, conditions.assistant_id, conditions.condition
),

starts as (
    select
        finding_id,
        assistant_id,
        max(version_number) as version_number
    from condition_starts
    group by finding_id, assistant_id
)

select
    findings.finding_id,
    findings.assistant_id,

    findings.rule,
    findings.place,
    findings.excerpt,

    versions.valid_from as first_seen_at
from findings
left join starts on findings.finding_id = starts.finding_id
left join versions
    on starts.assistant_id = versions.assistant_id
    and starts.version_number = versions.version_number
