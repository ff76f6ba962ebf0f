"""The data directory: the work file, the published snapshots, and the lock."""
