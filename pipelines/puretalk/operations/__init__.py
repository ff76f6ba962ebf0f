"""Running puretalk unattended.

preflight   `puretalk check`: the key, the endpoint, the data directory
schedule    `puretalk schedule`: recipes for cron, systemd, GitHub Actions, Airflow, Dagster
reports     what a run reports at its start and its end: log, metrics, ping
runlog      the log file of runs
metrics     the metrics file for Prometheus
"""
