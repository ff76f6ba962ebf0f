-- Grain: a rule of the audit.
-- Question: what does the rule look for, why, and what should be done?

-- {texts} means all fields with texts that people write; the SELECT at the end lists them.
with withheld as (
    select
        rule,
        is_run,
        reason
    from intermediate.int_withheld_rules
),

rules (rule, severity, fields, title, description, remedy) as (
    values
    (
        'undeclared_variable', 'medium', '{texts}, variables',
        'Variable is used but not declared',
        'A text contains {{name}}, but the assistant does not declare a variable of that name in any spelling. '
        || 'Template syntax ({{#if …}}, {{else}}, {{user.name}}) and filters ({{name | upper}}) are understood. '
        || 'Names that the platform fills in itself are reported too, unless the setting known_variables lists them.',
        'Declare the variable, or correct its name in the text. If the platform fills it in, add it to known_variables.'
    ),
    (
        'no_variables_declared', 'medium', '{texts}, variables',
        'Uses variables but declares none',
        'The texts contain several names as {{name}}, but the assistant declares no variable at all: the list is '
        || 'empty, probably by one mistake, so it is one finding and not one for each name. A single name is '
        || 'reported as undeclared_variable. Names in the setting known_variables are not counted.',
        'Declare the variables. If the list was emptied by mistake, an earlier version has it.'
    ),
    (
        'unused_variable', 'low', '{texts}, variables', 'Variable is declared but not used',
        'The assistant declares a variable, but none of its prompts, messages, states, tools or definitions contains '
        || '{{name}}, in any spelling.',
        'Remove the variable, or use it.'
    ),
    (
        'variable_case_mismatch', 'medium', '{texts}, variables',
        'Variable is written in another case',
        'A text contains {{Name}}, but the assistant declares name: they differ only in upper and lower case.',
        'Write the variable as it is declared.'
    ),
    (
        'secret_in_text', 'high', '{texts}', 'Looks like a secret in a text',
        'A text contains something in the form of a key or token (sk-…, AKIA…, ghp_…, xoxb-…, a JWT, a private '
        || 'key, Bearer …, Basic …), or a password, key or token followed by = or : and a value of at least 8 '
        || 'characters that mixes letters and digits. A password of letters alone is not recognised: it looks like '
        || 'prose.',
        'Remove it and replace the key: anyone who can read the prompt, or makes the assistant say it, knows the key.'
    ),
    (
        'phone_number_in_prompt', 'low', 'prompt, llm_states', 'Phone number in a prompt',
        'A prompt contains an international phone number (+ or 00), or one of the form 555-123-4567. An IBAN is not '
        || 'a phone number. Examples and emergency numbers are reported too.',
        'Use a variable, so that the number can be changed in one place.'
    ),
    (
        'email_in_prompt', 'low', 'prompt, llm_states', 'E-mail address in a prompt',
        'A prompt contains an e-mail address.',
        'Use a variable, and check that callers may know the address.'
    ),
    (
        'private_url_in_text', 'medium', '{texts}',
        'Address of a private network in a text',
        'A text or a tool contains an http address of the local machine or of a private network (localhost, 10.…, '
        || '192.168.…, .local, .internal).',
        'Use an address that the platform can reach, and do not show internal names.'
    ),
    (
        'tool_over_http', 'medium', 'tools, llm_states', 'Tool calls an unencrypted address',
        'The URL of a tool begins with http://: what callers say and what the tool returns travels readable, and '
        || 'could be changed on the way. An address of a private network is reported as private_url_in_text instead.',
        'Use https.'
    ),
    (
        'empty_prompt', 'high', 'prompt, llm_states', 'No prompt',
        'The prompt is empty, and no state has a prompt.',
        'Write a prompt.'
    ),
    (
        'empty_begin_message', 'medium', 'begin_message, who_speaks_first, call_recording_enabled',
        'Speaks first but has nothing to say',
        'The assistant speaks first, but its begin message is empty. If calls are recorded, the notice is missing for '
        || 'this reason; that is not a second finding.',
        'Write a begin message, or let the user speak first.'
    ),
    (
        'recording_without_notice', 'high', 'call_recording_enabled, begin_message, who_speaks_first',
        'Records without saying so',
        'Calls are recorded, but the begin message does not contain a word such as recorded, recording, aufgezeichnet, '
        || 'enregistré, grabada, gravada. A heuristic: it does not recognise a notice in other words or later in the '
        || 'call. Where the assistant speaks first without a begin message, empty_begin_message is the finding.',
        'Say in the begin message that the call is recorded, or switch recording off. Many countries require this '
        || 'by law.'
    ),
    (
        'no_time_zone', 'low', 'timezone', 'No time zone',
        'The time zone is empty: the assistant may use another date than the caller for today and tomorrow.',
        'Set the time zone.'
    ),
    (
        'unknown_time_zone', 'medium', 'timezone', 'Time zone does not exist',
        'The time zone is not a name of the IANA time zone database (as DuckDB knows it), for example '
        || 'Europe/Berlinn: the platform probably ignores it, as if it were empty. Upper and lower case do not matter.',
        'Correct the name.'
    ),
    (
        'voice_value_out_of_range', 'low', 'voice_stability, voice_clarity_similarity',
        'Voice value is not between 0 and 1',
        'Stability or clarity of the voice is below 0 or above 1. The API documents no range; its examples are 0.5, '
        || 'and a value such as 50 is probably meant in percent. For speed and latency optimization no range is '
        || 'known, so they are not judged.',
        'Set a value between 0 and 1.'
    ),
    (
        'single_prompt_with_states', 'low', 'assistant_type, llm_states', 'Single prompt, but with states',
        'The assistant is of the type single_prompt, but has states: either the type is wrong, or the states are a '
        || 'rest that the platform ignores.',
        'Change the type, or remove the states.'
    ),
    (
        'shared_phone_number', 'medium', 'phone_number', 'Phone number of several assistants',
        'Several live assistants have the same phone number (compared by its digits; of at least five). A call '
        || 'reaches one assistant, so the others are probably copies or leftovers. It may be right where assistants '
        || 'only make calls.',
        'Keep the number at the assistant that answers it.'
    ),
    (
        'cloned_voice_of_another_owner', 'medium', 'voice_id, user_id',
        'Speaks with a cloned voice of another owner',
        'The voice was cloned from a person, and another owner used it first. Its consent may not cover this use. '
        || 'The API does not say whose voice it is: the owner of the oldest assistant with it counts.',
        'Ask whether the person agreed to this use, or choose another voice.'
    ),
    (
        'unlimited_reminders', 'medium', 'reminder_message_frequency, max_reminder_messages', 'Reminders without limit',
        'Silent callers are reminded (the frequency is above 0; its unit is not documented), but the maximum number '
        || 'of reminders is not set, or is negative.',
        'Set the maximum number of reminders.'
    ),
    (
        'chatbot_wildcard_domain', 'high', 'chatbot_whitelisted_domains', 'Chatbot may appear anywhere',
        'A domain that may embed the chatbot has a * in one of its last two parts (*, *.com, *example.com), so '
        || 'strangers can embed it.',
        'Name the domains one by one.'
    ),
    (
        'chatbot_wildcard_subdomain', 'low', 'chatbot_whitelisted_domains', 'Chatbot may appear on any subdomain',
        'A domain that may embed the chatbot is a wildcard below a named domain (*.example.com). That is safe as long '
        || 'as all subdomains are yours; below a suffix such as co.uk it is not.',
        'Name the subdomains, or check that they are all yours.'
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
        'tools, post_analysis or chatbot_faq begins as JSON does ({" or [{), but is not valid JSON. A sentence '
        || 'that begins with a bracket is not reported.',
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
    rules.rule,

    rules.severity,
    cast(case rules.severity when 'high' then 1 when 'medium' then 2 else 3 end as bigint) as severity_rank,
    replace(
        rules.fields,
        '{texts}',
        'prompt, begin_message, knowledge_base, custom_knowledge_base, post_analysis, tools, chatbot_faq, '
        || 'chatbot_begin_message, llm_states'
    ) as fields,
    rules.title,
    rules.description,
    rules.remedy,
    withheld.reason as withheld_reason,

    coalesce(withheld.is_run, true) as is_run
from rules
left join withheld on rules.rule = withheld.rule
order by severity_rank, rules.rule
