-- Claim: a finding is accepted exactly when a reason is given, and only an accepted one has a last day.
-- Identity: is_accepted = accepted_reason is not null.

select
    finding_id,
    is_accepted,
    accepted_until
from marts.rpt_config_findings
where is_accepted <> (accepted_reason is not null)
    or (accepted_until is not null and not is_accepted)
