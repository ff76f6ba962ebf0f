-- Claim: the fleet of the last day has the same counts by type and model as dim_assistants.
-- Identity: fct_daily_fleet (last day) = dim_assistants (live).

with last_day as (
    select
        assistant_type,
        model,
        assistants_count,
        recorded_assistants_count
    from marts.fct_daily_fleet
    qualify date = max(date) over ()
),

live_assistants as (
    select
        coalesce(assistant_type, '(none)') as assistant_type,
        coalesce(model, '(none)') as model,
        count(*) as assistants_count,
        count(*) filter (where is_recorded) as recorded_assistants_count
    from marts.dim_assistants
    where is_live
    group by coalesce(assistant_type, '(none)'), coalesce(model, '(none)')
)

select
    coalesce(last_day.assistant_type, live_assistants.assistant_type) as assistant_type,
    coalesce(last_day.model, live_assistants.model) as model,
    coalesce(last_day.assistants_count, 0) as last_day_count,
    coalesce(live_assistants.assistants_count, 0) as live_count
from last_day
full join live_assistants
    on last_day.assistant_type = live_assistants.assistant_type
    and last_day.model = live_assistants.model
where coalesce(last_day.assistants_count, 0) <> coalesce(live_assistants.assistants_count, 0)
    or coalesce(last_day.recorded_assistants_count, 0) <> coalesce(live_assistants.recorded_assistants_count, 0)
