"""Reading what is published.

published   the published snapshot: which file, how fresh, how many rows
freshness   whether it is older than it may be
connection  the Python interface: a DuckDB connection, a query or a table as a pandas DataFrame
query       one SQL statement over the published snapshot: what it may be, and whose error it is
relations   the tables and views that are for readers, and the columns of one
formats     the forms of a result: table, csv, tsv, json, jsonl, parquet, md
results     the result of a query as text or bytes in one of these forms, or as a table for a terminal
assistants  which assistant is meant: by id, name or the beginning of the id
moments     a moment that a person typed
areas       the areas of a configuration, in words
explain     the life of one assistant, version by version
"""
