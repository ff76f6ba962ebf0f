-- Grain: a tool of a live assistant where it is used: in the assistant's own tools, or in a state.
-- Question: which assistant, and which state, can call what?

with tools as (
    select
        *,
        -- A user name or password in the address is not shown.
        regexp_replace(url, '//[^/?#@]*@', '//***@') as shown_url
    from intermediate.int_tools
)

select
    assistant_id,
    node,
    position,
    md5(cast(to_json([tool_type, tool_name, method, shown_url, parameter_names]) as varchar)) as tool_id,
    function_id,

    used_in,
    tool_name,
    tool_type,
    description,
    method,
    shown_url as url,
    host,
    parameter_names,
    cast(parameters as json) as parameters,

    node is not null as is_in_state,
    case when url is not null then starts_with(lower(url), 'https://') end as is_https
from tools
