-- Grain: a variable name of a live assistant, declared or used.
-- Question: which variables are used where, and which do not match?

with texts as (
    select
        assistant_id,
        place,
        text
    from intermediate.int_texts
    where contains(text, '{{')
),

live_assistants as (
    select
        assistant_id,
        assistant_name
    from staging.stg_assistants
    where is_live
),

-- What comes before each pair of closing braces. Searching the whole text for the pattern takes five times as long.
pieces as (
    select
        assistant_id,
        place,
        unnest(string_split(text, '}}')[:-2]) as piece
    from texts
),

-- Counted before they are trimmed: most texts use a variable many times.
braces as (
    select
        assistant_id,
        place,
        regexp_extract(piece, '\{\{[^{}]+$') as mention,
        count(*) as uses_count
    from pieces
    group by assistant_id, place, mention
),

-- Materialized so that the conditions of `mentioned` are checked after the counting, not before.
trimmed as materialized (
    select
        assistant_id,
        place,
        uses_count as times,
        trim(mention, '{} ' || chr(9) || chr(10) || chr(12) || chr(13)) as variable
    from braces
),

-- {{name | upper}} is a variable with a filter.
mentioned as (
    select
        assistant_id,
        place,
        times,
        trim(split_part(variable, '|', 1)) as variable,
        -- {{#if …}}, {{else}} and {{user.name}} are template syntax, not names of variables.
        left(variable, 1) in ('#', '/', '!', '>', '^', '&', '@', '=')
        or split_part(variable, ' ', 1) in ('else', 'end', 'endif', 'endfor', 'this')
        or contains(variable, '.') as is_syntax
    from trimmed
    where length(variable) between 1 and 100
),

mentions as (
    select
        assistant_id,
        place,
        times,
        variable,
        false as is_syntax
    from mentioned
    where not is_syntax and variable <> ''

    union all

    select
        assistant_id,
        place,
        times,
        unnest(list_distinct(list_append(
            regexp_extract_all(variable, '[\p{L}_][\p{L}\p{N}_-]*'), variable
        ))) as variable,
        true as is_syntax
    from mentioned
    where is_syntax
),

used as (
    select
        assistant_id,
        variable,
        lower(variable) as variable_lower,
        cast(sum(times) as bigint) as uses_count,
        bool_or(not is_syntax) as is_plain,
        array_to_string(list_sort(list(distinct place)), ', ') as places
    from mentions
    group by assistant_id, variable
),

declared as (
    select distinct
        variables.assistant_id,
        trim(variables.variable) as variable,
        lower(trim(variables.variable)) as variable_lower
    from staging.stg_assistant_variables as variables
    inner join live_assistants on variables.assistant_id = live_assistants.assistant_id
    where trim(variables.variable) <> ''
),

known_variables as (
    select variable
    from intermediate.int_known_variables
),

names as (
    select
        coalesce(used.assistant_id, declared.assistant_id) as assistant_id,
        coalesce(used.variable, declared.variable) as variable,
        coalesce(used.variable_lower, declared.variable_lower) as variable_lower,
        used.places,
        coalesce(used.uses_count, 0) as uses_count,
        declared.variable is not null as is_declared,
        used.variable is not null as is_used,
        known_variables.variable is not null as is_known
    from used
    full join declared
        on used.assistant_id = declared.assistant_id
        and used.variable = declared.variable
    left join known_variables
        on coalesce(used.variable, declared.variable) = known_variables.variable
    -- Syntax uses a variable only where it names one that is declared: {{#if customer}}, {{user.name}}.
    where declared.variable is not null or used.is_plain
),

-- The other spelling of a name that is only declared or only used. A name that the platform fills in is not misspelled.
counterparts as (
    select
        names.assistant_id,
        names.variable,
        min(others.variable) as matching_variable
    from names
    inner join names as others
        on names.assistant_id = others.assistant_id
        and names.variable_lower = others.variable_lower
        and names.variable <> others.variable
    where (names.is_used and not names.is_declared and not names.is_known and others.is_declared)
        or (names.is_declared and not names.is_used and others.is_used and (others.is_declared or not others.is_known))
    group by names.assistant_id, names.variable
)

select
    names.assistant_id,

    live_assistants.assistant_name,
    names.variable,
    counterparts.matching_variable,
    names.places,

    names.uses_count,

    names.is_declared,
    names.is_used,
    names.is_known
from names
inner join live_assistants on names.assistant_id = live_assistants.assistant_id
left join counterparts
    on names.assistant_id = counterparts.assistant_id
    and names.variable = counterparts.variable
