-- Grain: a user who owns, or once owned, an assistant.
-- Question: who are the owners?

select
    user_id,

    name as user_name,
    email,
    dp as picture_url,
    content_hash,
    extra
from main.users
