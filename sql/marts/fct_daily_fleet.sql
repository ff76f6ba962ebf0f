-- Grain: a day (UTC), an assistant type and a model.
-- Question: how large was the fleet at the end of each day of its history, and how much of it was recorded?

with versions as (
    select
        valid_from,
        valid_to,
        coalesce(assistant_type, '(none)') as assistant_type,
        coalesce(model, '(none)') as model,
        case when is_recorded then 1 else 0 end as recorded
    from marts.fct_assistant_versions
),

-- A version adds an assistant on the day it begins and subtracts one on the day it ends.
steps as (
    select
        cast(valid_from as date) as date,
        assistant_type,
        model,
        1 as assistants,
        recorded
    from versions

    union all

    select
        cast(valid_to as date) as date,
        assistant_type,
        model,
        -1 as assistants,
        -recorded as recorded
    from versions
    where valid_to is not null
),

daily_steps as (
    select
        date,
        assistant_type,
        model,
        sum(assistants) as assistants,
        sum(recorded) as recorded
    from steps
    group by date, assistant_type, model
),

last_day as (
    select greatest(max(steps.date), max(as_of.as_of_date)) as date
    from steps
    cross join staging.stg_as_of as as_of
),

groups as (
    select
        assistant_type,
        model,
        min(date) as first_date
    from daily_steps
    group by assistant_type, model
),

days as (
    select
        groups.assistant_type,
        groups.model,
        cast(unnest(generate_series(
            cast(groups.first_date as timestamp), cast(last_day.date as timestamp), interval 1 day
        )) as date) as date
    from groups
    cross join last_day
),

totals as (
    select
        days.date,
        days.assistant_type,
        days.model,
        cast(sum(coalesce(daily_steps.assistants, 0)) over running as bigint) as assistants_count,
        cast(sum(coalesce(daily_steps.recorded, 0)) over running as bigint) as recorded_assistants_count
    from days
    left join daily_steps
        on days.date = daily_steps.date
        and days.assistant_type = daily_steps.assistant_type
        and days.model = daily_steps.model
    window running as (partition by days.assistant_type, days.model order by days.date)
)

select
    date,

    assistant_type,
    model,

    assistants_count,
    recorded_assistants_count,
    cast(recorded_assistants_count as double) / nullif(assistants_count, 0) as recorded_share
from totals
order by date, assistant_type, model
