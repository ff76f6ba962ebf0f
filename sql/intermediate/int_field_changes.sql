-- Grain: a top-level field of the configuration that differs between a version and the previous one.
-- Question: which fields did each version change? (Only this model compares whole configurations.)

with numbered as (
    select
        assistant_id,
        version_number,
        observed_at,
        content_hash,
        lag(content_hash) over history as previous_hash,
        lead(content_hash) over history as next_hash
    from staging.stg_assistant_versions
    window history as (partition by assistant_id order by version_number)
),

-- Only what differs from a neighbour is parsed. Materialized so that each configuration is parsed once: it is read as a
-- version and again as the previous version.
versions as materialized (
    select
        numbered.assistant_id,
        numbered.version_number,
        numbered.content_hash <> numbered.previous_hash as is_different,
        json_keys(configurations.config) as names,
        json_extract(configurations.config, '$.*') as values
    from staging.stg_assistant_versions as configurations
    inner join numbered
        on configurations.assistant_id = numbered.assistant_id
        and configurations.observed_at = numbered.observed_at
    where numbered.content_hash <> numbered.previous_hash or numbered.content_hash <> numbered.next_hash
),

touched as (
    select
        versions.assistant_id,
        versions.version_number,
        previous.names as old_names,
        previous.values as old_values,
        versions.names as new_names,
        versions.values as new_values,
        unnest(
            case
                when previous.names = versions.names
                    then list_transform(
                        list_filter(
                            range(1, len(versions.names) + 1),
                            lambda index: previous.values[index] <> versions.values[index]
                        ),
                        lambda index: versions.names[index]
                    )
                else
                    list_filter(
                        list_distinct(list_concat(previous.names, versions.names)),
                        lambda key: previous.values[list_position(previous.names, key)]
                        is distinct from versions.values[list_position(versions.names, key)]
                    )
            end
        ) as field
    from versions
    inner join versions as previous
        on versions.assistant_id = previous.assistant_id
        and versions.version_number = previous.version_number + 1
    where versions.is_different
)

select
    assistant_id,
    version_number,

    field,
    old_values[list_position(old_names, field)] as old_value,
    new_values[list_position(new_names, field)] as new_value
from touched
where field not in ('updated_at', 'assistant_id')
