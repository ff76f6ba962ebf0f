-- Grain: one row.
-- Question: on which day (UTC) did a sync last look? Reports count days up to it, never up to the reader's clock.

select cast(max(finished_at) at time zone 'UTC' as date) as as_of_date
from main.sync_runs
