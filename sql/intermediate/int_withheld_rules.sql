-- Grain: a rule of the audit that cannot read all that it needs, because a privacy setting withholds it.
-- Question: which rules do not run, or run in part, and why?

-- Without a privacy setting there are none. With one, the build puts the rules in place of this SELECT.
select
    cast(null as varchar) as rule,
    cast(null as boolean) as is_run,
    cast(null as varchar) as reason
where false
