-- Grain: a field path that a version changed.
-- Question: what changed, when, in which assistant, from what to what?

-- Where old and new are both objects, or both lists, the comparison goes one step deeper. The items of a list are
-- paired by what names them (state_id, functionId, name, or the text itself) where that tells them apart, so that a
-- state put in front does not make all others look changed; else by their place. What has more than 1,000 items is
-- compared as a whole, which bounds the work.

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
        false as is_order,
        case
            when left(cast(old_value as varchar), 1) = '{' and left(cast(new_value as varchar), 1) = '{'
                then greatest(len(json_keys(old_value)), len(json_keys(new_value))) <= 1000
            when left(cast(old_value as varchar), 1) = '[' and left(cast(new_value as varchar), 1) = '['
                then greatest(json_array_length(old_value), json_array_length(new_value)) <= 1000
            else false
        end as is_branch
    from field_changes
),

-- Only what is compared more deeply goes through the recursion: the rest is most of the text.
steps as (
    select *
    from whole_fields
    where is_branch

    union all

    select
        assistant_id,
        version_number,
        field,
        path || child.step as path,
        child.old_value,
        child.new_value,
        child.is_order,
        case
            when child.is_order then false
            when left(cast(child.old_value as varchar), 1) = '{' and left(cast(child.new_value as varchar), 1) = '{'
                then greatest(len(json_keys(child.old_value)), len(json_keys(child.new_value))) <= 1000
            when left(cast(child.old_value as varchar), 1) = '[' and left(cast(child.new_value as varchar), 1) = '['
                then greatest(json_array_length(child.old_value), json_array_length(child.new_value)) <= 1000
            else false
        end as is_branch
    from (
        select
            *,
            unnest(list_concat(
                list_transform(
                    list_filter(
                        list_distinct(list_concat(map_keys(old_items), map_keys(new_items))),
                        lambda step: old_items[step] is distinct from new_items[step]
                    ),
                    lambda step: {
                        'step': step, 'old_value': old_items[step], 'new_value': new_items[step], 'is_order': false
                    }
                ),
                case
                    when list_filter(map_keys(old_items), lambda step: list_contains(map_keys(new_items), step))
                        <> list_filter(map_keys(new_items), lambda step: list_contains(map_keys(old_items), step))
                        then [{
                            'step': '[]', 'old_value': to_json(map_keys(old_items)),
                            'new_value': to_json(map_keys(new_items)), 'is_order': true
                        }]
                    else []
                end
            )) as child
        from (
            select
                assistant_id,
                version_number,
                field,
                path,
                map(
                    case
                        when is_list and len(old_names) = len(list_distinct(old_names))
                            then list_transform(old_names, lambda name: '[' || cast(to_json(name) as varchar) || ']')
                        when is_list
                            then list_transform(range(len(old_list)), lambda place: '[' || place || ']')
                        else list_transform(json_keys(old_value), lambda name: case
                            when regexp_full_match(name, '[A-Za-z_][A-Za-z0-9_]*') then '.' || name
                            else '[' || cast(to_json(name) as varchar) || ']'
                        end)
                    end,
                    list_transform(old_list, lambda item: coalesce(item, cast('null' as json)))
                ) as old_items,
                map(
                    case
                        when is_list and len(new_names) = len(list_distinct(new_names))
                            then list_transform(new_names, lambda name: '[' || cast(to_json(name) as varchar) || ']')
                        when is_list
                            then list_transform(range(len(new_list)), lambda place: '[' || place || ']')
                        else list_transform(json_keys(new_value), lambda name: case
                            when regexp_full_match(name, '[A-Za-z_][A-Za-z0-9_]*') then '.' || name
                            else '[' || cast(to_json(name) as varchar) || ']'
                        end)
                    end,
                    list_transform(new_list, lambda item: coalesce(item, cast('null' as json)))
                ) as new_items
            from (
                select
                    *,
                    list_transform(old_list, lambda item: case
                        when left(cast(item as varchar), 1) = '{'
                            then coalesce(item ->> '$.state_id', item ->> '$.functionId', item ->> '$.name')
                        when left(cast(item as varchar), 1) = '"' and length(cast(item as varchar)) < 200 then item ->> '$'
                    end) as old_names,
                    list_transform(new_list, lambda item: case
                        when left(cast(item as varchar), 1) = '{'
                            then coalesce(item ->> '$.state_id', item ->> '$.functionId', item ->> '$.name')
                        when left(cast(item as varchar), 1) = '"' and length(cast(item as varchar)) < 200 then item ->> '$'
                    end) as new_names
                from (
                    select
                        *,
                        left(cast(new_value as varchar), 1) = '[' as is_list,
                        case
                            when left(cast(old_value as varchar), 1) = '[' then try_cast(old_value as json[])
                            else map_values(try_cast(old_value as map(varchar, json)))
                        end as old_list,
                        case
                            when left(cast(new_value as varchar), 1) = '[' then try_cast(new_value as json[])
                            else map_values(try_cast(new_value as map(varchar, json)))
                        end as new_list
                    from steps
                    where is_branch
                ) as lists
            ) as names
        ) as items
    ) as children
),

changes as (
    select *
    from whole_fields
    where not is_branch

    union all

    select *
    from steps
    where not is_branch
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
