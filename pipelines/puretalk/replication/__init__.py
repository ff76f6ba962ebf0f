"""What was published, in other engines: every table goes there as it is in the snapshot, never a second computation.

snapshot  the tables of a snapshot, their parts (an assistant's rows of a table), and a digest of each part
engine    a destination of dlt: what it holds, and the one transaction that changes it
replica   `puretalk replicate`: compares the two, and sends the parts that differ
lake      Delta or Iceberg tables: what they hold, and the commit that replaces one
lake_table  one of them, by the library of its format: its state, rows and descriptions
parquet_export  `puretalk export parquet`: the same tables as files
"""
