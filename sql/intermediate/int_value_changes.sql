-- Grain: a value that differs between a version and the previous one: a top-level field, or an item of it at any depth.
-- Question: where inside its fields did each version change something? (Only this model names the items of a list.)

-- Where the old and the new value are both objects, or both lists, their items are compared, at any depth. The items of
-- an object are paired by key. The items of a list are paired by name (state_id, functionId, name, or the text itself)
-- if each item of that list has a name of its own, otherwise by position. So a state inserted at the front does not
-- make the other states look changed. A value with more than 1,000 items is compared as a whole, to limit the work.

-- A list of states, or a state, that is not compared item by item (for instance because one side lacks it) is searched
-- for prompts. What is found in it has `is_part`: the change is that of the whole. So has what the first version holds,
-- because that version changed nothing. Of such parts only the prompts are given.

with recursive field_changes as (
    select
        assistant_id,
        version_number,
        field,
        old_value,
        new_value
    from intermediate.int_field_changes
),

first_times as (
    select
        assistant_id,
        min(observed_at) as observed_at
    from staging.stg_assistant_versions
    group by assistant_id
),

first_versions as (
    select
        versions.assistant_id,
        json_extract(versions.config, ['$.prompt', '$.llm_states']) as fields
    from staging.stg_assistant_versions as versions
    inner join first_times
        on versions.assistant_id = first_times.assistant_id
        and versions.observed_at = first_times.observed_at
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
        false as is_part
    from field_changes

    union all

    select
        assistant_id,
        cast(1 as bigint) as version_number,
        unnest(['prompt', 'llm_states']) as field,
        unnest(['prompt', 'llm_states']) as path,
        cast(null as json) as old_value,
        unnest(fields) as new_value,
        true as is_part
    from first_versions
),

fields as (
    select
        *,
        case
            when field = 'prompt' then 'prompt'
            when field = 'llm_states' then 'states'
        end as role,
        field = 'llm_states'
        or (
            coalesce(left(cast(old_value as varchar), 1) in ('{', '['), false)
            and coalesce(left(cast(new_value as varchar), 1) in ('{', '['), false)
        ) as has_items
    from whole_fields
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
        role,
        is_part,
        false as is_order
    from fields
    where has_items

    union all

    (
        with shapes as (
            select
                *,
                case left(cast(old_value as varchar), 1) when '{' then 'object' when '[' then 'list' end as old_shape,
                case left(cast(new_value as varchar), 1) when '{' then 'object' when '[' then 'list' end as new_shape
            from pairs
            where not is_order
        ),

        compared as (
            select
                *,
                case
                    when is_part or (old_shape is distinct from new_shape) then false
                    when old_shape = 'object'
                        then greatest(len(json_keys(old_value)), len(json_keys(new_value))) <= 1000
                    else greatest(json_array_length(old_value), json_array_length(new_value)) <= 1000
                end as is_compared
            from shapes
            where old_shape is not null or new_shape is not null
        ),

        -- From here to `items`, a row holds one side of a pair, so that each rule is written once for both sides.
        sides as (
            select
                assistant_id,
                version_number,
                field,
                path,
                role,
                is_compared,
                unnest(['old', 'new']) as side,
                unnest([old_value, new_value]) as value,
                unnest([old_shape, new_shape]) as shape
            from compared
        ),

        -- Of a state that is not compared, only the members that can hold prompts are read.
        lists as (
            select
                * exclude (value),
                case
                    when shape = 'list' then json_extract(value, '$[*]')
                    when is_compared then json_extract(value, '$.*')
                    else json_extract(value, ['$.prompt', '$.children'])
                end as items,
                case
                    when shape = 'list' then null
                    when is_compared then json_keys(value)
                    else ['prompt', 'children']
                end as keys
            from sides
            where is_compared or (role = 'states' and shape = 'list') or (role = 'state' and shape = 'object')
        ),

        names as (
            select
                *,
                case
                    when shape = 'object' then keys
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
                    when shape = 'list' and (len(items) > 1000 or len(names) > len(list_distinct(names)))
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
                role,
                is_compared,
                shape,
                side,
                unnest(steps) as step,
                unnest(items) as item
            from steps
        ),

        item_roles as (
            select
                * exclude (role),
                case
                    when role = 'states' and shape = 'list' then 'state'
                    when role = 'state' and step = '.prompt' then 'prompt'
                    when role = 'state' and step = '.children' then 'states'
                end as role
            from items
        ),

        item_pairs as (
            select
                assistant_id,
                version_number,
                field,
                path as parent_path,
                path || step as path,
                any_value(item) filter (where side = 'old') as old_value,
                any_value(item) filter (where side = 'new') as new_value,
                role,
                not is_compared as is_part
            from item_roles
            where item is not null and (is_compared or role is not null)
            group by
                assistant_id,
                version_number,
                field,
                path,
                step,
                role,
                is_compared
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
            where is_compared
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
            role,
            is_part,
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
            cast(null as varchar) as role,
            false as is_part,
            true as is_order
        from orders
        where
            list_filter(old_steps, lambda step: list_contains(new_steps, step))
            <> list_filter(new_steps, lambda step: list_contains(old_steps, step))
    )
)

select
    assistant_id,
    version_number,

    field,
    parent_path,
    path,
    old_value,
    new_value,

    role,
    is_part,
    is_order
from pairs
where not is_part or role = 'prompt'

union all

select
    assistant_id,
    version_number,

    field,
    cast(null as varchar) as parent_path,
    path,
    old_value,
    new_value,

    role,
    is_part,
    false as is_order
from fields
where not has_items
