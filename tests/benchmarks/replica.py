"""What `puretalk replicate` takes in PostgreSQL, and how much less than loading everything again.

    make bench-replica ARGS="[assistants] [changed]"

Prints seconds, CPU seconds and rows of the first run, of one with nothing to send, of one after `changed` assistants
were changed, and of one that sends everything; and the last as a multiple of the third. The server runs on the same
machine (Linux).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from support.postgres import PostgresServer

from puretalk.demo import Account, DemoApi
from puretalk.replication.replica import replicate
from puretalk.settings import ApiSettings, Settings
from puretalk.sync.run import run_sync


def measure(settings: Settings, server: PostgresServer, what: str, *, everything: bool = False) -> float:
    """Replicate once and print a line; returns the CPU seconds of both sides, which other work does not change much."""
    ours, theirs = time.process_time(), _server_seconds(server)
    done = replicate(settings, "engine", everything=everything)
    ours, theirs = time.process_time() - ours, _server_seconds(server) - theirs
    print(
        f"{what:>16}  {done.seconds:6.1f} s  {ours:6.1f} CPU-s here  {theirs:6.1f} CPU-s in the server"
        f"  {done.rows:9,} rows of {done.parts:8,} parts in {done.tables} tables",
        flush=True,
    )
    return ours + theirs


def _server_seconds(server: PostgresServer) -> float:
    """Of the server's processes that have ended: one for each connection."""
    fields = Path(f"/proc/{server.process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """One account, and a server of its own."""
    assistants, changed = (int(text) for text in (sys.argv[1:] + ["10000", "100"][len(sys.argv) - 1 :]))
    account = Account(assistants=assistants)
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server, DemoApi(account) as api:
        os.environ["DESTINATION__ENGINE__DESTINATION_TYPE"] = "postgres"
        os.environ["DESTINATION__ENGINE__CREDENTIALS"] = server.url
        data = Path(folder)
        settings = Settings(project_dir=data, data_dir=data, api=ApiSettings(api.key, api.base_url))
        run_sync(settings)
        measure(settings, server, "first run")
        measure(settings, server, "nothing changed")
        for assistant_id in account.live_ids()[:changed]:
            account.edit(assistant_id, prompt="Be brief.")
        run_sync(settings)
        some = measure(settings, server, f"{changed:,} changed")
        everything = measure(settings, server, "everything", everything=True)
    print(
        f"loading everything takes {everything / some:.1f} times the CPU time of sending {changed:,} of {assistants:,}"
    )


if __name__ == "__main__":
    main()
