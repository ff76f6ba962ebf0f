-- Grain: a rule of the audit.
-- Question: what does the rule look for, why, and what should be done?

with rules (rule, severity, fields, title, description, remedy) as (
    values
    (
        'undeclared_variable', 'medium', 'prompt, begin_message, llm_states, variables',
        'Variable is used but not declared',
        'A text contains {{name}}, but the assistant does not declare a variable of that name in any spelling. '
        || 'Names that the platform fills in itself are reported too.',
        'Declare the variable, or correct its name in the text.'
    ),
    (
        'unused_variable', 'low', 'variables', 'Variable is declared but not used',
        'The assistant declares a variable, but none of its prompts, messages, tools or definitions contains '
        || '{{name}}, in any spelling.',
        'Remove the variable, or use it.'
    ),
    (
        'variable_case_mismatch', 'medium', 'prompt, begin_message, llm_states, variables',
        'Variable is written in another case',
        'A text contains {{Name}}, but the assistant declares name: they differ only in upper and lower case.',
        'Write the variable as it is declared.'
    ),
    (
        'secret_in_text', 'high', 'prompt, begin_message, llm_states', 'Looks like a secret in a text',
        'A text contains something in the form of a key or token (sk-…, AKIA…, ghp_…, xoxb-…, a JWT, a private '
        || 'key, Bearer …), or a password, key or token followed by = or : and a value.',
        'Remove it and replace the key: anyone who can read the prompt, or makes the assistant say it, knows the key.'
    ),
    (
        'phone_number_in_prompt', 'low', 'prompt, llm_states', 'Phone number in a prompt',
        'A prompt contains an international phone number (+ or 00), or one of the form 555-123-4567. Examples and '
        || 'emergency numbers are reported too.',
        'Use a variable, so that the number can be changed in one place.'
    ),
    (
        'email_in_prompt', 'low', 'prompt, llm_states', 'E-mail address in a prompt',
        'A prompt contains an e-mail address.',
        'Use a variable, and check that callers may know the address.'
    ),
    (
        'private_url_in_text', 'medium', 'prompt, begin_message, llm_states, tools',
        'Address of a private network in a text',
        'A text contains an http address of the local machine or of a private network (localhost, 10.…, 192.168.…, '
        || '.local, .internal).',
        'Use an address that the platform can reach, and do not show internal names.'
    ),
    (
        'empty_prompt', 'high', 'prompt, llm_states', 'No prompt',
        'The prompt is empty, and no state has a prompt.',
        'Write a prompt.'
    ),
    (
        'empty_begin_message', 'medium', 'begin_message, who_speaks_first', 'Speaks first but has nothing to say',
        'The assistant speaks first, but its begin message is empty.',
        'Write a begin message, or let the user speak first.'
    ),
    (
        'recording_without_notice', 'high', 'call_recording_enabled, begin_message', 'Records without saying so',
        'Calls are recorded, but the begin message does not contain a word such as record, aufgezeichnet, '
        || 'enregistré, grabada, gravada. A heuristic: it does not recognise a notice in other words or later in the '
        || 'call.',
        'Say in the begin message that the call is recorded, or switch recording off. Many countries require this '
        || 'by law.'
    ),
    (
        'no_time_zone', 'low', 'timezone', 'No time zone',
        'The time zone is empty: the assistant may use another date than the caller for today and tomorrow.',
        'Set the time zone.'
    ),
    (
        'unlimited_reminders', 'medium', 'reminder_message_frequency, max_reminder_messages', 'Reminders without limit',
        'Silent callers are reminded (the frequency is above 0), but the maximum number of reminders is not set, '
        || 'or is negative.',
        'Set the maximum number of reminders.'
    ),
    (
        'chatbot_wildcard_domain', 'high', 'chatbot_whitelisted_domains', 'Chatbot may appear anywhere',
        'A domain that may embed the chatbot contains a *.',
        'Name the domains one by one.'
    ),
    (
        'chatbot_local_domain', 'low', 'chatbot_whitelisted_domains', 'Chatbot may appear on a test machine',
        'A domain that may embed the chatbot is the local machine or in a private network.',
        'Remove it after the tests.'
    ),
    (
        'chatbot_http_domain', 'medium', 'chatbot_whitelisted_domains', 'Chatbot may appear on an unencrypted page',
        'A domain that may embed the chatbot is entered with http://.',
        'Use https.'
    ),
    (
        'invalid_accent_color', 'low', 'chatbot_accent_color', 'Accent colour is not a colour',
        'The accent colour of the chatbot does not have the form #rgb or #rrggbb (with or without transparency).',
        'Write it as #rrggbb.'
    ),
    (
        'invalid_json', 'medium', 'tools, post_analysis, chatbot_faq', 'Looks like JSON but is not',
        'tools, post_analysis or chatbot_faq begins with { or [, but is not valid JSON.',
        'Correct the JSON: the platform probably ignores it.'
    ),
    (
        'duplicate_state_id', 'high', 'llm_states', 'State id is taken',
        'An earlier state of the assistant (in reading order) has the same id: a transition cannot distinguish them.',
        'Give the state a unique id.'
    ),
    (
        'unreachable_state', 'medium', 'llm_states', 'State cannot be reached',
        'The state or a state above it has no unique id, so no transition by id can reach it. A state whose own id '
        || 'is a duplicate is reported as duplicate_state_id.',
        'Give each state a unique id.'
    ),
    (
        'empty_state', 'medium', 'llm_states', 'State is empty',
        'The state has neither a prompt nor tools.',
        'Write its prompt, or remove the state.'
    ),
    (
        'oversize_prompt', 'medium', 'prompt, llm_states', 'Very long prompt',
        'A prompt has more than 20,000 characters, about 5,000 tokens: answers are slower and cost more, and the '
        || 'model may ignore some rules.',
        'Move facts to the knowledge base, and steps to states.'
    ),
    (
        'missing_voice', 'high', 'voice_id', 'No voice',
        'The API gives no voice for the assistant.',
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
