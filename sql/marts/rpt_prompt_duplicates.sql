-- Grain: a prompt of a live assistant that another prompt repeats.
-- Question: which prompts are copies of each other, exact or nearly so?

-- Exact copies have the same hash after case and white space are normalized. Near copies are found by min-hash: all
-- three-word sequences in the first 20,000 characters are hashed, and the hash nearest to each of 40 fixed points is
-- kept. The share of kept hashes that two texts have in common estimates the share of sequences in common. The 40
-- hashes form bands of five. Only texts that agree in a whole band are compared, each with the first and the previous
-- text of that band, so the work grows linearly. Texts of fewer than 30 words are only compared for exact copies.
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
        left(text, 80) as excerpt,
        length(text) as characters,
        trim(regexp_replace(
            replace(replace(replace(lower(text), chr(10), ' '), chr(13), ' '), chr(9), ' '), '  +', ' ', 'g'
        )) as plain_text
    from intermediate.int_texts
    where is_prompt and regexp_matches(text, '\S')
),

hashed as (
    select
        assistant_id,
        place,
        excerpt,
        characters,
        md5(plain_text) as text_hash,
        left(plain_text, 20000) as plain_text
    from prompts
),

documents as (
    select
        text_hash,
        row_number() over (order by text_hash) as document,
        any_value(plain_text) as plain_text
    from hashed
    group by text_hash
),

worded as (
    select
        document,
        string_split(plain_text, ' ') as words
    from documents
),

sequences as (
    select
        document,
        unnest(list_transform(
            range(1, len(words) - 1), lambda place: hash(words[place], words[place + 1], words[place + 2])
        )) as sequence_hash
    from worded
    where len(words) >= 30
),

sketches as (
    select
        document,
        [
            [
                min(xor(sequence_hash, hash(1))), min(xor(sequence_hash, hash(2))), min(xor(sequence_hash, hash(3))),
                min(xor(sequence_hash, hash(4))), min(xor(sequence_hash, hash(5)))
            ],
            [
                min(xor(sequence_hash, hash(6))), min(xor(sequence_hash, hash(7))), min(xor(sequence_hash, hash(8))),
                min(xor(sequence_hash, hash(9))), min(xor(sequence_hash, hash(10)))
            ],
            [
                min(xor(sequence_hash, hash(11))), min(xor(sequence_hash, hash(12))), min(xor(sequence_hash, hash(13))),
                min(xor(sequence_hash, hash(14))), min(xor(sequence_hash, hash(15)))
            ],
            [
                min(xor(sequence_hash, hash(16))), min(xor(sequence_hash, hash(17))), min(xor(sequence_hash, hash(18))),
                min(xor(sequence_hash, hash(19))), min(xor(sequence_hash, hash(20)))
            ],
            [
                min(xor(sequence_hash, hash(21))), min(xor(sequence_hash, hash(22))), min(xor(sequence_hash, hash(23))),
                min(xor(sequence_hash, hash(24))), min(xor(sequence_hash, hash(25)))
            ],
            [
                min(xor(sequence_hash, hash(26))), min(xor(sequence_hash, hash(27))), min(xor(sequence_hash, hash(28))),
                min(xor(sequence_hash, hash(29))), min(xor(sequence_hash, hash(30)))
            ],
            [
                min(xor(sequence_hash, hash(31))), min(xor(sequence_hash, hash(32))), min(xor(sequence_hash, hash(33))),
                min(xor(sequence_hash, hash(34))), min(xor(sequence_hash, hash(35)))
            ],
            [
                min(xor(sequence_hash, hash(36))), min(xor(sequence_hash, hash(37))), min(xor(sequence_hash, hash(38))),
                min(xor(sequence_hash, hash(39))), min(xor(sequence_hash, hash(40)))
            ]
        ] as bands
    from sequences
    group by document
),

banded as (
    select
        document,
        unnest(range(len(bands))) as band,
        unnest(bands) as least_hashes
    from sketches
),

neighbours as (
    select
        document,
        min(document) over same_band as first_document,
        lag(document) over (same_band order by document) as previous_document
    from banded
    window same_band as (partition by band, least_hashes)
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
            list_zip(flatten(mine.bands), flatten(others.bands)), lambda two: two[1] = two[2]
        )) as double) / 40 as similarity
    from candidates
    inner join sketches as mine on candidates.document = mine.document
    inner join sketches as others on candidates.other = others.document
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
        hashed.assistant_id,
        hashed.place,
        hashed.excerpt,
        hashed.characters,
        grouped.similarity,
        count(*) over (partition by hashed.text_hash) as copies,
        count(*) over (partition by grouped.root) as prompts_count
    from hashed
    inner join grouped on hashed.text_hash = grouped.text_hash
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
