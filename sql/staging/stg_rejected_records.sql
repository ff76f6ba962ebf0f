-- Grain: a record of the API that could not be used.
-- Question: what is missing in the warehouse, and why?

select
    record_hash,

    reason,
    record,

    observed_at
from main.rejected_records
