-- Claim: on no day are there fewer than no assistants, or more recorded ones than there are.
-- Identity: 0 <= recorded <= assistants.

select
    date,
    assistant_type,
    model,
    assistants_count,
    recorded_assistants_count
from marts.fct_daily_fleet
where recorded_assistants_count < 0 or recorded_assistants_count > assistants_count
