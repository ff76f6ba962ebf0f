-- Claim: no daily count is negative, and no day has more recorded assistants than assistants.
-- Identity: 0 <= recorded <= assistants.

select
    date,
    assistant_type,
    model,
    assistants_count,
    recorded_assistants_count
from marts.fct_daily_fleet
where recorded_assistants_count < 0 or recorded_assistants_count > assistants_count
