-- Grain: a finding of the audit that follows from the configuration of one live assistant alone.
-- Question: which rule found what, and under which conditions on the configuration?

-- `conditions` say how to recognise the finding in an earlier version, field by field: the field `contains` a text,
-- or `lacks` it, is `blank` or `filled`, or is the `same` as now. `evidence` distinguishes the findings of one rule and
-- place. It may hold a secret and is not published.
with withheld as (
    select rule
    from intermediate.int_withheld_rules
    where not is_run
),

live_assistants as (
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

all_variables as (
    select
        assistant_id,
        variable,
        matching_variable,
        places,
        is_declared,
        is_used,
        count(*) filter (where is_declared) over (partition by assistant_id) as declared_count,
        count(*) over (partition by assistant_id) as names_count
    from marts.rpt_variable_usage
    -- The platform fills these in; declared or not is the same.
    where is_declared or not is_known
),

-- Several names and not one declared have one cause: they are one finding.
undeclared_lists as (
    select
        assistant_id,
        string_agg('{{' || variable || '}}', ', ' order by variable) as mentions,
        min(variable) as first_variable,
        regexp_extract(min_by(places, variable), '^[^ ,]+') as first_field
    from all_variables
    where declared_count = 0 and names_count > 1
    group by assistant_id
),

variables as (
    select
        assistant_id,
        variable,
        matching_variable,
        unnest(case when places is null then ['variables'] else string_split(places, ', ') end) as place,
        is_declared
    from all_variables
    where not (is_declared and is_used) and not (declared_count = 0 and names_count > 1)
),

domains as (
    select
        assistant_id,
        entered,
        is_wildcard,
        is_any_domain,
        is_local,
        is_http
    from intermediate.int_chatbot_domains
),

http_tools as (
    select distinct
        assistant_id,
        case when node is null then field else used_in || ' tools ' || position end as place,
        field,
        host
    from intermediate.int_tools
    where starts_with(lower(url), 'http://') and host is not null
),

-- In JSON, quotation marks and line ends are written with a backslash.
unescaped_texts as (
    select
        assistant_id,
        place,
        field,
        case
            when is_prompt then text
            else replace(replace(replace(text, '\n', chr(10)), '\t', chr(9)), '\"', '"')
        end as text
    from texts
),

-- Materialized because it is read twice, and known_secrets too: the texts are searched once.
secret_texts as materialized (
    select *
    from unescaped_texts
    where
        regexp_matches(
            text,
            '(?i)(?:sk|pk|rk)[-_]|akia|gh[pousr]_|xox|eyj|private key|bearer |basic '
            || '|pass|senha|contrase|key|secret|token'
        )
),

-- The known forms of keys and tokens.
known_secrets as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            text,
            '\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}'
            || '|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}'
            || '|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bBearer [A-Za-z0-9._~+/-]{20,}'
            || '|\bBasic [A-Za-z0-9+/]{16,}={0,2}'
        )) as evidence
    from secret_texts
),

-- A label such as password, and what follows the sign.
labelled_texts as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            text,
            '(?i)[a-z_-]*(?:password|passwort|passwd|contraseña|senha|mot de passe|api[ _-]?key|secret|token)'
            || '["'']?\s*[:=]\s*["'']?[^\s"''{}<>\[\],;]{8,}'
        )) as labelled
    from secret_texts
),

labelled_values as (
    select
        assistant_id,
        place,
        field,
        trim(regexp_extract(labelled, '^[^"'':=]*')) as label,
        rtrim(regexp_extract(labelled, '[:=]\s*["'']?(.*)$', 1), '.!?…:)\') as secret
    from labelled_texts
),

secrets as (
    select
        assistant_id,
        place,
        field,
        evidence,
        evidence as secret,
        case when starts_with(evidence, '-----BEGIN') then evidence else left(evidence, 4) || '***' end as excerpt
    from known_secrets
    -- Words joined by hyphens may look like a key; a key has digits.
    where regexp_matches(evidence, '\d|PRIVATE KEY')

    union all

    -- Prose has letters or numbers; a secret mixes them. Words and numbers that are only joined are prose too: a date,
    -- an address, 8-12-characters.
    select
        assistant_id,
        place,
        field,
        label || secret as evidence,
        secret,
        label || ': ***' as excerpt
    from labelled_values
    where length(secret) >= 8
        and len(list_distinct(string_split(secret, ''))) >= 6
        and regexp_matches(secret, '[A-Za-z]')
        and (
            regexp_matches(secret, '\d.*\d')
            or (regexp_matches(secret, '\d') and regexp_matches(secret, '[a-z]') and regexp_matches(secret, '[A-Z]'))
        )
        and not regexp_matches(secret, '(?i)^(?:https?:|www\.|/)|^\d{4}-\d\d-\d\d')
        and not regexp_full_match(secret, '(?:[A-Za-z]+|\d+)(?:[-_/.:](?:[A-Za-z]+|\d+))*')
        and not exists (
            select 1
            from known_secrets
            where known_secrets.assistant_id = labelled_values.assistant_id
                and known_secrets.place = labelled_values.place
                and contains(labelled_values.secret, known_secrets.evidence)
        )
),

phone_numbers as (
    select
        assistant_id,
        place,
        field,
        unnest(regexp_extract_all(
            -- Groups of an IBAN look like a number with 00.
            regexp_replace(text, '\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b', 'IBAN', 'g'),
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

-- Materialized because it is read twice.
private_urls as materialized (
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
    from unescaped_texts
    where contains(text, '://')
),

voice_values as (
    select
        assistant_id,
        unnest(['voice_stability', 'voice_clarity_similarity']) as place,
        unnest([voice_stability, voice_clarity_similarity]) as value
    from live_assistants
),

state_counts as (
    select
        assistant_id,
        count(*) as states_count
    from states
    group by assistant_id
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

    select
        assistant_id,
        'no_variables_declared' as rule,
        'variables' as place,
        '' as evidence,
        case
            when length(mentions) > 80 then regexp_replace(left(mentions, 79), ', [^,]*$', '') || ', …'
            else mentions
        end as excerpt,
        [
            {'field': 'variables', 'state': 'blank', 'text': ''},
            {'field': first_field, 'state': 'contains', 'text': first_variable}
        ] as conditions
    from undeclared_lists

    union all

    select distinct
        assistant_id,
        'secret_in_text' as rule,
        place,
        evidence,
        excerpt,
        [{'field': field, 'state': 'contains', 'text': secret}] as conditions
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
        case when is_recorded then 'calls are recorded, without a notice' end as excerpt,
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
        case
            when length(trim(begin_message)) > 80
                then regexp_replace(left(trim(begin_message), 80), '\s+\S*$', '') || '…'
            else nullif(trim(begin_message), '')
        end as excerpt,
        [
            {'field': 'call_recording_enabled', 'state': 'same', 'text': ''},
            {'field': 'begin_message', 'state': 'same', 'text': ''}
        ] as conditions
    from live_assistants
    where is_recorded
        -- An assistant that should speak first and has nothing to say has the finding empty_begin_message.
        and (coalesce(lower(trim(who_speaks_first)) <> 'assistant', true) or regexp_matches(begin_message, '\S'))
        and not coalesce(
            regexp_matches(
                begin_message,
                '(?i)\brecord(?:ed|ings?)\b|\brecord (?:this|our|all|every|each|the|your|these)? ?(?:phone )?'
                || '(?:call|conversation)'
                || '|aufgezeichnet|aufzeichn|aufgenommen|mitgeschnitten|mitschn'
                || '|enregistr(?:é|ons|ement)|enregistrer (?:cet |cette |l''|votre )?(?:appel|conversation)'
                || '|graba|grava|registrat|registraz|opgenomen|opname'
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
        'unknown_time_zone' as rule,
        'timezone' as place,
        '' as evidence,
        left(trim(timezone), 80) as excerpt,
        [{'field': 'timezone', 'state': 'same', 'text': ''}] as conditions
    from live_assistants
    where regexp_matches(timezone, '\S')
        and lower(trim(timezone)) not in (select lower(zones.name) from pg_timezone_names() as zones)

    union all

    select
        assistant_id,
        'voice_value_out_of_range' as rule,
        place,
        '' as evidence,
        cast(value as varchar) as excerpt,
        [{'field': place, 'state': 'same', 'text': ''}] as conditions
    from voice_values
    where not value between 0 and 1

    union all

    select
        live_assistants.assistant_id,
        'single_prompt_with_states' as rule,
        'llm_states' as place,
        '' as evidence,
        state_counts.states_count || case state_counts.states_count when 1 then ' state' else ' states' end as excerpt,
        [
            {'field': 'assistant_type', 'state': 'same', 'text': ''},
            {'field': 'llm_states', 'state': 'filled', 'text': ''}
        ] as conditions
    from live_assistants
    inner join state_counts on live_assistants.assistant_id = state_counts.assistant_id
    where lower(trim(live_assistants.assistant_type)) = 'single_prompt'

    union all

    select
        http_tools.assistant_id,
        'tool_over_http' as rule,
        http_tools.place,
        http_tools.host as evidence,
        'http://' || http_tools.host as excerpt,
        [{'field': http_tools.field, 'state': 'contains', 'text': 'http://' || http_tools.host}] as conditions
    from http_tools
    -- A private address has a finding already, and needs another address before it needs https.
    where not exists (
            select 1
            from private_urls
            where private_urls.assistant_id = http_tools.assistant_id
                and private_urls.place = http_tools.place
                and contains(lower(private_urls.evidence), http_tools.host)
        )

    union all

    select
        assistant_id,
        'unlimited_reminders' as rule,
        'max_reminder_messages' as place,
        '' as evidence,
        'frequency ' || reminder_message_frequency
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
            case when is_any_domain then ['chatbot_wildcard_domain'] else [] end,
            case when is_wildcard and not is_any_domain then ['chatbot_wildcard_subdomain'] else [] end,
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
        -- [Note] and {brackets} may begin a sentence; JSON goes on with a quotation mark or another bracket.
        and regexp_matches(text, '^\s*(?:\{\s*["''}]|\[\s*[{\["''\]])')
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
where rule not in (select withheld.rule from withheld)
