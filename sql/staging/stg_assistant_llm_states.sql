-- Grain: a state of an assistant, at any depth of its tree.
-- Question: through which states does each conversation go?

select
    assistant_id,
    node,
    parent_node,

    state_id,
    parent_state_id,
    path,
    name as state_name,
    description,
    prompt,
    parameters,
    extra,

    depth,
    sibling_position,
    x as editor_x,
    y as editor_y
from main.assistant_llm_states
