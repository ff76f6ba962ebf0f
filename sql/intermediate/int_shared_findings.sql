-- Grain: a finding of the audit that follows from several assistants together.
-- Question: which assistants share something that they should not share?

with withheld as (
    select rule
    from intermediate.int_withheld_rules
    where not is_run
),

live_assistants as (
    select
        assistant_id,
        user_id,
        voice_id,
        phone_number,
        regexp_replace(phone_number, '[^0-9]', '', 'g') as digits
    from staging.stg_assistants
    where is_live
),

-- Spaces, brackets, hyphens and the sign before a number do not distinguish it.
numbers as (
    select
        assistant_id,
        phone_number,
        digits,
        count(*) over (partition by digits) as assistants_count
    from live_assistants
    where length(digits) >= 5
),

owned_assistants as (
    select
        assistant_id,
        user_id,
        voice_id,
        coalesce(created_at, first_seen_at) as created_at
    from staging.stg_assistants
    where user_id is not null and voice_id is not null
),

cloned_voices as (
    select
        voice_id,
        voice_name
    from staging.stg_voices
    where is_cloned
),

users as (
    select
        user_id,
        coalesce(user_name, regexp_replace(email, '^(.).*@', '\1***@'), user_id) as owner_name
    from staging.stg_users
),

-- The API does not say whose voice it is: the owner of the oldest assistant with it, live or deleted, counts.
voice_owners as (
    select
        owned_assistants.voice_id,
        owned_assistants.user_id,
        cloned_voices.voice_name
    from owned_assistants
    inner join cloned_voices on owned_assistants.voice_id = cloned_voices.voice_id
    qualify
        row_number() over (
            partition by owned_assistants.voice_id
            order by owned_assistants.created_at nulls last, owned_assistants.assistant_id
        ) = 1
),

found as (
    select
        assistant_id,
        'shared_phone_number' as rule,
        'phone_number' as place,
        digits as evidence,
        left(trim(phone_number), 5) || '***, of ' || assistants_count || ' assistants' as excerpt,
        ['phone_number'] as fields
    from numbers
    where assistants_count > 1

    union all

    select
        live_assistants.assistant_id,
        'cloned_voice_of_another_owner' as rule,
        'voice' as place,
        live_assistants.voice_id as evidence,
        left(coalesce(voice_owners.voice_name, live_assistants.voice_id), 80)
        || ', first used by ' || left(coalesce(users.owner_name, voice_owners.user_id), 80) as excerpt,
        ['voice_id', 'user_id'] as fields
    from live_assistants
    inner join voice_owners on live_assistants.voice_id = voice_owners.voice_id
    left join users on voice_owners.user_id = users.user_id
    where live_assistants.user_id <> voice_owners.user_id
),

deciding_fields as (
    select
        assistant_id,
        rule,
        unnest(fields) as field
    from found
),

-- The assistant has been part of it since one of these fields last changed.
starts as (
    select
        deciding_fields.assistant_id,
        deciding_fields.rule,
        max(changes.version_number) as version_number
    from deciding_fields
    inner join marts.fct_config_changes as changes
        on deciding_fields.assistant_id = changes.assistant_id
        and deciding_fields.field = changes.field
    group by deciding_fields.assistant_id, deciding_fields.rule
),

versions as (
    select
        assistant_id,
        version_number,
        valid_from
    from marts.fct_assistant_versions
)

select
    md5(found.assistant_id || '|' || found.rule || '|' || found.place || '|' || found.evidence) as finding_id,
    found.assistant_id,

    found.rule,
    found.place,
    found.excerpt,

    versions.valid_from as first_seen_at
from found
left join starts
    on found.assistant_id = starts.assistant_id
    and found.rule = starts.rule
left join versions
    on found.assistant_id = versions.assistant_id
    and versions.version_number = coalesce(starts.version_number, 1)
where found.rule not in (select withheld.rule from withheld)
