"""The SQL models: what there is, what has to be built, building it, the checks, and the data dictionary.

A file imports only files above it in this list:

- `increments`: the assistants that changed since the last build, and how their rows are replaced.
- `changes`: what a sync wrote, and what the last finished build knew.
- `parsed`: what the files of a project were parsed into, kept in the warehouse.
- `references`: which relations a SELECT reads, found by DuckDB's parser.
- `model`: a model is an SQL file; reading a folder of them, and their order.
- `properties`: the YAML files next to the models: descriptions, types, tests.
- `withheld`: rules of the audit whose texts a privacy policy keeps away.
- `audit`: what the settings tell the audit, as the SQL of models.
- `project`: all models, checks and properties of a build.
- `contract`: a model must have the columns and types that its YAML promises.
- `comments`: the descriptions, as comments in the database.
- `checks`: the tests of the YAML files, the free-form checks, the age of the sources.
- `fingerprints`: hashes that say whether a table still holds what its SQL would give.
- `macros`: table macros, which are questions with a parameter.
- `plan`: what has to be done to each model, and why.
- `build`: executes a plan; `build_models` is the entry point for other rooms.
- `dictionary`: the data dictionary as Markdown and HTML.
- `dbt_export`: the models as a dbt project.
"""
