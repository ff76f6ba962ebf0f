"""A sync: what the warehouse knows, what the API answers, what follows from both, and the load of it.

run              a sync, a build, a rollback: the order of their steps
options          what one sync may do differently
known            what the warehouse already holds
comparison       the answers of this sync against what is known: new, changed, silent, older, rejected
deletions        assistants that are missing: deleted, hidden, or unclear
verdict          what is proved: exact, incomplete, held back, foreign account
clock            whether this machine's clock can be trusted
deadline         how long a run may take
decision         the order of walks, comparison and deletions, up to the verdict
spool            flattened records on their way from the walk to the load
digests          what was read from records before, by the digest of their bytes
batches          a decision as rows
destination      what a destination holds, in SQL: a dlt pipeline's, or the work file
account          an account that was read: a decision, and the batches that follow from it
source           the dlt source, and the load of an account through dlt
sync_run         the record of one sync: a row of sync_runs
dlt_environment  the process environment in which dlt runs
dlt_settings     the settings that dlt finds during the load, in place of all others
"""
