-- Claim: each live assistant is counted in exactly one group of rpt_coverage.
-- Identity: sum(rpt_coverage) = dim_assistants (live).

with coverage as (
    select
        coalesce(sum(assistants_count), 0) as assistants,
        coalesce(sum(recorded_count), 0) as recorded,
        coalesce(sum(knowledge_base_count), 0) as knowledge_base,
        coalesce(sum(phone_number_count), 0) as phone_number
    from marts.rpt_coverage
),

assistants as (
    select
        count(*) as assistants,
        count(*) filter (where is_recorded) as recorded,
        count(*) filter (where has_knowledge_base) as knowledge_base,
        count(*) filter (where has_phone_number) as phone_number
    from marts.dim_assistants
    where is_live
)

select
    coverage.assistants as covered,
    assistants.assistants as live
from coverage
cross join assistants
where coverage.assistants <> assistants.assistants
    or coverage.recorded <> assistants.recorded
    or coverage.knowledge_base <> assistants.knowledge_base
    or coverage.phone_number <> assistants.phone_number
