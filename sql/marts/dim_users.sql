-- Grain: a user who owns or owned an assistant.
-- Question: who runs what, with which voices and languages?

with users as (
    select
        user_id,
        user_name,
        email
    from staging.stg_users
),

assistants as (
    select
        user_id,
        voice_id,
        voice_language,
        is_live,
        is_recorded,
        is_voice_cloned,
        last_changed_at
    from marts.dim_assistants
    where user_id is not null
),

owned as (
    select
        user_id,
        string_agg(distinct voice_language, ', ' order by voice_language) filter (where is_live) as languages,
        count(distinct voice_language) filter (where is_live) as languages_count,
        count(*) filter (where is_live) as live_assistants_count,
        count(*) filter (where not is_live) as deleted_assistants_count,
        count(*) filter (where is_live and is_recorded) as recorded_assistants_count,
        count(distinct voice_id) filter (where is_live) as voices_count,
        count(distinct voice_id) filter (where is_live and is_voice_cloned) as cloned_voices_count,
        max(last_changed_at) as last_changed_at
    from assistants
    group by user_id
)

select
    users.user_id,

    users.user_name,
    users.email,
    owned.languages,

    coalesce(owned.languages_count, 0) as languages_count,
    coalesce(owned.live_assistants_count, 0) as live_assistants_count,
    coalesce(owned.deleted_assistants_count, 0) as deleted_assistants_count,
    coalesce(owned.recorded_assistants_count, 0) as recorded_assistants_count,
    coalesce(owned.voices_count, 0) as voices_count,
    coalesce(owned.cloned_voices_count, 0) as cloned_voices_count,

    owned.last_changed_at
from users
left join owned on users.user_id = owned.user_id
