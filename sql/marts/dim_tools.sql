-- Grain: a tool: uses of the same type, name, method, URL and names of parameters.
-- Question: which tools are there, what do they call, and how many assistants depend on each?

with uses as (
    select
        tool_id,
        assistant_id,
        tool_name,
        tool_type,
        description,
        method,
        url,
        host,
        parameter_names,
        cast(parameters as varchar) as parameters,
        is_in_state,
        is_https
    from marts.fct_tool_use
),

owners as (
    select
        assistant_id,
        user_id
    from staging.stg_assistants
)

select
    uses.tool_id,

    uses.tool_name,
    uses.tool_type,
    min(uses.description) as description,
    uses.method,
    uses.url,
    uses.host,
    uses.parameter_names,
    cast(min(uses.parameters) as json) as parameters,

    count(*) as uses_count,
    count(*) filter (where uses.is_in_state) as state_uses_count,
    count(distinct uses.assistant_id) as assistants_count,
    count(distinct owners.user_id) as owners_count,

    uses.is_https
from uses
left join owners on uses.assistant_id = owners.assistant_id
group by
    uses.tool_id,
    uses.tool_name,
    uses.tool_type,
    uses.method,
    uses.url,
    uses.host,
    uses.parameter_names,
    uses.is_https
order by assistants_count desc, uses_count desc, uses.tool_id asc
