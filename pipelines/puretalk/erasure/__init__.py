"""`puretalk forget`: remove a person from everything in the data directory.

person    who is meant: the texts of a person, from every database
database  one database file without the person
files     the other files: logs, the dashboard, kept work folders
run       the order, which a kill at any moment lets the next call complete
"""
