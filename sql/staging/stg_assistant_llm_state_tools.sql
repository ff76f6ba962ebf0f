-- Grain: a tool of a state, in its order.
-- Question: which tools can each state call?

select
    assistant_id,
    node,
    position,
    case when regexp_matches(function_id, '\S') then function_id end as function_id,

    case when regexp_matches(type, '\S') then type end as tool_type,
    case when regexp_matches(function_name, '\S') then function_name end as function_name,
    case when regexp_matches(function_description, '\S') then function_description end as function_description,
    parameters,
    item
from main.assistant_llm_state_tools
