-- Grain: a tool of a live assistant where it is used: in the assistant's own tools, or in a state.
-- Question: which tools does each assistant have, and what do they call?

-- The API documents neither the content of the string `tools` nor where a tool keeps its URL and method. So `tools` may
-- be a JSON list or one JSON object, and URL and method are looked for under the usual names, at any depth.
with live_assistants as (
    select
        assistant_id,
        tools
    from staging.stg_assistants
    where is_live
),

parsed as (
    select
        assistant_id,
        try_cast(tools as json) as tools
    from live_assistants
    where regexp_matches(tools, '^\s*[{\[]')
),

own_lists as (
    select
        assistant_id,
        case json_type(tools)
            when 'ARRAY' then json_extract(tools, '$[*]')
            when 'OBJECT' then [tools]
        end as items
    from parsed
),

own_tools as (
    select
        assistant_id,
        cast(null as bigint) as node,
        'tools' as field,
        'tools' as used_in,
        unnest(range(len(items))) as position,
        unnest(items) as item
    from own_lists
),

state_tools as (
    select
        tools.assistant_id,
        tools.node,
        'llm_states' as field,
        'llm_states ' || states.path as used_in,
        tools.position,
        tools.item
    from staging.stg_assistant_llm_state_tools as tools
    inner join live_assistants on tools.assistant_id = live_assistants.assistant_id
    inner join staging.stg_assistant_llm_states as states
        on tools.assistant_id = states.assistant_id
        and tools.node = states.node
),

tools as (
    select * from own_tools

    union all

    select * from state_tools
),

read as (
    select
        assistant_id,
        node,
        field,
        used_in,
        position,
        coalesce(item ->> '$.functionId', item ->> '$.function_id', item ->> '$.id') as function_id,
        item ->> '$.type' as tool_type,
        case
            when json_type(item) = 'VARCHAR' then item ->> '$'
            else coalesce(item ->> '$.function.name', item ->> '$.name')
        end as tool_name,
        coalesce(item ->> '$.function.description', item ->> '$.description') as description,
        coalesce(item -> '$.function.parameters', item -> '$.parameters') as parameters,
        cast(item as varchar) as item_text
    from tools
),

-- A parameter that is called url is an object with its type: only strings are addresses.
called as (
    select
        *,
        nullif(trim(try_cast(concat('"', regexp_extract(
            item_text,
            '(?i)"(?:url|uri|endpoint|webhook|(?:server|webhook|api)_?url)"\s*:\s*"((?:[^"\\]|\\.)*)"',
            1
        ), '"') as json) ->> '$'), '') as url,
        nullif(upper(regexp_extract(
            item_text, '(?i)"(?:http_?)?method"\s*:\s*"(get|post|put|patch|delete|head|options)"', 1
        )), '') as method
    from read
)

select
    assistant_id,
    node,
    position,
    function_id,

    field,
    used_in,
    nullif(trim(tool_name), '') as tool_name,
    nullif(trim(tool_type), '') as tool_type,
    nullif(trim(description), '') as description,
    method,
    url,
    nullif(regexp_extract(
        lower(url), '^(?:(?:[a-z][a-z0-9+.-]*:)?//)?(?:[^/?#]*@)?(\[[^\]/?#]*\]|[^/?#:]*)', 1
    ), '') as host,
    nullif(cast(parameters as varchar), 'null') as parameters,
    -- Of a JSON schema the properties, of anything else its keys. The order of keys does not matter.
    nullif(array_to_string(list_sort(json_keys(coalesce(parameters -> '$.properties', parameters))), ', '), '')
        as parameter_names,
    item_text
from called
