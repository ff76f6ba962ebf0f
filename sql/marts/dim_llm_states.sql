-- Grain: a state of a live assistant, at any depth.
-- Question: how are the conversations built, and which states are empty, duplicated or unreachable?

with recursive live_assistants as (
    select assistant_id
    from staging.stg_assistants
    where is_live
),

states as (
    select
        states.*,
        states.state_id is not null
        and row_number() over (partition by states.assistant_id, states.state_id order by states.node) > 1
            as is_duplicate_id
    from staging.stg_assistant_llm_states as states
    inner join live_assistants on states.assistant_id = live_assistants.assistant_id
),

children as (
    select
        assistant_id,
        parent_node,
        count(*) as children_count
    from states
    where parent_node is not null
    group by assistant_id, parent_node
),

tools as (
    select
        assistant_id,
        node,
        count(*) as tools_count
    from staging.stg_assistant_llm_state_tools
    group by assistant_id, node
),

-- From the top down: a state is reachable if it has a unique id and its parent is reachable.
reached as (
    select
        assistant_id,
        node,
        coalesce(state_name, '(no name)') as name_path,
        coalesce(regexp_matches(state_id, '\S'), false) and not is_duplicate_id as is_reachable
    from states
    where parent_node is null

    union all

    select
        states.assistant_id,
        states.node,
        right(reached.name_path || ' > ' || coalesce(states.state_name, '(no name)'), 2000) as name_path,
        reached.is_reachable
        and coalesce(regexp_matches(states.state_id, '\S'), false)
        and not states.is_duplicate_id as is_reachable
    from reached
    inner join states
        on reached.assistant_id = states.assistant_id
        and reached.node = states.parent_node
)

select
    states.assistant_id,
    states.node,
    states.parent_node,

    states.state_id,
    states.parent_state_id,
    states.path,
    states.state_name,
    reached.name_path,

    states.depth,
    states.sibling_position,
    coalesce(children.children_count, 0) as children_count,
    coalesce(tools.tools_count, 0) as tools_count,
    coalesce(length(states.prompt), 0) as prompt_characters,
    cast(ceil(coalesce(length(states.prompt), 0) / 4) as bigint) as prompt_tokens_estimate,

    children.children_count is null as is_leaf,
    not coalesce(regexp_matches(states.prompt, '\S'), false) and tools.tools_count is null as is_empty,
    states.is_duplicate_id,
    reached.is_reachable
from states
inner join reached
    on states.assistant_id = reached.assistant_id
    and states.node = reached.node
left join children
    on states.assistant_id = children.assistant_id
    and states.node = children.parent_node
left join tools
    on states.assistant_id = tools.assistant_id
    and states.node = tools.node
