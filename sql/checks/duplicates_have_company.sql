-- Claim: the counts of each group of duplicates match its rows, and it has at least two prompts.
-- Identity: prompts_count = rows of the group.

with groups as (
    select
        duplicate_group,
        count(*) as rows_count,
        count(distinct assistant_id) as assistants_rows_count,
        max(prompts_count) as prompts_count,
        max(assistants_count) as assistants_count
    from marts.rpt_prompt_duplicates
    group by duplicate_group
)

select
    duplicate_group,
    rows_count,
    prompts_count
from groups
where rows_count < 2
    or rows_count <> prompts_count
    or assistants_rows_count <> assistants_count
