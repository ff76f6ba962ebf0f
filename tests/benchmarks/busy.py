"""Syncs of an account that never rests. Run by hand: make bench-busy ARGS="assistants changes-a-second order"

Two clients, each with an account of its own of one seed, which changes all the time; the API lists it in `order`, and
waits 50 ms before each answer. `until complete` walks until one walk showed every assistant exactly once while `count`
did not move, at most four times, and deletes only after such a walk: the best that the list alone can give. The other
one is `puretalk sync`. Four syncs in the storm, one at rest. For each:

    exit       0 where it says that it is exact, 9 where it does not
    requests   sent; `allowed` are 1.5 for each page and one for each assistant that a walk did not show
    undead     rows that are live after the sync, although the assistant was gone before it began and stayed away
    declared   rows that the sync declared deleted, although the assistant was there all the time
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
from support import oracle
from support.storm import Storm, Witness, select, settings_for

from puretalk.demo import DemoApi
from puretalk.demo.account import Order
from puretalk.sync.run import run_sync

PAGE = 100
SYNCS = 4
SEED = 1
LATENCY = 0.05  # seconds
#: id → the time between which the assistant was found deleted
Deletions = dict[str, tuple[datetime, datetime]]


class Watched(Witness):
    """Remembers where in `served` each walk began."""

    def __init__(self, seed: int, assistants: int) -> None:
        self.walks: list[int] = []
        super().__init__(seed, assistants)

    def page(self, order: Order = "created", start: int = 0, stop: int | None = None) -> tuple[int, list[Any]]:
        with self.lock:
            if start == 0:
                self.walks.append(len(self.served))
            return super().page(order, start, stop)

    def unshown(self, known: set[str]) -> set[str]:
        """The assistants that a walk did not show, although they are known or an earlier walk showed them."""
        shown = [
            {each.assistant_id for each in self.served[begin:end] if each.is_page}
            for begin, end in zip(self.walks, [*self.walks[1:], None], strict=True)
        ]
        return {each for number, ids in enumerate(shown) for each in known.union(*shown[:number]) - ids}

    def was_gone(self, assistant_id: str, since: datetime, until: datetime) -> bool:
        """Whether the assistant was deleted all the time between the two."""
        spans = self.absences.get(assistant_id, [])
        return any(gone <= since and (back is None or back >= until) for gone, back in spans)


@contextmanager
def storm(account: Witness, changes_a_second: float) -> Iterator[None]:
    """Change the account all the time."""
    is_over = threading.Event()
    weather = Storm(account, SEED, force=1)

    def rage() -> None:
        began, changes = time.monotonic(), 0
        while not is_over.wait(1 / changes_a_second):
            while changes < (time.monotonic() - began) * changes_a_second:
                weather.strike()
                changes += 1

    thread = threading.Thread(target=rage)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class UntilComplete:
    """Walks until a walk is complete. `live`: ids; `deleted`: by the last sync."""

    def __init__(self, api: DemoApi, _folder: Path) -> None:
        self._api = api
        self.live: set[str] = set()
        self.deleted: Deletions = {}

    def sync(self) -> tuple[int, int]:
        """Its exit code and its walks."""
        began = datetime.now(UTC)
        self.deleted = {}
        with httpx.Client(headers={"X-API-KEY": self._api.key}) as client:
            for walks in range(1, 5):
                ids, is_complete = self._walk(client)
                if is_complete:
                    self.deleted = dict.fromkeys(self.live - ids, (began, datetime.now(UTC)))
                    self.live = ids
                    return 0, walks
                self.live |= ids
        return 9, walks

    def _walk(self, client: httpx.Client) -> tuple[set[str], bool]:
        ids: list[str] = []
        counts: set[int] = set()
        number = 1
        while True:
            answer = client.get(f"{self._api.base_url}/ai-assistants/", params={"page": number, "limit": PAGE})
            page = answer.json() if answer.status_code == 200 else {"results": [], "next": None}
            ids += [record["assistant_id"] for record in page["results"]]
            counts |= {page["count"]} if "count" in page else set()
            if page["next"] is None:
                return set(ids), len(counts) == 1 and len(ids) == len(set(ids)) == max(counts)
            number += 1


class Puretalk:
    """`puretalk sync`, with models, checks and publishing."""

    def __init__(self, api: DemoApi, folder: Path) -> None:
        self._settings = settings_for(folder, api.base_url, page_size=PAGE, window=8)
        self.published = self._settings.data_dir / "puretalk.duckdb"

    def sync(self) -> tuple[int, int]:
        """Its exit code and its walks."""
        outcome = run_sync(self._settings)
        return outcome.exit_code, outcome.run.walks

    @property
    def live(self) -> set[str]:
        return {row[0] for row in self._read("SELECT assistant_id FROM assistants WHERE deleted_at IS NULL")}

    @property
    def deleted(self) -> Deletions:
        found = """WITH run AS (SELECT started_at FROM sync_runs ORDER BY finished_at DESC LIMIT 1)
                   SELECT assistant_id, started_at, deleted_at FROM assistants JOIN run ON deleted_at >= started_at"""
        return {row[0]: (row[1], row[2]) for row in self._read(found)}

    def differences(self, account: Witness) -> list[str]:
        """From the API at rest, field by field."""
        gone = {row[0] for row in self._read("SELECT assistant_id FROM assistants")} & set(account.deleted_ids())
        return oracle.compare(account.records(), self.published, deleted_ids=gone)

    def _read(self, sql: str) -> list[tuple[Any, ...]]:
        return select(self.published, sql)


@dataclass(frozen=True)
class Result:
    """What one sync came to. `differences`: fields that differ from the API's; None in the storm."""

    exit_code: int
    walks: int
    requests: int
    allowed: float
    undead: int
    declared: int
    differences: int | None = None

    def __str__(self) -> str:
        costs = f"{self.walks:>7}{self.requests:>10}{self.allowed:>9g}"
        return f"{self.exit_code:>6}{costs}{self.undead:>8}{self.declared:>10}"


def measure(client: UntilComplete | Puretalk, api: DemoApi, account: Watched) -> Result:
    """One sync."""
    known, requests, pages = client.live, len(api.requests), -(-len(account.live_ids()) // PAGE)
    account.walks.clear()
    began = datetime.now(UTC)
    exit_code, walks = client.sync()
    ended = datetime.now(UTC)
    return Result(
        exit_code,
        walks,
        len(api.requests) - requests,
        1.5 * pages + len(account.unshown(known)),
        sum(account.was_gone(each, began, ended) for each in client.live),
        sum(not account.was_away(each, *span) for each, span in client.deleted.items()),
    )


def weather(kind: type[UntilComplete | Puretalk], size: int, changes: float, order: Order) -> Iterator[Result]:
    """What each sync in the storm came to, then the one at rest."""
    account = Watched(SEED, size)
    api = DemoApi(account, order=order, page_cap=1000)
    with tempfile.TemporaryDirectory() as folder, api:
        api.latency = LATENCY
        client = kind(api, Path(folder))
        client.sync()
        with storm(account, changes):
            for _ in range(SYNCS):
                yield measure(client, api, account)
        at_rest = measure(client, api, account)
        if isinstance(client, Puretalk):
            at_rest = replace(at_rest, differences=len(client.differences(account)))
        yield at_rest


def main() -> None:
    size, changes, order = (*sys.argv[1:4], *("600", "20", "-updated")[len(sys.argv[1:4]) :])
    print(f"{size} assistants in the order {order!r}, {PAGE} a page, {changes} changes a second")
    print(
        f"{'client':<16}{'sync':>6}{'exit':>6}{'walks':>7}{'requests':>10}{'allowed':>9}{'undead':>8}{'declared':>10}"
    )
    for name, kind in (("until complete", UntilComplete), ("puretalk", Puretalk)):
        for number, result in enumerate(weather(kind, int(size), float(changes), cast(Order, order)), start=1):
            print(f"{name:<16}{number if number <= SYNCS else 'rest':>6}{result}", flush=True)
    print(f"differences between the API and the tables of puretalk at rest: {result.differences}")


if __name__ == "__main__":
    main()
