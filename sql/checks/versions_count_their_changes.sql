-- Claim: the number of changed fields of a version is the number of its rows in fct_config_changes.
-- Identity: fct_assistant_versions = fct_config_changes.

with versions as (
    select
        assistant_id,
        version_number,
        changed_fields_count
    from marts.fct_assistant_versions
),

changes as (
    select
        assistant_id,
        version_number,
        count(*) as changes_count
    from marts.fct_config_changes
    group by assistant_id, version_number
)

select
    coalesce(versions.assistant_id, changes.assistant_id) as assistant_id,
    coalesce(versions.version_number, changes.version_number) as version_number,
    versions.changed_fields_count,
    changes.changes_count
from versions
full join changes
    on versions.assistant_id = changes.assistant_id
    and versions.version_number = changes.version_number
where versions.changed_fields_count is distinct from coalesce(changes.changes_count, 0)
