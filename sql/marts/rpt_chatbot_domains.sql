-- Grain: a domain that may embed chatbots of live assistants.
-- Question: where can our chatbots appear, and which entries are too open?

with counted as (
    select
        domain,
        host,
        is_wildcard,
        is_any_domain,
        is_local,
        is_http,
        count(distinct assistant_id) as assistants_count,
        count(distinct user_id) as owners_count
    from intermediate.int_chatbot_domains
    group by domain, host, is_wildcard, is_any_domain, is_local, is_http
)

select
    domain,
    nullif(host, '') as host,

    assistants_count,
    owners_count,

    is_wildcard,
    is_any_domain,
    is_local,
    is_http
from counted
order by assistants_count desc, domain asc
