-- Grain: an entry of the file accepted_findings that holds today.
-- Question: which findings do people accept, and why?

-- Without the setting `accepted_findings` there are none. With it, the build puts the entries in place of this SELECT.
-- Patterns are those of LIKE, with ! as the escape character.
select
    cast(null as integer) as position,
    cast(null as varchar) as rule,
    cast(null as varchar) as assistant_pattern,
    cast(null as boolean) as is_pattern,
    cast(null as varchar) as place_pattern,
    cast(null as varchar) as reason,
    cast(null as date) as accepted_until
where false
