-- Grain: a domain that may embed an assistant's chatbot, in its order.
-- Question: where may each chatbot appear?

select
    assistant_id,
    position,

    case when regexp_matches(domain, '\S') then domain end as domain,
    item
from main.assistant_chatbot_domains
