"""Running it unattended: the preflight of `puretalk check`, schedules, logs, metrics, reports."""
