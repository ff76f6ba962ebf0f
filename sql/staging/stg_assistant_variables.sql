-- Grain: a variable of an assistant, in its order.
-- Question: which variables does each assistant declare?

select
    assistant_id,
    position,

    case when regexp_matches(name, '\S') then name end as variable,
    value,
    item
from main.assistant_variables
