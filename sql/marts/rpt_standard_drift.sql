-- Grain: a setting of a live assistant that deviates from the value of most assistants.
-- Question: which assistants deviate from the standard, and in what?

-- There is a standard only where more than half of the assistants have the same value.

with live_assistants as (
    select * from staging.stg_assistants
    where is_live
),

settings as (
    select
        assistant_id,
        user_id,
        assistant_name,
        unnest([
            {'setting': 'assistant_type', 'value': assistant_type},
            {'setting': 'behavior', 'value': cast(behavior as varchar)},
            {'setting': 'is_recorded', 'value': cast(is_recorded as varchar)},
            {'setting': 'is_voice_boosted', 'value': cast(is_voice_boosted as varchar)},
            {'setting': 'max_reminder_messages', 'value': cast(max_reminder_messages as varchar)},
            {'setting': 'model', 'value': model},
            {'setting': 'reminder_message_frequency', 'value': cast(reminder_message_frequency as varchar)},
            {'setting': 'timezone', 'value': timezone},
            {'setting': 'voice_clarity_similarity', 'value': cast(voice_clarity_similarity as varchar)},
            {'setting': 'voice_latency_optimization_level', 'value': cast(voice_latency_optimization_level as varchar)},
            {'setting': 'voice_speed', 'value': cast(voice_speed as varchar)},
            {'setting': 'voice_stability', 'value': cast(voice_stability as varchar)},
            {'setting': 'who_speaks_first', 'value': who_speaks_first}
        ]) as entry
    from live_assistants
),

named as (
    select
        assistant_id,
        user_id,
        assistant_name,
        entry['setting'] as setting,
        coalesce(entry['value'], '(none)') as value
    from settings
),

counted as (
    select
        setting,
        value,
        count(*) as assistants_count,
        cast(sum(count(*)) over (partition by setting) as double) as fleet_count
    from named
    group by setting, value
),

standards as (
    select
        setting,
        value as standard_value,
        assistants_count / fleet_count as standard_share
    from counted
    where assistants_count > fleet_count / 2
)

select
    named.assistant_id,
    named.user_id,

    named.assistant_name,
    named.setting,
    named.value,
    standards.standard_value,

    counted.assistants_count as assistants_with_value_count,
    standards.standard_share
from named
inner join standards on named.setting = standards.setting
inner join counted
    on named.setting = counted.setting
    and named.value = counted.value
where named.value <> standards.standard_value
