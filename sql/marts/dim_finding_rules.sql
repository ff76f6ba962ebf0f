-- Grain: a rule of the audit.
-- Question: what is looked for, why, and what to do about it?

with rules (rule, severity, fields, title, description, remedy) as (
    values
    (
        'undeclared_variable', 'medium', 'prompt, begin_message, llm_states, variables',
        'Variable is used but not declared',
        'A text holds {{name}}, and the assistant declares no variable of that name in any spelling. Names that '
        || 'the platform fills in by itself cannot be told apart.',
        'Declare the variable, or correct its name in the text.'
    ),
    (
        'unused_variable', 'low', 'variables', 'Variable is declared but not used',
        'The assistant declares a variable that no prompt, message, tool or definition of it holds as {{name}}, in '
        || 'any spelling.',
        'Remove the variable, or use it.'
    ),
    (
        'variable_case_mismatch', 'medium', 'prompt, begin_message, llm_states, variables',
        'Variable is written in another case',
        'A text holds {{Name}}, and the assistant declares name: the same but for upper and lower case.',
        'Write the variable as it is declared.'
    ),
    (
        'secret_in_text', 'high', 'prompt, begin_message, llm_states', 'Looks like a secret in a text',
        'A text holds what has the form of a key or token (sk-…, AKIA…, ghp_…, xoxb-…, a JWT, a private key, '
        || 'Bearer …), or a password, key or token with its value behind = or :.',
        'Remove it, and replace the key: whoever can read the prompt, or talks the assistant into telling it, has it.'
    ),
    (
        'phone_number_in_prompt', 'low', 'prompt, llm_states', 'Phone number in a prompt',
        'A prompt holds an international phone number (+ or 00), or one of the form 555-123-4567. Examples and '
        || 'emergency numbers are found too.',
        'Put it into a variable, so that it is not forgotten when it changes.'
    ),
    (
        'email_in_prompt', 'low', 'prompt, llm_states', 'E-mail address in a prompt',
        'A prompt holds an e-mail address.',
        'Put it into a variable, and check that callers may be told it.'
    ),
    (
        'private_url_in_text', 'medium', 'prompt, begin_message, llm_states, tools',
        'Address of a private network in a text',
        'A text holds an http address of the own machine or of a private network (localhost, 10.…, 192.168.…, '
        || '.local, .internal).',
        'Use an address that the platform can reach, and do not show internal names.'
    ),
    (
        'empty_prompt', 'high', 'prompt, llm_states', 'No prompt',
        'The prompt is empty, and no state has one either.',
        'Write a prompt.'
    ),
    (
        'empty_begin_message', 'medium', 'begin_message, who_speaks_first', 'Speaks first but has nothing to say',
        'The assistant speaks first, and its begin message is empty.',
        'Write a begin message, or let the user speak first.'
    ),
    (
        'recording_without_notice', 'high', 'call_recording_enabled, begin_message', 'Records without saying so',
        'Calls are recorded, and the begin message holds no word such as record, aufgezeichnet, enregistré, '
        || 'grabada, gravada. A heuristic: a notice in other words, or later in the call, is not seen.',
        'Say in the begin message that the call is recorded, or switch recording off. In many countries the law '
        || 'asks for it.'
    ),
    (
        'no_time_zone', 'low', 'timezone', 'No time zone',
        'The time zone is empty: today and tomorrow may mean another day than the caller thinks.',
        'Set the time zone.'
    ),
    (
        'unlimited_reminders', 'medium', 'reminder_message_frequency, max_reminder_messages', 'Reminders without limit',
        'Silent callers are reminded (the frequency is above 0), and the number of reminders is not set, or is '
        || 'negative.',
        'Set the largest number of reminders.'
    ),
    (
        'chatbot_wildcard_domain', 'high', 'chatbot_whitelisted_domains', 'Chatbot may appear anywhere',
        'A domain that may embed the chatbot holds a *.',
        'Name the domains one by one.'
    ),
    (
        'chatbot_local_domain', 'low', 'chatbot_whitelisted_domains', 'Chatbot may appear on a test machine',
        'A domain that may embed the chatbot names the own machine or a private network.',
        'Remove it once the tests are done.'
    ),
    (
        'chatbot_http_domain', 'medium', 'chatbot_whitelisted_domains', 'Chatbot may appear on an unencrypted page',
        'A domain that may embed the chatbot is entered with http://.',
        'Use https.'
    ),
    (
        'invalid_accent_color', 'low', 'chatbot_accent_color', 'Accent colour is no colour',
        'The accent colour of the chatbot is not of the form #rgb or #rrggbb (with or without transparency).',
        'Write it as #rrggbb.'
    ),
    (
        'invalid_json', 'medium', 'tools, post_analysis, chatbot_faq', 'Looks like JSON but is not',
        'tools, post_analysis or chatbot_faq begins with { or [, and is not valid JSON.',
        'Correct the JSON: the platform will most likely ignore it as it is.'
    ),
    (
        'duplicate_state_id', 'high', 'llm_states', 'State id is taken',
        'An earlier state of the assistant (in reading order) has the same id: a transition cannot tell them apart.',
        'Give the state an id of its own.'
    ),
    (
        'unreachable_state', 'medium', 'llm_states', 'State cannot be reached',
        'The state, or one above it, has no id of its own, so that no transition by id leads here. States whose id '
        || 'is taken are reported as duplicate_state_id.',
        'Give the states ids, each its own.'
    ),
    (
        'empty_state', 'medium', 'llm_states', 'State is empty',
        'The state has neither prompt nor tools.',
        'Write its prompt, or remove the state.'
    ),
    (
        'oversize_prompt', 'medium', 'prompt, llm_states', 'Very long prompt',
        'A prompt has more than 20,000 characters, about 5,000 tokens: slower and dearer answers, and rules that '
        || 'get lost.',
        'Move knowledge to the knowledge base, and steps to states.'
    ),
    (
        'missing_voice', 'high', 'voice_id', 'No voice',
        'The API names no voice for the assistant.',
        'Choose a voice.'
    )
)

select
    rule,

    severity,
    cast(case severity when 'high' then 1 when 'medium' then 2 else 3 end as bigint) as severity_rank,
    fields,
    title,
    description,
    remedy
from rules
order by severity_rank, rule
