"""All that is known about the assistants endpoint. A second endpoint becomes a second room like this one.

endpoint  where the API lists assistants
tables    its tables and columns, with types and meanings
flatten   one record as rows
states    the state tree as rows
stored    from stored rows back to what the API sent
versions  the versions of tables, flattening and content hash
"""
