"""The API over HTTP: pages and records of JSON, nothing about their meaning.

origin      where the key may go: the form of a key and of a base URL, one origin, this machine, whom TLS trusts
body        the body of an answer: unpacked and looked at within limits of bytes and values
transport   one GET with its redirects; the only file that sends the key
retries     when to ask again, how long to wait, when to give up
window      how many requests may be in flight at once, by what the API answered so far
client      an account's requests: their slots in the window, their retries, and the check of their answers
endpoint    the address of a list and the field that holds a record's id
splitting   a page split into its records, each read by itself
pages       the pages of a list, up to a window of them fetched ahead
records     one record by its id: found, missing or unclear
walk        one walk over all pages, and whether it was complete
"""
