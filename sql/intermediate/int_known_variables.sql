-- Grain: a variable that the platform fills in itself.
-- Question: which names need no declaration?

-- Without the setting `known_variables` there are none. With it, the build puts the names in place of this SELECT.
select cast(null as varchar) as variable
where false
