-- Grain: a voice that an assistant uses, or once used.
-- Question: which voices are there?

select
    voice_id,

    case when regexp_matches(name, '\S') then name end as voice_name,
    case when regexp_matches(language, '\S') then language end as language,
    case when regexp_matches(gender, '\S') then gender end as gender,
    case when regexp_matches(description, '\S') then description end as description,
    case when regexp_matches(avatar, '\S') then avatar end as avatar_url,
    case when regexp_matches(demo_audio_url, '\S') then demo_audio_url end as demo_audio_url,
    content_hash,
    extra,

    is_cloned
from main.voices
