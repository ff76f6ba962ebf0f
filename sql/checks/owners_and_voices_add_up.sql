-- Claim: assistants by owner, plus those without an owner, are all assistants; the same holds by voice.
-- Identity: sum(dim_users) = sum(dim_voices) = dim_assistants.

with assistants as (
    select
        count(*) filter (where is_live) as live,
        count(*) filter (where not is_live) as deleted,
        count(*) filter (where is_live and is_recorded and user_id is not null) as owned_recorded,
        count(*) filter (where is_live and user_id is null) as live_without_owner,
        count(*) filter (where not is_live and user_id is null) as deleted_without_owner,
        count(*) filter (where is_live and voice_id is null) as live_without_voice,
        count(*) filter (where not is_live and voice_id is null) as deleted_without_voice
    from marts.dim_assistants
),

users as (
    select
        coalesce(sum(live_assistants_count), 0) as live,
        coalesce(sum(deleted_assistants_count), 0) as deleted,
        coalesce(sum(recorded_assistants_count), 0) as recorded
    from marts.dim_users
),

voices as (
    select
        coalesce(sum(live_assistants_count), 0) as live,
        coalesce(sum(deleted_assistants_count), 0) as deleted
    from marts.dim_voices
)

select
    assistants.live,
    users.live as live_of_users,
    voices.live as live_of_voices
from assistants
cross join users
cross join voices
where users.live + assistants.live_without_owner <> assistants.live
    or users.deleted + assistants.deleted_without_owner <> assistants.deleted
    or users.recorded <> assistants.owned_recorded
    or voices.live + assistants.live_without_voice <> assistants.live
    or voices.deleted + assistants.deleted_without_voice <> assistants.deleted
