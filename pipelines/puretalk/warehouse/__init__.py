"""The data directory.

work_file      the private copy in which a run happens, and how it is published
snapshots      the published files, the link that readers follow, rollback
seals          whether a snapshot is, byte for byte, what was published
adoption       a snapshot that was put back without its seal
retention      which snapshots stay
places         what lies where puretalk keeps files of its own, and with which modes
copies         copies of files, and what makes sure that they are on the disk
carry_over     a warehouse of an earlier release, brought to this release's tables and rules
rewriting      rows written again from what the warehouse holds itself
renamed_users  users whose key an earlier release made in another way
stored_tables  names and columns of the tables in a work file
stored_rows    rows of the tables in a work file, read and written
lock           one run at a time
disk_errors    a full, read-only or forbidden disk as one error
arrow          rows as Arrow tables
"""
