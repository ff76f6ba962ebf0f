-- Grain: a domain that may embed chatbots of live assistants.
-- Question: where can our chatbots appear, and which entries are too open?

with live_assistants as (
    select
        assistant_id,
        user_id
    from staging.stg_assistants
    where is_live
),

domains as (
    select
        domains.assistant_id,
        live_assistants.user_id,
        lower(trim(domains.domain)) as domain
    from staging.stg_assistant_chatbot_domains as domains
    inner join live_assistants on domains.assistant_id = live_assistants.assistant_id
    where domains.domain is not null
),

counted as (
    select
        domain,
        regexp_replace(regexp_replace(domain, '^[a-z][a-z0-9+.-]*://', ''), '[:/?#].*$', '') as host,
        count(distinct assistant_id) as assistants_count,
        count(distinct user_id) as owners_count
    from domains
    group by domain
)

select
    domain,
    host,

    assistants_count,
    owners_count,

    contains(domain, '*') as is_wildcard,
    regexp_full_match(
        host,
        'localhost|.*\.(localhost|local|internal|lan)'
        || '|0\.0\.0\.0|127\..*|10\.\d.*|192\.168\..*|172\.(1[6-9]|2\d|3[01])\..*'
    ) or contains(domain, '[::1]') as is_local,
    starts_with(domain, 'http://') as is_http
from counted
order by assistants_count desc, domain asc
