"""The SQL models: which there are, what has to be built, the checks, and the data dictionary."""
