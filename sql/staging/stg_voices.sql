-- Grain: a voice that an assistant uses, or once used.
-- Question: which voices are there?

select
    voice_id,

    name as voice_name,
    language,
    gender,
    description,
    avatar as avatar_url,
    demo_audio_url,
    content_hash,
    extra,

    is_cloned
from main.voices
