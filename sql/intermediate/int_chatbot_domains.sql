-- Grain: an entry in the list of domains that may embed the chatbot of a live assistant.
-- Question: which host does the entry name, and is it too open?

with live_assistants as (
    select
        assistant_id,
        user_id
    from staging.stg_assistants
    where is_live
),

entries as (
    select
        domains.assistant_id,
        live_assistants.user_id,
        domains.domain as entered,
        -- Case and white space do not matter, and a user name or password is not shown.
        regexp_replace(lower(trim(domains.domain)), '^((?:[a-z][a-z0-9+.-]*:)?//)?[^/?#]*@', '\1***@') as domain
    from staging.stg_assistant_chatbot_domains as domains
    inner join live_assistants on domains.assistant_id = live_assistants.assistant_id
    where domains.domain is not null
),

hosts as (
    select
        *,
        -- Scheme and user are skipped. An IPv6 address is in brackets, or at least has two colons.
        regexp_extract(
            domain,
            '^(?:(?:[a-z][a-z0-9+.-]*:)?//)?(?:[^/?#]*@)?'
            || '(\[[^\]/?#]*\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|[^/?#:]*)',
            1
        ) as host
    from entries
)

select
    assistant_id,
    user_id,

    entered,
    domain,
    host,

    contains(host, '*') as is_wildcard,
    -- A * in one of the last two labels: *, *.com, *example.com.
    regexp_matches(host, '\*[^.]*(?:\.[^.]*)?$') as is_any_domain,
    regexp_full_match(
        host,
        'localhost|.*\.(localhost|local|internal|lan)'
        || '|0\.0\.0\.0|127\.[\d.]+|10\.[\d.]+|192\.168\.[\d.]+|172\.(1[6-9]|2\d|3[01])\.[\d.]+'
        || '|\[?(::1?|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*)\]?'
    ) as is_local,
    starts_with(domain, 'http://') as is_http
from hosts
