"""A sync: what the warehouse knows, what the API says, what follows from both, and the load of it."""
