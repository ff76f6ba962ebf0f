-- Claim: every domain that a live assistant's chatbot allows is listed, with the number of those assistants.
-- Identity: sum(rpt_chatbot_domains) = distinct pairs of assistant and domain.

with live_assistants as (
    select assistant_id
    from staging.stg_assistants
    where is_live
),

entered as (
    select
        count(distinct row(
            domains.assistant_id,
            regexp_replace(lower(trim(domains.domain)), '^((?:[a-z][a-z0-9+.-]*:)?//)?[^/?#]*@', '\1***@')
        )) as pairs_count
    from staging.stg_assistant_chatbot_domains as domains
    inner join live_assistants on domains.assistant_id = live_assistants.assistant_id
    where domains.domain is not null
),

listed as (
    select coalesce(sum(assistants_count), 0) as pairs_count
    from marts.rpt_chatbot_domains
)

select
    entered.pairs_count as entered_count,
    listed.pairs_count as listed_count
from entered
cross join listed
where entered.pairs_count <> listed.pairs_count
