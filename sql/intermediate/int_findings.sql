-- Grain: a finding of the audit in a live assistant.
-- Question: which rule found what, and under which conditions on the configuration?

-- `conditions` say how to recognise the finding in an earlier version, field by field: the field `contains` a text,
-- or `lacks` it, is `blank`, or is the `same` as now. `evidence` distinguishes the findings of one rule and place. It
-- may hold a secret and is not published.
with live_assistants as (
    select * from staging.stg_assistants
    where is_live
),

texts as (
    select
        assistant_id,
        place,
        field,
        text,
        is_prompt
    from intermediate.int_texts
),

states as (
    select
        assistant_id,
        'llm_states ' || path as place,
        coalesce(state_id, state_name) as label,
        is_duplicate_id,
        is_reachable,
        is_empty
    from marts.dim_llm_states
),

variables as (
    select
        assistant_id,
        variable,
        matching_variable,
        unnest(case when places is null then ['variables'] else string_split(places, ', ') end) as place,
        is_declared,
        is_used
    from marts.rpt_variable_usage
    where not (is_declared and is_used)
),

domains as (
    select
        domains.assistant_id,
        domains.domain as entered,
        listed.is_wildcard,
        listed.is_local,
        listed.is_http
    from staging.stg_assistant_chatbot_domains as domains
    inner join live_assistants on domains.assistant_id = live_assistants.assistant_id
    inner join marts.rpt_chatbot_domains as listed on lower(trim(domains.domain)) = listed.domain
),

secrets as (
    select
        assistant_id,
        place,
        field,
        unnest(list_concat(
            regexp_extract_all(
                text,
                '\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}'
                || '|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}'
                || '|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bBearer [A-Za-z0-9._~+/-]{20,}'
            ),
            regexp_extract_all(
                text,
                '(?i)\b(?:password|passwort|passwd|contraseña|senha|mot de passe|api[ _-]?key|secret|token)'
                || '\s*[:=]\s*["'']?[^\s"''{}<>\[\],;]{6,}'
            )
        )) as evidence
    from texts
    where
        regexp_matches(
            text,
            '(?i)(?:sk|pk|rk)[-_]|akia|gh[pousr]_|xox|eyj|private key|bearer |pass|senha|contrase|key|secret|token'
        )
),

phone_numbers as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            text,
            '(?:^|[^\w.+-])((?:\+|00)[1-9]\d{0,2}[ ()./-]{0,2}\d[\d ()./-]{5,14}\d'
            || '|\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4})(?:$|[^\w-])',
            1
        )) as evidence
    from texts
    where is_prompt and regexp_matches(text, '\+[1-9]|00[1-9]|\d{3}[ .-]\d{4}')
),

emails as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            text, '[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}'
        )) as evidence
    from texts
    where is_prompt and contains(text, '@')
),

private_urls as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            text,
            '(?i)https?://(?:[^\s/@"''<>]+@)?'
            || '(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+'
            || '|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+|[a-z0-9.-]+\.(?:local|internal|intranet|lan|corp))'
            || '(?:$|[:/?#\s"''<>),.;])[^\s"''<>]*'
        )) as evidence
    from texts
    where contains(text, '://')
),

found as (
    select
        assistant_id,
        case
            when is_declared then 'unused_variable'
            when matching_variable is not null then 'variable_case_mismatch'
            else 'undeclared_variable'
        end as rule,
        place,
        variable as evidence,
        '{{' || variable || '}}' as excerpt,
        case
            when is_declared
                then [{'field': 'variables', 'state': 'contains', 'text': variable}]
            when matching_variable is not null
                then [
                    {'field': regexp_replace(place, ' .*', ''), 'state': 'contains', 'text': variable},
                    {'field': 'variables', 'state': 'contains', 'text': matching_variable}
                ]
            else
                [
                    {'field': regexp_replace(place, ' .*', ''), 'state': 'contains', 'text': variable},
                    {'field': 'variables', 'state': 'lacks', 'text': variable}
                ]
        end as conditions
    from variables
    -- A declared variable that is used in another spelling is reported where it is used.
    where not is_declared or matching_variable is null

    union all

    select distinct
        assistant_id,
        'secret_in_text' as rule,
        place,
        evidence,
        case
            when starts_with(evidence, '-----BEGIN') then evidence
            when regexp_matches(evidence, '[:=]') then regexp_extract(evidence, '^[^:=]*[:=]') || ' ***'
            else left(evidence, 4) || '***'
        end as excerpt,
        [{'field': field, 'state': 'contains', 'text': evidence}] as conditions
    from secrets

    union all

    select distinct
        assistant_id,
        'phone_number_in_prompt' as rule,
        place,
        evidence,
        left(evidence, 5) || '***' as excerpt,
        [{'field': field, 'state': 'contains', 'text': evidence}] as conditions
    from phone_numbers

    union all

    select distinct
        assistant_id,
        'email_in_prompt' as rule,
        place,
        evidence,
        left(evidence, 1) || '***@' || regexp_extract(evidence, '@(.*)$', 1) as excerpt,
        [{'field': field, 'state': 'contains', 'text': evidence}] as conditions
    from emails

    union all

    select distinct
        assistant_id,
        'private_url_in_text' as rule,
        place,
        evidence,
        regexp_replace(regexp_extract(evidence, '^[A-Za-z]+://[^/?#]*'), '//[^@]*@', '//***@') as excerpt,
        [{'field': field, 'state': 'contains', 'text': evidence}] as conditions
    from private_urls

    union all

    select
        live_assistants.assistant_id,
        'empty_prompt' as rule,
        'prompt' as place,
        '' as evidence,
        cast(null as varchar) as excerpt,
        [
            {'field': 'prompt', 'state': 'blank', 'text': ''},
            {'field': 'llm_states', 'state': 'same', 'text': ''}
        ] as conditions
    from live_assistants
    where not coalesce(regexp_matches(prompt, '\S'), false)
        and not exists (
            select 1
            from texts
            where texts.assistant_id = live_assistants.assistant_id
                and texts.is_prompt
                and regexp_matches(texts.text, '\S')
        )

    union all

    select
        assistant_id,
        'empty_begin_message' as rule,
        'begin_message' as place,
        '' as evidence,
        cast(null as varchar) as excerpt,
        [
            {'field': 'begin_message', 'state': 'blank', 'text': ''},
            {'field': 'who_speaks_first', 'state': 'same', 'text': ''}
        ] as conditions
    from live_assistants
    where lower(trim(who_speaks_first)) = 'assistant'
        and not coalesce(regexp_matches(begin_message, '\S'), false)

    union all

    select
        assistant_id,
        'recording_without_notice' as rule,
        'begin_message' as place,
        '' as evidence,
        nullif(left(trim(begin_message), 80), '') as excerpt,
        [
            {'field': 'call_recording_enabled', 'state': 'same', 'text': ''},
            {'field': 'begin_message', 'state': 'same', 'text': ''}
        ] as conditions
    from live_assistants
    where is_recorded
        and not coalesce(
            regexp_matches(
                begin_message,
                '(?i)record|aufgezeichnet|aufzeichn|aufgenommen|mitgeschnitten|mitschn'
                || '|enregistr|graba|grava|registrat|registraz|opgenomen|opname'
            ),
            false
        )

    union all

    select
        assistant_id,
        'no_time_zone' as rule,
        'timezone' as place,
        '' as evidence,
        cast(null as varchar) as excerpt,
        [{'field': 'timezone', 'state': 'blank', 'text': ''}] as conditions
    from live_assistants
    where not coalesce(regexp_matches(timezone, '\S'), false)

    union all

    select
        assistant_id,
        'unlimited_reminders' as rule,
        'max_reminder_messages' as place,
        '' as evidence,
        'every ' || reminder_message_frequency
        || ', at most ' || coalesce(cast(max_reminder_messages as varchar), 'not set') as excerpt,
        [
            {'field': 'reminder_message_frequency', 'state': 'same', 'text': ''},
            {'field': 'max_reminder_messages', 'state': 'same', 'text': ''}
        ] as conditions
    from live_assistants
    where reminder_message_frequency > 0 and coalesce(max_reminder_messages, -1) < 0

    union all

    select distinct
        assistant_id,
        unnest(list_concat(
            case when is_wildcard then ['chatbot_wildcard_domain'] else [] end,
            case when is_local then ['chatbot_local_domain'] else [] end,
            case when is_http then ['chatbot_http_domain'] else [] end
        )) as rule,
        'chatbot_whitelisted_domains' as place,
        entered as evidence,
        left(regexp_replace(entered, '//[^@/]*@', '//***@'), 80) as excerpt,
        [{'field': 'chatbot_whitelisted_domains', 'state': 'contains', 'text': entered}] as conditions
    from domains

    union all

    select
        assistant_id,
        'invalid_accent_color' as rule,
        'chatbot_accent_color' as place,
        '' as evidence,
        left(chatbot_accent_color, 80) as excerpt,
        [{'field': 'chatbot_accent_color', 'state': 'same', 'text': ''}] as conditions
    from live_assistants
    where regexp_matches(chatbot_accent_color, '\S')
        and not regexp_full_match(trim(chatbot_accent_color), '#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})')

    union all

    select
        assistant_id,
        'invalid_json' as rule,
        place,
        '' as evidence,
        left(ltrim(text), 1) || '…' as excerpt,
        [{'field': field, 'state': 'same', 'text': ''}] as conditions
    from texts
    where place in ('tools', 'post_analysis', 'chatbot_faq')
        and regexp_matches(text, '^\s*[{\[]')
        and not json_valid(text)

    union all

    select
        assistant_id,
        unnest(list_concat(
            case when is_duplicate_id then ['duplicate_state_id'] else [] end,
            case when not is_reachable and not is_duplicate_id then ['unreachable_state'] else [] end,
            case when is_empty then ['empty_state'] else [] end
        )) as rule,
        place,
        '' as evidence,
        nullif(left(trim(label), 80), '') as excerpt,
        [{'field': 'llm_states', 'state': 'same', 'text': ''}] as conditions
    from states

    union all

    select
        assistant_id,
        'oversize_prompt' as rule,
        place,
        '' as evidence,
        length(text) || ' characters' as excerpt,
        [{'field': field, 'state': 'same', 'text': ''}] as conditions
    from texts
    where is_prompt and length(text) > 20000

    union all

    select
        assistant_id,
        'missing_voice' as rule,
        'voice' as place,
        '' as evidence,
        cast(null as varchar) as excerpt,
        [{'field': 'voice_id', 'state': 'blank', 'text': ''}] as conditions
    from live_assistants
    where voice_id is null
)

select
    md5(assistant_id || '|' || rule || '|' || place || '|' || evidence) as finding_id,
    assistant_id,

    rule,
    place,
    excerpt,
    conditions
from found
