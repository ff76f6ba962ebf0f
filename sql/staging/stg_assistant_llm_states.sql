-- Grain: a state of an assistant, at any depth of its tree.
-- Question: through which states does each conversation go?

select
    assistant_id,
    node,
    parent_node,

    case when regexp_matches(state_id, '\S') then state_id end as state_id,
    case when regexp_matches(parent_state_id, '\S') then parent_state_id end as parent_state_id,
    path,
    case when regexp_matches(name, '\S') then name end as state_name,
    case when regexp_matches(description, '\S') then description end as description,
    prompt,
    parameters,
    extra,

    depth,
    sibling_position,
    x as editor_x,
    y as editor_y
from main.assistant_llm_states
