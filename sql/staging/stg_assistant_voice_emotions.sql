-- Grain: an emotion of an assistant's voice, in its order.
-- Question: with which emotions do assistants speak?

select
    assistant_id,
    position,

    case when regexp_matches(emotion, '\S') then emotion end as emotion,
    item
from main.assistant_voice_emotions
