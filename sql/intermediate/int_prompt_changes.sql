-- Grain: a prompt (of an assistant, or of a state) that a version added, changed or removed.
-- Question: what was the text of each prompt before and after each version?

-- The first version adds all its prompts. For a later version only its changes are read: a changed prompt, or an added
-- or removed state (or list of states) with all the states below it.
with recursive first_times as (
    select
        assistant_id,
        min(observed_at) as observed_at
    from staging.stg_assistant_versions
    group by assistant_id
),

first_versions as (
    select
        versions.assistant_id,
        cast(1 as bigint) as version_number,
        json_extract(versions.config, ['$.prompt', '$.llm_states']) as fields
    from staging.stg_assistant_versions as versions
    inner join first_times
        on versions.assistant_id = first_times.assistant_id
        and versions.observed_at = first_times.observed_at
),

changes as (
    select
        assistant_id,
        version_number,
        field,
        path,
        old_value,
        new_value
    from marts.fct_config_changes
    where field in ('prompt', 'llm_states') and change_kind <> 'moved'
),

pieces as (
    select
        assistant_id,
        version_number,
        unnest(['prompt', 'llm_states']) as path,
        unnest(fields) as value,
        true as is_new
    from first_versions

    union all

    select
        assistant_id,
        version_number,
        path,
        old_value as value,
        false as is_new
    from changes
    where old_value is not null

    union all

    select
        assistant_id,
        version_number,
        path,
        new_value as value,
        true as is_new
    from changes
    where new_value is not null
),

-- A piece is a prompt, a list of states, or a state. Other fields of a state are left out.
placed as (
    select
        *,
        case
            when path = 'prompt' then 'prompt'
            when regexp_full_match(path, 'llm_states((\[(\d+|"([^"\\]|\\.)*")\]\.children)*)') then 'list'
            when regexp_full_match(path, 'llm_states(\[(\d+|"([^"\\]|\\.)*")\]\.children)*\[(\d+|"([^"\\]|\\.)*")\]')
                then 'state'
            when
                regexp_full_match(
                    path, 'llm_states(\[(\d+|"([^"\\]|\\.)*")\]\.children)*\[(\d+|"([^"\\]|\\.)*")\]\.prompt'
                )
                then 'prompt'
        end as piece
    from pieces
),

walk as (
    select
        assistant_id,
        version_number,
        path,
        value,
        is_new,
        piece
    from placed
    where piece is not null

    union all

    (
        with branches as (
            select
                *,
                case when piece = 'list' then json_extract(value, '$[*]') end as items
            from walk
            where (piece = 'list' and left(cast(value as varchar), 1) = '[')
                or (piece = 'state' and left(cast(value as varchar), 1) = '{')
        ),

        -- The names and steps of list items must be the same here as in fct_config_changes.
        names as (
            select
                *,
                list_transform(items, lambda item: case
                    when left(cast(item as varchar), 1) = '{'
                        then coalesce(item ->> '$.state_id', item ->> '$.functionId', item ->> '$.name')
                    when left(cast(item as varchar), 1) = '"' and length(cast(item as varchar)) < 200 then item ->> '$'
                end) as names
            from branches
        ),

        steps as (
            select
                *,
                case
                    when piece = 'state'
                        then ['.prompt', '.children']
                    when len(names) = len(list_distinct(names)) and len(names) <= 1000
                        then list_transform(names, lambda name: '[' || cast(to_json(name) as varchar) || ']')
                    else list_transform(range(len(names)), lambda position: '[' || position || ']')
                end as steps
            from names
        ),

        children as (
            select
                assistant_id,
                version_number,
                path,
                is_new,
                unnest(steps) as step,
                unnest(
                    case when piece = 'state' then json_extract(value, ['$.prompt', '$.children']) else items end
                ) as value,
                unnest(
                    case
                        when piece = 'state' then ['prompt', 'list']
                        else list_transform(items, lambda item: 'state')
                    end
                ) as piece
            from steps
        )

        select
            assistant_id,
            version_number,
            path || step as path,
            value,
            is_new,
            piece
        from children
    )
),

prompts as (
    select
        assistant_id,
        version_number,
        path as prompt_path,
        max(case when not is_new then value ->> '$' end) as old_prompt,
        max(case when is_new then value ->> '$' end) as new_prompt
    from walk
    where piece = 'prompt' and left(cast(value as varchar), 1) = '"'
    group by assistant_id, version_number, prompt_path
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
