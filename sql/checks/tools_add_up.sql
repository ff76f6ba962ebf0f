-- Claim: each tool of a live assistant is one use, and each use belongs to one tool of dim_tools.
-- Identity: rows of fct_tool_use = dim_assistants.tools_count, and sum(dim_tools.uses_count) = rows of fct_tool_use.

with assistants as (
    select
        assistant_id,
        tools_count
    from marts.dim_assistants
    where is_live
),

uses as (
    select
        assistant_id,
        count(*) as uses_count
    from marts.fct_tool_use
    group by assistant_id
),

by_tool as (
    select coalesce(sum(uses_count), 0) as uses_count
    from marts.dim_tools
),

by_assistant as (
    select coalesce(sum(uses_count), 0) as uses_count
    from uses
)

select
    assistants.assistant_id,
    assistants.tools_count,
    coalesce(uses.uses_count, 0) as uses_count
from assistants
left join uses on assistants.assistant_id = uses.assistant_id
where assistants.tools_count <> coalesce(uses.uses_count, 0)

union all

select
    '(all)' as assistant_id,
    by_tool.uses_count as tools_count,
    by_assistant.uses_count
from by_tool
cross join by_assistant
where by_tool.uses_count <> by_assistant.uses_count
