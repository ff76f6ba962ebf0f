-- Grain: an assistant, live or deleted.
-- Question: which assistants are there, whose are they, how are they built, how large and how old?

with assistants as (
    select * from staging.stg_assistants
),

users as (
    select
        user_id,
        coalesce(user_name, email, user_id) as owner_name,
        email
    from staging.stg_users
),

voices as (
    select
        voice_id,
        voice_name,
        language as voice_language,
        is_cloned
    from staging.stg_voices
),

as_of as (
    select as_of_at from staging.stg_as_of
),

variables as (
    select
        assistant_id,
        count(*) as variables_count
    from staging.stg_assistant_variables
    group by assistant_id
),

states as (
    select
        assistant_id,
        count(*) as states_count,
        cast(sum(length(coalesce(prompt, ''))) as bigint) as state_prompt_characters
    from staging.stg_assistant_llm_states
    group by assistant_id
),

state_tools as (
    select
        assistant_id,
        count(*) as state_tools_count
    from staging.stg_assistant_llm_state_tools
    group by assistant_id
),

domains as (
    select
        assistant_id,
        count(*) as domains_count
    from staging.stg_assistant_chatbot_domains
    group by assistant_id
),

versions as (
    select
        assistant_id,
        count(*) as versions_count,
        count(*) filter (where is_silent) as silent_versions_count
    from staging.stg_assistant_versions
    group by assistant_id
),

-- The time of a change is updated_at, unless the change was silent or a sync had seen it before that time.
last_versions as (
    select
        assistant_id,
        case
            when is_silent then valid_from
            else least(coalesce(updated_at, valid_from), valid_from)
        end as last_changed_at
    from intermediate.int_validity
    qualify row_number() over (partition by assistant_id order by version_number desc) = 1
),

measured as (
    select
        assistants.*,
        coalesce(length(assistants.prompt), 0) as prompt_characters,
        coalesce(states.state_prompt_characters, 0) as state_prompt_characters,
        coalesce(variables.variables_count, 0) as variables_count,
        coalesce(states.states_count, 0) as states_count,
        coalesce(state_tools.state_tools_count, 0)
        + case json_type(try_cast(assistants.tools as json))
            when 'ARRAY' then cast(json_array_length(try_cast(assistants.tools as json)) as bigint)
            when 'OBJECT' then 1
            else 0
        end as tools_count,
        coalesce(domains.domains_count, 0) as domains_count,
        coalesce(versions.versions_count, 0) as versions_count,
        coalesce(versions.silent_versions_count, 0) as silent_versions_count,
        last_versions.last_changed_at
    from assistants
    left join variables on assistants.assistant_id = variables.assistant_id
    left join states on assistants.assistant_id = states.assistant_id
    left join state_tools on assistants.assistant_id = state_tools.assistant_id
    left join domains on assistants.assistant_id = domains.assistant_id
    left join versions on assistants.assistant_id = versions.assistant_id
    left join last_versions on assistants.assistant_id = last_versions.assistant_id
)

select
    measured.assistant_id,
    measured.user_id,
    measured.voice_id,

    measured.assistant_name,
    users.owner_name,
    users.email as owner_email,
    voices.voice_name,
    voices.voice_language,
    measured.assistant_type,
    measured.model,
    measured.timezone,
    measured.who_speaks_first,
    measured.phone_number,

    measured.prompt_characters,
    measured.state_prompt_characters,
    cast(ceil((measured.prompt_characters + measured.state_prompt_characters) / 4) as bigint) as prompt_tokens_estimate,
    measured.variables_count,
    measured.states_count,
    measured.tools_count,
    measured.domains_count,
    measured.versions_count,
    measured.silent_versions_count,
    greatest(0, date_sub('day', measured.last_changed_at, as_of.as_of_at)) as days_since_change,

    measured.is_live,
    coalesce(measured.is_recorded, false) as is_recorded,
    voices.is_cloned as is_voice_cloned,
    measured.knowledge_base is not null or measured.custom_knowledge_base is not null as has_knowledge_base,
    measured.phone_number is not null as has_phone_number,
    measured.domains_count > 0
    or measured.chatbot_begin_message is not null
    or coalesce(regexp_matches(measured.chatbot_faq, '[^\s\[\]{}]'), false) as has_chatbot,
    measured.states_count > 0 as has_states,

    measured.created_at,
    measured.updated_at,
    measured.first_seen_at,
    measured.last_changed_at,
    measured.deleted_at
from measured
left join users on measured.user_id = users.user_id
left join voices on measured.voice_id = voices.voice_id
cross join as_of
