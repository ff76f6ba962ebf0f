"""What a warehouse may not keep readable: the policy, and what it does to a record before anything else sees it.

policy     which texts are kept, hashed, masked or dropped; the keyed hashes
treatment  a record under a policy; pure
persons    people whom `puretalk forget` removed, as keyed hashes
installation  the secret of a data directory, and the policy that applies there
"""
