-- Grain: a field path that a version changed.
-- Question: what changed, when, in which assistant, from what to what?

-- Where the old and the new value are both objects, or both lists, their items are compared, at any depth. The items of
-- an object are paired by key. The items of a list are paired by name (state_id, functionId, name, or the text itself)
-- if each item of that list has a name of its own, otherwise by position. So a state inserted at the front does not
-- make the other states look changed. A value with more than 1,000 items is compared as a whole, to limit the work.

with recursive field_changes as (
    select
        assistant_id,
        version_number,
        field,
        old_value,
        new_value
    from intermediate.int_field_changes
),

versions as (
    select
        assistant_id,
        version_number,
        is_silent,
        observed_at,
        updated_at
    from staging.stg_assistant_versions
),

whole_fields as (
    select
        assistant_id,
        version_number,
        field,
        case
            when regexp_full_match(field, '[A-Za-z_][A-Za-z0-9_]*') then field
            else '[' || cast(to_json(field) as varchar) || ']'
        end as path,
        old_value,
        new_value,
        coalesce(left(cast(old_value as varchar), 1) in ('{', '['), false)
        and coalesce(left(cast(new_value as varchar), 1) in ('{', '['), false) as has_items
    from field_changes
),

-- A row is a pair: an old and a new value that differ. The recursion adds the pairs of their items. The other fields
-- hold most of the text and skip the recursion.
pairs as (
    select
        assistant_id,
        version_number,
        field,
        cast(null as varchar) as parent_path,
        path,
        old_value,
        new_value,
        false as is_order
    from whole_fields
    where has_items

    union all

    (
        -- From here to `items`, a row holds one side of a pair, so that each rule is written once for both sides.
        with sides as (
            select
                assistant_id,
                version_number,
                field,
                path,
                unnest(['old', 'new']) as side,
                unnest([old_value, new_value]) as value
            from pairs
            where not is_order
        ),

        shapes as (
            select
                *,
                case
                    when left(cast(value as varchar), 1) = '{' and len(json_keys(value)) <= 1000 then 'object'
                    when left(cast(value as varchar), 1) = '[' and json_array_length(value) <= 1000 then 'list'
                end as shape
            from sides
        ),

        branches as (
            select *
            from shapes
            where shape is not null
            qualify count(*) over (partition by assistant_id, version_number, path, shape) = 2
        ),

        lists as (
            select
                *,
                case
                    when shape = 'object' then json_extract(value, '$.*')
                    else json_extract(value, '$[*]')
                end as items
            from branches
        ),

        names as (
            select
                *,
                case
                    when shape = 'object' then json_keys(value)
                    else
                        list_transform(items, lambda item: case
                            when left(cast(item as varchar), 1) = '{'
                                then coalesce(item ->> '$.state_id', item ->> '$.functionId', item ->> '$.name')
                            when left(cast(item as varchar), 1) = '"' and length(cast(item as varchar)) < 200
                                then item ->> '$'
                        end)
                end as names
            from lists
        ),

        -- Materialized because it is read twice.
        steps as materialized (
            select
                *,
                case
                    when len(names) > len(list_distinct(names))
                        then list_transform(range(len(names)), lambda position: '[' || position || ']')
                    else
                        list_transform(names, lambda name: case
                            when shape = 'object' and regexp_full_match(name, '[A-Za-z_][A-Za-z0-9_]*') then '.' || name
                            else '[' || cast(to_json(name) as varchar) || ']'
                        end)
                end as steps
            from names
        ),

        items as (
            select
                assistant_id,
                version_number,
                field,
                path,
                side,
                unnest(steps) as step,
                unnest(items) as item
            from steps
        ),

        item_pairs as (
            select
                assistant_id,
                version_number,
                field,
                path as parent_path,
                path || step as path,
                any_value(item) filter (where side = 'old') as old_value,
                any_value(item) filter (where side = 'new') as new_value
            from items
            group by
                assistant_id,
                version_number,
                field,
                path,
                step
        ),

        orders as (
            select
                assistant_id,
                version_number,
                field,
                path,
                any_value(steps) filter (where side = 'old') as old_steps,
                any_value(steps) filter (where side = 'new') as new_steps
            from steps
            group by
                assistant_id,
                version_number,
                field,
                path
        )

        select
            assistant_id,
            version_number,
            field,
            parent_path,
            path,
            old_value,
            new_value,
            false as is_order
        from item_pairs
        where old_value is distinct from new_value

        union all

        select
            assistant_id,
            version_number,
            field,
            path as parent_path,
            path || '[]' as path,
            to_json(old_steps) as old_value,
            to_json(new_steps) as new_value,
            true as is_order
        from orders
        where
            list_filter(old_steps, lambda step: list_contains(new_steps, step))
            <> list_filter(new_steps, lambda step: list_contains(old_steps, step))
    )
),

-- A pair that has pairs of items is replaced by them.
changes as (
    select
        assistant_id,
        version_number,
        field,
        path,
        old_value,
        new_value,
        false as is_order
    from whole_fields
    where not has_items

    union all

    select
        pairs.assistant_id,
        pairs.version_number,
        pairs.field,
        pairs.path,
        pairs.old_value,
        pairs.new_value,
        pairs.is_order
    from pairs
    left join pairs as items
        on pairs.assistant_id = items.assistant_id
        and pairs.version_number = items.version_number
        and pairs.path = items.parent_path
    where items.path is null
)

select
    changes.assistant_id,
    changes.version_number,

    changes.path,
    changes.field,
    case
        when changes.field in ('name', 'assistant_type', 'avatar', 'timezone', 'behavior', 'created_at') then 'identity'
        when changes.field = 'prompt' then 'prompt'
        when changes.field in ('begin_message', 'who_speaks_first') then 'conversation'
        when starts_with(changes.field, 'voice_') then 'voice'
        when changes.field = 'model' then 'model'
        when changes.field = 'call_recording_enabled' then 'recording'
        when changes.field in ('reminder_message_frequency', 'max_reminder_messages') then 'reminders'
        when changes.field in ('knowledge_base', 'custom_knowledge_base') then 'knowledge'
        when starts_with(changes.field, 'chatbot_') then 'chatbot'
        when changes.field = 'llm_states' then 'states'
        when changes.field = 'tools' then 'tools'
        when changes.field = 'variables' then 'variables'
        when changes.field = 'post_analysis' then 'analysis'
        when changes.field = 'phone_number' then 'phone'
        when changes.field = 'user_id' then 'owner'
        else 'other'
    end as area,
    case
        when changes.is_order then 'moved'
        when changes.old_value is null then 'added'
        when changes.new_value is null then 'removed'
        else 'changed'
    end as change_kind,
    changes.old_value,
    changes.new_value,

    versions.is_silent,

    versions.observed_at,
    previous.observed_at as previous_observed_at,
    versions.updated_at
from changes
inner join versions
    on changes.assistant_id = versions.assistant_id
    and changes.version_number = versions.version_number
inner join versions as previous
    on changes.assistant_id = previous.assistant_id
    and changes.version_number = previous.version_number + 1
