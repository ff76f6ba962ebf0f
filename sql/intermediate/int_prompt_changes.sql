-- Grain: a prompt (of an assistant, or of a state) that a version added, changed or removed.
-- Question: what was the text of each prompt before and after each version?

with prompts as (
    select
        assistant_id,
        version_number,
        path as prompt_path,
        case when left(cast(old_value as varchar), 1) = '"' then old_value ->> '$' end as old_prompt,
        case when left(cast(new_value as varchar), 1) = '"' then new_value ->> '$' end as new_prompt
    from intermediate.int_value_changes
    where role = 'prompt'
)

select
    row_number() over () as change_id,
    assistant_id,
    version_number,

    prompt_path,
    old_prompt,
    new_prompt
from prompts
where old_prompt is distinct from new_prompt
