"""Reading what is published.

published   the published snapshot: which file, how fresh, how many rows
freshness   whether it is older than it may be
connection  the Python interface: a DuckDB connection, a query or a table as a pandas DataFrame
formats     the forms of a result: table, csv, json, parquet, md
results     a DataFrame as text or bytes: a table, CSV, JSON, Parquet, Markdown
explain     the life of one assistant, version by version
"""
