"""Running it unattended.

preflight  what `puretalk check` asks before the first sync
schedule   recipes for cron, systemd, GitHub Actions, Airflow and Dagster
reports    what a run tells those who watch over it
runlog     the log file of runs
metrics    the Prometheus file
"""
