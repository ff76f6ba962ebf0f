-- Grain: a prompt of a live assistant.
-- Question: which prompts are equal, and which share many three-word sequences? (rpt_prompt_duplicates compares them.)

-- Prompts with the same `text_hash` are equal after case and white space are normalized. `least_hashes` is a min-hash:
-- all three-word sequences in the first 20,000 characters are hashed, and the hash nearest to each of 40 fixed points
-- is kept. The share of kept hashes that two texts have in common estimates the share of sequences in common. Texts of
-- fewer than 30 words have none. The last 32 bits of a kept hash are enough to compare it.
with prompts as (
    select
        assistant_id,
        place,
        left(text, 80) as excerpt,
        length(text) as characters,
        md5(text) as spelling_hash
    from intermediate.int_texts
    where is_prompt and regexp_matches(text, '\S')
),

-- One prompt of each spelling: many assistants have the same.
spellings as (
    select
        spelling_hash,
        assistant_id,
        place
    from prompts
    qualify row_number() over (partition by spelling_hash order by assistant_id, place) = 1
),

-- The number of a text stands for its hash below: it is compared for each of its sequences.
plain_texts as (
    select
        spellings.spelling_hash,
        row_number() over () as number,
        trim(regexp_replace(
            replace(replace(replace(lower(texts.text), chr(10), ' '), chr(13), ' '), chr(9), ' '), '  +', ' ', 'g'
        )) as plain_text
    from spellings
    inner join intermediate.int_texts as texts
        on spellings.assistant_id = texts.assistant_id
        and spellings.place = texts.place
),

worded as (
    select
        number,
        string_split(left(plain_text, 20000), ' ') as words
    from plain_texts
),

-- Places of words, not lists of second and third words: DuckDB does the words of 2,048 prompts at once.
triples as (
    select
        number,
        words,
        unnest(range(1, len(words) - 1)) as first_place
    from worded
),

sequences as (
    select
        number,
        hash(words[first_place], words[first_place + 1], words[first_place + 2]) as sequence_hash
    from triples
),

sketches as (
    select
        number,
        [
            min(xor(sequence_hash, hash(1))), min(xor(sequence_hash, hash(2))), min(xor(sequence_hash, hash(3))),
            min(xor(sequence_hash, hash(4))), min(xor(sequence_hash, hash(5))), min(xor(sequence_hash, hash(6))),
            min(xor(sequence_hash, hash(7))), min(xor(sequence_hash, hash(8))), min(xor(sequence_hash, hash(9))),
            min(xor(sequence_hash, hash(10))), min(xor(sequence_hash, hash(11))), min(xor(sequence_hash, hash(12))),
            min(xor(sequence_hash, hash(13))), min(xor(sequence_hash, hash(14))), min(xor(sequence_hash, hash(15))),
            min(xor(sequence_hash, hash(16))), min(xor(sequence_hash, hash(17))), min(xor(sequence_hash, hash(18))),
            min(xor(sequence_hash, hash(19))), min(xor(sequence_hash, hash(20))), min(xor(sequence_hash, hash(21))),
            min(xor(sequence_hash, hash(22))), min(xor(sequence_hash, hash(23))), min(xor(sequence_hash, hash(24))),
            min(xor(sequence_hash, hash(25))), min(xor(sequence_hash, hash(26))), min(xor(sequence_hash, hash(27))),
            min(xor(sequence_hash, hash(28))), min(xor(sequence_hash, hash(29))), min(xor(sequence_hash, hash(30))),
            min(xor(sequence_hash, hash(31))), min(xor(sequence_hash, hash(32))), min(xor(sequence_hash, hash(33))),
            min(xor(sequence_hash, hash(34))), min(xor(sequence_hash, hash(35))), min(xor(sequence_hash, hash(36))),
            min(xor(sequence_hash, hash(37))), min(xor(sequence_hash, hash(38))), min(xor(sequence_hash, hash(39))),
            min(xor(sequence_hash, hash(40)))
        ] as nearest_hashes
    from sequences
    group by number
    having count(*) >= 28  -- of 30 words
),

halves as (
    select
        number,
        list_transform(nearest_hashes, lambda nearest: cast(nearest & 4294967295 as uinteger)) as least_hashes
    from sketches
),

signatures as (
    select
        plain_texts.spelling_hash,
        md5(plain_texts.plain_text) as text_hash,
        halves.least_hashes
    from plain_texts
    left join halves on plain_texts.number = halves.number
)

select
    prompts.assistant_id,

    prompts.place,
    prompts.excerpt,
    signatures.text_hash,
    signatures.least_hashes,

    prompts.characters
from prompts
inner join signatures on prompts.spelling_hash = signatures.spelling_hash
