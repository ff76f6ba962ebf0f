"""A reader in a process of its own, with the DuckDB that its path holds.

    python snapshot_reader.py loop   DATABASE   a connection for each read
    python snapshot_reader.py stay   DATABASE   one connection that stays open, and one more read after it at the end
    python snapshot_reader.py pandas DATABASE   puretalk.read()

Says its DuckDB version, then one JSON object a read: the snapshot that it saw and whether that holds what it says, or
the error. When its input ends it reads once more, over a new connection.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

INFO = "SELECT snapshot_id, assistants, assistant_versions FROM main.snapshot_info"
COUNTS = "SELECT (SELECT count(*) FROM main.assistants), (SELECT count(*) FROM main.assistant_versions)"
TEXTS = "SELECT count(prompt) FILTER (prompt LIKE 'Be brief.%') FROM main.assistants"
CONFIGS = "SELECT count(config) FILTER (config LIKE '{%}') FROM assistant_versions"
#: Seconds between two reads: readers that never pause starve each other on a small machine.
PAUSE = 0.05


def connect(database: str) -> Any:
    return duckdb.connect(database, read_only=True)


def look(connection: Any) -> dict[str, Any]:
    """Several statements over one connection, all columns of the rows touched: all of one snapshot, or not."""
    snapshot_id, *said = connection.execute(INFO).fetchall()[0]
    there = [*connection.execute(COUNTS).fetchall()[0]]
    touched = [connection.execute(query).fetchall()[0][0] for query in (TEXTS, CONFIGS)]
    return {"snapshot": snapshot_id, "agrees": said == there == touched, "said": said, "there": there}


def look_anew(database: str) -> dict[str, Any]:
    with closing(connect(database)) as connection:
        return look(connection)


def look_with_pandas(database: str) -> dict[str, Any]:
    import puretalk

    query = f"FROM ({INFO}), ({COUNTS}) AS there(assistants_there, versions_there), ({TEXTS}) AS texts(touched)"
    row = puretalk.read(query, data_dir=Path(database).parent).iloc[0]
    said, there = [int(n) for n in row.iloc[1:3]], [int(n) for n in row.iloc[3:5]]
    return {"snapshot": row.iloc[0], "agrees": said == there and int(row.iloc[5]) == said[0], "said": said}


def say(words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    kind, database = sys.argv[1:]
    over = threading.Event()
    threading.Thread(target=wait_for_the_end, args=(over,), daemon=True).start()
    say(duckdb.__version__)
    lasting = connect(database) if kind == "stay" else None
    while True:
        is_last = over.is_set()
        if is_last and lasting is not None:
            lasting.close()
            lasting = None
        try:
            seen = look_with_pandas(database) if kind == "pandas" else look(lasting) if lasting else look_anew(database)
        except Exception as error:  # noqa: BLE001  (told to the test)
            seen = {"error": f"{type(error).__name__}: {error}"}
        say(seen)
        if is_last:
            return
        over.wait(PAUSE)


if __name__ == "__main__":
    main()
