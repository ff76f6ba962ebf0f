-- Grain: a voice that is or was used.
-- Question: which voices are in use, by how many assistants and owners, and which of them lack a demo?

with voices as (
    select
        voice_id,
        voice_name,
        language,
        gender,
        description,
        demo_audio_url,
        is_cloned
    from staging.stg_voices
),

uses as (
    select
        voice_id,
        count(*) filter (where is_live) as live_assistants_count,
        count(*) filter (where not is_live) as deleted_assistants_count,
        count(distinct case when is_live then user_id end) as owners_count
    from staging.stg_assistants
    where voice_id is not null
    group by voice_id
)

select
    voices.voice_id,

    voices.voice_name,
    voices.language,
    voices.gender,
    voices.description,

    coalesce(uses.live_assistants_count, 0) as live_assistants_count,
    coalesce(uses.deleted_assistants_count, 0) as deleted_assistants_count,
    coalesce(uses.owners_count, 0) as owners_count,

    voices.is_cloned,
    coalesce(uses.live_assistants_count, 0) > 0 as is_in_use,
    voices.demo_audio_url is not null as has_demo_audio,
    coalesce(uses.live_assistants_count, 0) > 0 and voices.demo_audio_url is null as is_in_use_without_demo
from voices
left join uses on voices.voice_id = uses.voice_id
