"""A large account behind HTTP, in a process of its own: `python -m benchmarks.sync.account_server ASSISTANTS [SEED]`.

The records are those of the demo account, about 6.8 KB each, and become JSON once, before the first request. An answer
is then only joined and sent, so that the server is never what a client waits for. It prints its base URL when it is
ready, and ends with its standard input. Besides the API it has one address of its own, which needs no key:

    /set?phase=changed&latency=30       what is served from now on, and milliseconds before each answer
"""

from __future__ import annotations

import json
import random
import socketserver
import sys
import threading
import time
from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from puretalk.demo import Account

Phase = Literal["same", "changed"]

#: The line that the prompt of a changed assistant ends with.
NEW_LINE: Final = "Since today, thank the caller by name."
LIST_PATH: Final = "/api/ai-assistants"
MOST_RECORDS: Final = 100  # of one page


def changed_count(assistants: int) -> int:
    """How many assistants differ in the phase `changed`: one in a hundred, at least one."""
    return max(1, assistants // 100)


class RenderedAccount:
    """The JSON of every record: `bodies` by phase, in the order of the list; `places` by assistant_id."""

    def __init__(self, assistants: int, seed: int) -> None:
        account = Account(seed, assistants)
        _, records = account.page()
        same = [_render(record) for record in records]
        changed = list(same)
        # At random places, as in a real account: most pages hold a change.
        for place in random.Random(seed).sample(range(assistants), changed_count(assistants)):
            account.edit(records[place]["assistant_id"], prompt=f"{records[place]['prompt']}\n{NEW_LINE}")
            changed[place] = _render(account.record(records[place]["assistant_id"]))
        self.bodies: dict[str, list[bytes]] = {"same": same, "changed": changed}
        self.places = {str(record["assistant_id"]): place for place, record in enumerate(records)}


def _render(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


class AccountServer(socketserver.ThreadingTCPServer):
    """One thread per connection; connections are kept open."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, account: RenderedAccount) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.account = account
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/api"
        self.phase: str = "same"
        self.latency = 0.0  # seconds

    def answer(self, target: str, has_key: bool) -> tuple[int, list[bytes]]:
        """The status and the parts of the body of the answer to a GET."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        path = url.path.rstrip("/")
        if path == "/set":
            if query["phase"] not in get_args(Phase):
                return 400, [b"{}"]
            self.phase, self.latency = query["phase"], float(query["latency"]) / 1000
            return 200, [b"{}"]
        time.sleep(self.latency)
        if not has_key:
            return 401, [b'{"detail":"Authentication credentials were not provided."}']
        if path == LIST_PATH:
            return self._page(int(query.get("page", 1)), min(int(query.get("limit", 25)), MOST_RECORDS))
        folder, _, assistant_id = path.rpartition("/")
        if folder == LIST_PATH and assistant_id in self.account.places:
            body = self.account.bodies[self.phase][self.account.places[assistant_id]]
            return 200, [b'{"msg":"Assistant retrieved successfully.","err":null,"results":', body, b"}"]
        return 404, [b'{"detail":"Not found."}']

    def _page(self, page: int, limit: int) -> tuple[int, list[bytes]]:
        bodies = self.account.bodies[self.phase]
        last = max(1, -(-len(bodies) // limit))
        if not 1 <= page <= last:
            return 404, [b'{"detail":"Invalid page."}']

        def link(number: int) -> str | None:
            return f"{self.base_url}/ai-assistants/?page={number}&limit={limit}" if 1 <= number <= last else None

        head = json.dumps({"count": len(bodies), "next": link(page + 1), "previous": link(page - 1)})
        records = b",".join(bodies[(page - 1) * limit : page * limit])
        return 200, [head[:-1].encode(), b',"results":[', records, b"]}"]


class _Connection(socketserver.StreamRequestHandler):
    server: AccountServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            target = line.split(b" ")[1].decode()
            has_key = is_last = False
            while (header := self.rfile.readline().strip().lower()) != b"":
                has_key = has_key or (header.startswith(b"x-api-key:") and len(header) > len("x-api-key:"))
                is_last = is_last or header == b"connection: close"
            status, parts = self.server.answer(target, has_key)
            length = sum(map(len, parts))
            head = f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            try:
                self.request.sendall(b"".join([head.encode(), *parts]))
            except OSError:  # the client has left
                return
            if is_last:
                return


def main() -> None:
    assistants = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with AccountServer(RenderedAccount(assistants, seed)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.base_url, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
