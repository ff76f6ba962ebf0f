-- Grain: a tool of a state, in its order.
-- Question: which tools can each state call?

select
    assistant_id,
    node,
    position,
    function_id,

    type as tool_type,
    function_name,
    function_description,
    parameters,
    item
from main.assistant_llm_state_tools
