-- Grain: a text of a live assistant that people wrote: a prompt, a message, a definition.
-- Question: which texts does an assistant have, and where? (The audit reads them.)

with live_assistants as (
    select * from staging.stg_assistants
    where is_live
),

texts as (
    select
        assistant_id,
        unnest([
            {'place': 'prompt', 'text': prompt},
            {'place': 'begin_message', 'text': begin_message},
            {'place': 'custom_knowledge_base', 'text': custom_knowledge_base},
            {'place': 'post_analysis', 'text': post_analysis},
            {'place': 'tools', 'text': tools},
            {'place': 'chatbot_faq', 'text': chatbot_faq},
            {'place': 'chatbot_begin_message', 'text': chatbot_begin_message}
        ]) as entry
    from live_assistants
)

select
    assistant_id,

    entry['place'] as place,
    entry['place'] as field,
    entry['text'] as text,

    entry['place'] = 'prompt' as is_prompt
from texts
where entry['text'] <> ''

union all

select
    states.assistant_id,

    'llm_states ' || states.path as place,
    'llm_states' as field,
    states.prompt as text,

    true as is_prompt
from staging.stg_assistant_llm_states as states
inner join live_assistants on states.assistant_id = live_assistants.assistant_id
where states.prompt is not null and states.prompt <> ''
