"""What a load costs at least: `floor.py FOLDER`. Threads, msgspec, Arrow and DuckDB; no history, checks or deletions.

Keeps a digest of each page and of each record in FOLDER/floor.duckdb. A page with the digest of the last run is not
parsed; of the others, only the records whose digest differs are.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa

PAGE_SIZE = 100
WINDOW = 8

NESTED = ("user", "voice", "llm_states", "variables", "voice_emotion", "chatbot_whitelisted_domains")
TEXTS = (
    "assistant_id", "phone_number", "knowledge_base", "name", "prompt", "model", "who_speaks_first", "begin_message",
    "assistant_type", "avatar", "custom_knowledge_base", "timezone", "post_analysis", "chatbot_logo",
    "chatbot_accent_color", "chatbot_faq", "chatbot_begin_message", "tools", "created_at", "updated_at",
)  # fmt: skip
NUMBERS = (
    "voice_stability", "voice_clarity_similarity", "voice_stream_latency_optimization", "voice_speed",
    "reminder_message_frequency", "max_reminder_messages", "behavior",
)  # fmt: skip
FLAGS = ("voice_boost", "call_recording_enabled")

#: Number, body and digest.
Page = tuple[int, bytes, bytes]

_CONNECTIONS = threading.local()


class WithoutPandas(MetaPathFinder):
    """As if pandas were not installed: pyarrow would import it for its first array, 0.4 CPU-seconds for nothing."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def fetch(number: int) -> tuple[bytes, bytes]:
    """The body of a page and its digest, over a connection of the thread's own."""
    base = urlsplit(os.environ["PURETALK_BASE_URL"])
    if not hasattr(_CONNECTIONS, "http"):
        _CONNECTIONS.http = http.client.HTTPConnection(base.netloc)
    path = f"{base.path}/ai-assistants?page={number}&limit={PAGE_SIZE}"
    _CONNECTIONS.http.request("GET", path, headers={"X-API-KEY": os.environ["PURETALK_API_KEY"]})
    body: bytes = _CONNECTIONS.http.getresponse().read()
    return body, hashlib.sha256(body).digest()


def walk() -> Iterator[Page]:
    """Every page, a window of them fetched ahead."""
    first, digest = fetch(1)
    count = int(first[len('{"count": ') :].split(b",", 1)[0])
    yield 1, first, digest
    last = -(-count // PAGE_SIZE)
    with ThreadPoolExecutor(WINDOW) as pool:
        ahead: dict[int, Future[tuple[bytes, bytes]]] = {}
        for number in range(2, last + 1):
            for following in range(number + len(ahead), min(number + WINDOW, last + 1)):
                ahead[following] = pool.submit(fetch, following)
            yield number, *ahead.pop(number).result()


def read_batches(pages: Iterable[Page], known: set[bytes], digests: dict[int, bytes]) -> pa.RecordBatchReader:
    """The rows of the records whose digest is not known, a batch for each page: scalar columns, and JSON text for what
    is nested. Adds the digest of each page that was read to `digests`."""
    sys.meta_path.insert(0, WithoutPandas())
    # Imported here, because a run without changes needs neither.
    import msgspec
    import pyarrow as pa

    nested = [(name, msgspec.Raw, msgspec.Raw(b"null")) for name in NESTED]
    scalars = [
        (name, kind | None, None) for names, kind in ((TEXTS, str), (NUMBERS, float), (FLAGS, bool)) for name in names
    ]
    assistant = msgspec.defstruct("Assistant", [*nested, *scalars], gc=False)
    page = msgspec.defstruct("Page", [("results", list[msgspec.Raw])])
    decode_page: Callable[[bytes], Any] = msgspec.json.Decoder(page).decode
    # Not strict: some numbers come as texts.
    decode_assistant = msgspec.json.Decoder(assistant, strict=False).decode
    schema = pa.schema(
        [(name, pa.string()) for name in NESTED + TEXTS]
        + [(name, pa.float64()) for name in NUMBERS]
        + [(name, pa.bool_()) for name in FLAGS]
        + [("digest", pa.binary())]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for number, body, page_digest in pages:
            digests[number] = page_digest
            records, record_digests = [], []
            for raw in decode_page(body).results:
                digest = hashlib.sha256(raw).digest()
                if digest not in known:
                    records.append(decode_assistant(raw))
                    record_digests.append(digest)
            columns = [
                pa.array([bytes(getattr(record, name)) for record in records], pa.binary()).view(pa.string())
                for name in NESTED
            ]
            columns += [
                pa.array([getattr(record, name) for record in records], schema.field(name).type)
                for name in TEXTS + NUMBERS + FLAGS
            ]
            yield pa.record_batch([*columns, pa.array(record_digests, pa.binary())], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def main() -> None:
    database = Path(sys.argv[1]) / "floor.duckdb"
    is_first = not database.exists()
    with duckdb.connect(str(database)) as connection:
        digests: dict[int, bytes] = {} if is_first else dict(connection.execute("FROM pages").fetchall())
        changed = (page for page in walk() if digests.get(page[0]) != page[2])
        found = next(changed, None)
        if found is None:
            return
        known: set[bytes] = set()
        if not is_first:
            known.update(digest for (digest,) in connection.execute("SELECT digest FROM assistants").fetchall())
        connection.register("incoming", read_batches(itertools.chain([found], changed), known, digests))
        if is_first:
            connection.execute("CREATE TABLE assistants AS FROM incoming")
        else:
            connection.execute("CREATE TEMP TABLE fresh AS FROM incoming")
            connection.execute("DELETE FROM assistants WHERE assistant_id IN (SELECT assistant_id FROM fresh)")
            connection.execute("INSERT INTO assistants FROM fresh")
        connection.execute(
            "CREATE OR REPLACE TABLE pages AS SELECT unnest($1) AS number, unnest($2) AS digest",
            [list(digests), list(digests.values())],
        )


if __name__ == "__main__":
    main()
