-- Grain: a week (from Monday, UTC) and an owner with activity in it.
-- Question: who created, changed and deleted how much, week by week?

with assistants as (
    select
        assistant_id,
        coalesce(user_id, '(none)') as user_id,
        coalesce(created_at, first_seen_at) as created_at,
        deleted_at
    from staging.stg_assistants
),

users as (
    select
        user_id,
        coalesce(user_name, email, user_id) as owner_name
    from staging.stg_users
),

versions as (
    select
        assistant_id,
        version_number,
        is_silent,
        observed_at,
        previous_deleted_at
    from staging.stg_assistant_versions
),

events as (
    select
        created_at as happened_at,
        user_id,
        assistant_id,
        'created' as event
    from assistants
    where created_at is not null

    union all

    select
        versions.observed_at as happened_at,
        assistants.user_id,
        versions.assistant_id,
        case when versions.is_silent then 'silent' else 'changed' end as event
    from versions
    inner join assistants on versions.assistant_id = assistants.assistant_id
    where versions.version_number > 1

    union all

    select
        deleted_at as happened_at,
        user_id,
        assistant_id,
        'deleted' as event
    from assistants
    where deleted_at is not null

    union all

    select
        versions.previous_deleted_at as happened_at,
        assistants.user_id,
        versions.assistant_id,
        'deleted' as event
    from versions
    inner join assistants on versions.assistant_id = assistants.assistant_id
    where versions.previous_deleted_at is not null
),

weekly as (
    select
        cast(date_trunc('week', cast(happened_at as date)) as date) as week_start_date,
        user_id,
        count(*) filter (where event = 'created') as created_count,
        count(*) filter (where event in ('changed', 'silent')) as changed_count,
        count(*) filter (where event = 'silent') as silent_changes_count,
        count(distinct case when event in ('changed', 'silent') then assistant_id end) as changed_assistants_count,
        count(*) filter (where event = 'deleted') as deleted_count
    from events
    group by week_start_date, user_id
)

select
    weekly.week_start_date,

    weekly.user_id,
    users.owner_name,

    weekly.created_count,
    weekly.changed_count,
    weekly.silent_changes_count,
    weekly.changed_assistants_count,
    weekly.deleted_count
from weekly
left join users on weekly.user_id = users.user_id
order by weekly.week_start_date, weekly.user_id
