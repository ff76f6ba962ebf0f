-- Grain: a language of the voice, an assistant type and a model.
-- Question: where are recording, knowledge bases and phone numbers in use?

with live_assistants as (
    select
        coalesce(voice_language, '(none)') as voice_language,
        coalesce(assistant_type, '(none)') as assistant_type,
        coalesce(model, '(none)') as model,
        is_recorded,
        has_knowledge_base,
        has_phone_number
    from marts.dim_assistants
    where is_live
),

counted as (
    select
        voice_language,
        assistant_type,
        model,
        count(*) as assistants_count,
        count(*) filter (where is_recorded) as recorded_count,
        count(*) filter (where has_knowledge_base) as knowledge_base_count,
        count(*) filter (where has_phone_number) as phone_number_count
    from live_assistants
    group by voice_language, assistant_type, model
)

select
    voice_language,
    assistant_type,
    model,

    assistants_count,
    recorded_count,
    knowledge_base_count,
    phone_number_count,
    cast(recorded_count as double) / assistants_count as recorded_share,
    cast(knowledge_base_count as double) / assistants_count as knowledge_base_share,
    cast(phone_number_count as double) / assistants_count as phone_number_share
from counted
order by assistants_count desc, voice_language asc, assistant_type asc, model asc
