"""A room for each list of the API that is loaded, and what they share.

assistants/  all that is known about the assistants endpoint
values       one value of a record as its column's type; what does not fit is kept
"""
