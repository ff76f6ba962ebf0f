-- Claim: the size changes of a prompt add up to its size, version by version.
-- Identity: sum(characters_change) = characters.

with prompt_versions as (
    select
        assistant_id,
        prompt_path,
        prompt_number,
        characters,
        sum(characters_change) over (
            partition by assistant_id, prompt_path order by prompt_number
        ) as added_up
    from marts.fct_prompt_versions
)

select
    assistant_id,
    prompt_path,
    prompt_number,
    characters,
    added_up
from prompt_versions
where characters <> added_up
