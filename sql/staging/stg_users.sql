-- Grain: a user who owns, or once owned, an assistant.
-- Question: who are the owners?

select
    user_id,

    case when regexp_matches(name, '\S') then name end as user_name,
    case when regexp_matches(email, '\S') then email end as email,
    case when regexp_matches(dp, '\S') then dp end as picture_url,
    content_hash,
    extra
from main.users
