-- Grain: a version of an assistant's configuration that a sync observed.
-- Question: which configurations did each assistant have, in which order?

select
    assistant_id,
    row_number() over (partition by assistant_id order by observed_at) as version_number,

    content_hash,
    config,

    is_silent,

    observed_at,
    updated_at,
    previous_deleted_at
from main.assistant_versions
