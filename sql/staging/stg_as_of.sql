-- Grain: one row.
-- Question: what is the day (UTC) of the last sync? Reports count days up to it, not up to the reader's clock.

select cast(max(finished_at) at time zone 'UTC' as date) as as_of_date
from main.sync_runs
