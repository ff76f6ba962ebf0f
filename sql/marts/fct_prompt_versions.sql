-- Grain: a version of a prompt, of an assistant or of one of its states.
-- Question: how did each prompt grow and change?

with changes as (
    select
        change_id,
        assistant_id,
        version_number,
        prompt_path,
        old_prompt,
        new_prompt
    from intermediate.int_prompt_changes
),

validity as (
    select
        assistant_id,
        version_number,
        valid_from
    from intermediate.int_validity
),

live_assistants as (
    select assistant_id
    from staging.stg_assistants
    where is_live
),

-- Lines that one side has more often than the other: -1 for each removed line, +1 for each added line.
lines as (
    select
        change_id,
        unnest(string_split(old_prompt, chr(10))) as line,
        -1 as times
    from changes
    where old_prompt is not null and new_prompt is not null

    union all

    select
        change_id,
        unnest(string_split(new_prompt, chr(10))) as line,
        1 as times
    from changes
    where old_prompt is not null and new_prompt is not null
),

changed_lines as (
    select
        change_id,
        any_value(line) as line,
        sum(times) as times
    from lines
    group by change_id, hash(line)
    having sum(times) <> 0
),

line_counts as (
    select
        change_id,
        cast(coalesce(sum(times) filter (where times > 0), 0) as bigint) as lines_added,
        cast(coalesce(-sum(times) filter (where times < 0), 0) as bigint) as lines_removed
    from changed_lines
    group by change_id
),

-- Within those lines, the words that one side has more often, each with the space after it.
changed_words as (
    select
        change_id,
        length(word) + 1 as characters,
        sum(times) as times
    from (
        select
            change_id,
            times,
            unnest(string_split(line, ' ')) as word
        from changed_lines
    ) as words
    group by change_id, word
    having sum(times) <> 0
),

word_counts as (
    select
        change_id,
        cast(sum(characters * abs(times)) as double) as changed_characters
    from changed_words
    group by change_id
),

history as (
    select
        change_id,
        row_number() over prompt_history as prompt_number,
        lead(change_id) over prompt_history is null as is_last
    from changes
    window prompt_history as (partition by assistant_id, prompt_path order by version_number)
)

select
    changes.assistant_id,
    changes.version_number,

    changes.prompt_path,
    history.prompt_number,
    case
        when changes.old_prompt is null then 'added'
        when changes.new_prompt is null then 'removed'
        else 'changed'
    end as change_kind,
    md5(changes.new_prompt) as prompt_hash,

    coalesce(length(changes.new_prompt), 0) as characters,
    cast(ceil(coalesce(length(changes.new_prompt), 0) / 4) as bigint) as tokens_estimate,
    coalesce(length(changes.new_prompt), 0) - coalesce(length(changes.old_prompt), 0) as characters_change,
    case
        when changes.old_prompt is null then cast(len(string_split(changes.new_prompt, chr(10))) as bigint)
        else coalesce(line_counts.lines_added, 0)
    end as lines_added,
    case
        when changes.new_prompt is null then cast(len(string_split(changes.old_prompt, chr(10))) as bigint)
        else coalesce(line_counts.lines_removed, 0)
    end as lines_removed,
    case
        when changes.old_prompt is not null and changes.new_prompt is not null
            then greatest(
                0.0,
                1 - coalesce(word_counts.changed_characters, 0)
                / (length(changes.old_prompt) + length(changes.new_prompt))
            )
    end as similarity,

    changes.prompt_path <> 'prompt' as is_state_prompt,
    history.is_last and changes.new_prompt is not null and live_assistants.assistant_id is not null as is_current,

    validity.valid_from as observed_at
from changes
inner join history on changes.change_id = history.change_id
inner join validity
    on changes.assistant_id = validity.assistant_id
    and changes.version_number = validity.version_number
left join live_assistants on changes.assistant_id = live_assistants.assistant_id
left join line_counts on changes.change_id = line_counts.change_id
left join word_counts on changes.change_id = word_counts.change_id
