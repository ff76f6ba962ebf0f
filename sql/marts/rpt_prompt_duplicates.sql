-- Grain: a prompt of a live assistant that another prompt repeats.
-- Question: which prompts are copies of each other, exact or nearly so?

-- prompt_signatures says how near copies are found. Its 40 hashes form bands of five. Only texts that agree in a whole
-- band are compared, each with the first and the previous text of that band, so the work grows linearly.
with recursive live_assistants as (
    select
        assistant_id,
        assistant_name
    from staging.stg_assistants
    where is_live
),

prompts as (
    select
        assistant_id,
        place,
        excerpt,
        characters,
        text_hash,
        least_hashes
    from _internal.prompt_signatures
),

documents as (
    select
        text_hash,
        row_number() over (order by text_hash) as document,
        any_value(least_hashes) as least_hashes
    from prompts
    group by text_hash
),

banded as (
    select
        document,
        unnest(range(8)) as band,
        unnest([
            hash(least_hashes[1], least_hashes[2], least_hashes[3], least_hashes[4], least_hashes[5]),
            hash(least_hashes[6], least_hashes[7], least_hashes[8], least_hashes[9], least_hashes[10]),
            hash(least_hashes[11], least_hashes[12], least_hashes[13], least_hashes[14], least_hashes[15]),
            hash(least_hashes[16], least_hashes[17], least_hashes[18], least_hashes[19], least_hashes[20]),
            hash(least_hashes[21], least_hashes[22], least_hashes[23], least_hashes[24], least_hashes[25]),
            hash(least_hashes[26], least_hashes[27], least_hashes[28], least_hashes[29], least_hashes[30]),
            hash(least_hashes[31], least_hashes[32], least_hashes[33], least_hashes[34], least_hashes[35]),
            hash(least_hashes[36], least_hashes[37], least_hashes[38], least_hashes[39], least_hashes[40])
        ]) as band_hash
    from documents
    where least_hashes is not null
),

neighbours as (
    select
        document,
        min(document) over same_band as first_document,
        lag(document) over (same_band order by document) as previous_document
    from banded
    window same_band as (partition by band, band_hash)
),

candidates as (
    select
        document,
        first_document as other
    from neighbours
    where first_document < document

    union

    select
        document,
        previous_document as other
    from neighbours
    where previous_document is not null
),

matches as (
    select
        candidates.document,
        candidates.other,
        cast(len(list_filter(
            list_zip(mine.least_hashes, others.least_hashes), lambda two: two[1] = two[2]
        )) as double) / 40 as similarity
    from candidates
    inner join documents as mine on candidates.document = mine.document
    inner join documents as others on candidates.other = others.document
),

-- Each text points to its most similar match; the first one if several are equally similar.
followed as (
    select
        document,
        other,
        similarity
    from matches
    where similarity >= 0.8
    qualify row_number() over (partition by document order by similarity desc, other asc) = 1
),

-- If A points to B and B to C, all three are one group, named by C. Twenty steps are enough for any real fleet.
roots as (
    select
        document,
        other as root,
        1 as steps
    from followed

    union all

    select
        roots.document,
        followed.other as root,
        roots.steps + 1 as steps
    from roots
    inner join followed on roots.root = followed.document
    where roots.steps < 20
),

last_roots as (
    select
        document,
        min(root) as root
    from roots
    group by document
),

-- The estimate cannot distinguish very similar texts from equal ones, so only exact copies get 1.
likenesses as (
    select
        document,
        least(0.99, max(similarity)) as similarity
    from (
        select
            document,
            similarity
        from followed

        union all

        select
            other as document,
            similarity
        from followed
    ) as both_sides
    group by document
),

grouped as (
    select
        documents.document,
        documents.text_hash,
        coalesce(last_roots.root, documents.document) as root,
        likenesses.similarity
    from documents
    left join last_roots on documents.document = last_roots.document
    left join likenesses on documents.document = likenesses.document
),

members as (
    select
        grouped.root,
        prompts.assistant_id,
        prompts.place,
        prompts.excerpt,
        prompts.characters,
        grouped.similarity,
        count(*) over (partition by prompts.text_hash) as copies,
        count(*) over (partition by grouped.root) as prompts_count
    from prompts
    inner join grouped on prompts.text_hash = grouped.text_hash
),

sizes as (
    select
        root,
        count(distinct assistant_id) as assistants_count,
        row_number() over (order by count(*) desc, root) as duplicate_group
    from members
    where prompts_count > 1
    group by root
)

select
    sizes.duplicate_group,
    members.assistant_id,

    live_assistants.assistant_name,
    members.place,
    case when members.copies > 1 then 'exact' else 'near' end as duplicate_kind,
    members.excerpt,

    members.characters,
    members.prompts_count,
    sizes.assistants_count,
    case when members.copies > 1 then 1.0 else members.similarity end as similarity
from members
inner join sizes on members.root = sizes.root
inner join live_assistants on members.assistant_id = live_assistants.assistant_id
order by sizes.duplicate_group, members.assistant_id, members.place
