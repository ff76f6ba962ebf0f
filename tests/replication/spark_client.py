"""Spark, as a team that has it reads a lake: `python spark_client.py`, with one JSON object on stdin.

    {"lakes": {"delta": {"dim_assistants": ["/…/part-0.parquet", …]}}, "queries": ["SELECT …"]}

It prints, as one line of JSON, the rows of each query over each lake: {"delta": [[…], …]}. Spark starts
once. It runs in an environment of its own, so it imports nothing of puretalk.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession


def main() -> None:
    asked = json.load(sys.stdin)
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    answers = {}
    for lake, views in asked["lakes"].items():
        for name, files in views.items():
            spark.read.parquet(*files).createOrReplaceTempView(name)
        answers[lake] = [[[*row] for row in spark.sql(query).collect()] for query in asked["queries"]]
    spark.stop()
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
