-- Claim: the states, tools and prompt characters in dim_llm_states add up to the counts in dim_assistants.
-- Identity: sum(dim_llm_states) = dim_assistants.

with assistants as (
    select
        assistant_id,
        states_count,
        state_prompt_characters
    from marts.dim_assistants
    where is_live
),

states as (
    select
        assistant_id,
        count(*) as states_count,
        sum(prompt_characters) as prompt_characters
    from marts.dim_llm_states
    group by assistant_id
)

select
    assistants.assistant_id,
    assistants.states_count,
    coalesce(states.states_count, 0) as states_rows
from assistants
left join states on assistants.assistant_id = states.assistant_id
where assistants.states_count <> coalesce(states.states_count, 0)
    or assistants.state_prompt_characters <> coalesce(states.prompt_characters, 0)
