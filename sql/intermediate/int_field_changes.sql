-- Grain: a top-level field of the configuration that differs between a version and the previous one.
-- Question: which fields did each version change? (Only this model compares whole configurations.)

-- Materialized so that each configuration is parsed once: it is read as a version and again as the previous version.
with versions as materialized (
    select
        assistant_id,
        version_number,
        content_hash,
        json_keys(config) as names,
        json_extract(config, '$.*') as values
    from staging.stg_assistant_versions
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
    where versions.content_hash <> previous.content_hash
)

select
    assistant_id,
    version_number,

    field,
    old_values[list_position(old_names, field)] as old_value,
    new_values[list_position(new_names, field)] as new_value
from touched
where field not in ('updated_at', 'assistant_id')
