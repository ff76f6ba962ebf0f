-- Grain: a domain that may embed an assistant's chatbot, in its order.
-- Question: where may each chatbot appear?

select
    assistant_id,
    position,

    domain,
    item
from main.assistant_chatbot_domains
