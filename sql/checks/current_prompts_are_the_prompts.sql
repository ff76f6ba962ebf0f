-- Claim: the current prompt versions of an assistant have the same total length as its prompts.
-- Identity: sum(fct_prompt_versions, current) = dim_assistants.

with assistants as (
    select
        assistant_id,
        prompt_characters,
        state_prompt_characters
    from marts.dim_assistants
    where is_live
),

prompts as (
    select
        assistant_id,
        sum(characters) filter (where not is_state_prompt) as prompt_characters,
        sum(characters) filter (where is_state_prompt) as state_prompt_characters
    from marts.fct_prompt_versions
    where is_current
    group by assistant_id
)

select
    assistants.assistant_id,
    assistants.prompt_characters,
    coalesce(prompts.prompt_characters, 0) as current_prompt_characters,
    assistants.state_prompt_characters,
    coalesce(prompts.state_prompt_characters, 0) as current_state_prompt_characters
from assistants
left join prompts on assistants.assistant_id = prompts.assistant_id
where assistants.prompt_characters <> coalesce(prompts.prompt_characters, 0)
    or assistants.state_prompt_characters <> coalesce(prompts.state_prompt_characters, 0)
