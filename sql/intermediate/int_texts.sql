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
            {'place': 'knowledge_base', 'text': knowledge_base},
            {'place': 'custom_knowledge_base', 'text': custom_knowledge_base},
            {'place': 'post_analysis', 'text': post_analysis},
            {'place': 'tools', 'text': tools},
            {'place': 'chatbot_faq', 'text': chatbot_faq},
            {'place': 'chatbot_begin_message', 'text': chatbot_begin_message}
        ]) as entry
    from live_assistants
),

states as (
    select
        states.assistant_id,
        'llm_states ' || states.path as place,
        unnest([
            {'part': '', 'text': states.prompt},
            {'part': ' description', 'text': states.description},
            {'part': ' parameters', 'text': cast(states.parameters as varchar)}
        ]) as entry
    from staging.stg_assistant_llm_states as states
    inner join live_assistants on states.assistant_id = live_assistants.assistant_id
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
    assistant_id,

    place || entry['part'] as place,
    'llm_states' as field,
    entry['text'] as text,

    entry['part'] = '' as is_prompt
from states
where entry['text'] <> ''

union all

-- A tool of a state as a whole: name, description, parameters, address, headers. The own tools are the text `tools`.
select
    assistant_id,

    used_in || ' tools ' || position as place,
    field,
    item_text as text,

    false as is_prompt
from intermediate.int_tools
where node is not null
