"""Syncs in real processes that can be killed: a script that has imported everything and forks for each sync.

    with Syncs() as syncs:
        killed = syncs.run(settings, kill_at="dlt: between two merges")      # status -9: it killed itself there
        killed = syncs.run(settings, kill_after=0.3)                         # seconds after its start, from outside
        ended = syncs.run(settings)                                          # status is its exit code

Run as a script it reads one JSON request a line, and answers with the process id, then with how that process ended.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from puretalk.listener import Listener, Step
from puretalk.settings import Settings

_SECOND_PAGE = "walk: the second page"

#: Moments that a sync announces itself; it dies before what they announce.
ANNOUNCED = (
    "work: sweep",
    "work: copy",
    "work: carry over",
    "walk",
    _SECOND_PAGE,
    "load",
    "seal",
    "publish: sync",
    "publish: move",
    "publish: verify",
    "publish: swap",
    "publish: seal",
    "publish: done",
)

#: Moments inside steps and inside dlt: (function, the call of it that the process does not survive).
INSIDE: dict[str, tuple[str, int]] = {
    "walk: over": ("puretalk.sync.comparison:Comparison.settle_shared", 1),
    "dlt: before the first batch": ("puretalk.sync.batches:Loader.batches", 1),
    "dlt: in the second record": ("puretalk.sync.batches:Loader._add_assistant", 2),
    "dlt: before the last batch": ("puretalk.sync.account:describe_run", 1),
    "dlt: extracted": ("dlt.pipeline.pipeline:Pipeline.extract:after", 1),
    "dlt: in normalize": ("dlt.normalize.normalize:Normalize.spool_files", 1),
    "dlt: after a normalized schema": ("dlt.normalize.normalize:Normalize.spool_schema_files:after", 1),
    "dlt: normalized": ("dlt.pipeline.pipeline:Pipeline.normalize:after", 1),
    "dlt: before the tables": ("dlt.load.load:Load.initialize_package", 1),
    "dlt: before the first job": ("dlt.destinations.impl.duckdb.duck:DuckDbCopyJob.run", 1),
    "dlt: between two jobs": ("dlt.destinations.impl.duckdb.duck:DuckDbCopyJob.run", 3),
    "dlt: after a job": ("dlt.destinations.impl.duckdb.duck:DuckDbCopyJob.run:after", 2),
    "dlt: before the first merge": ("dlt.destinations.job_client_impl:SqlLoadJob.run", 1),
    "dlt: between two merges": ("dlt.destinations.job_client_impl:SqlLoadJob.run", 2),
    "dlt: after a merge": ("dlt.destinations.job_client_impl:SqlLoadJob.run:after", 1),
    "dlt: inside a merge": ("dlt.destinations.impl.duckdb.sql_client:DuckDbSqlClient.commit_transaction", 1),
    "dlt: jobs done": ("dlt.load.load:Load.complete_package", 1),
    "dlt: package done": ("dlt.load.load:Load.complete_package:after", 1),
    "dlt: loaded": ("dlt.pipeline.pipeline:Pipeline.load:after", 1),
    "seal: before the times are added": ("puretalk.sync.run:_add_durations", 1),
    "seal: after the times are added": ("puretalk.sync.run:_add_durations:after", 1),
    "seal: sealed": ("puretalk.warehouse.work_file:seal:after", 1),
    "publish: between link and swap": ("pathlib:Path.symlink_to:after", 1),
    "end: before the work file is removed": ("puretalk.warehouse.work_file:Warehouse.publish:after", 1),
    "end: before old snapshots are deleted": ("puretalk.warehouse.work_file:Warehouse.delete_old_snapshots", 1),
    "end: after old snapshots are deleted": ("puretalk.warehouse.work_file:Warehouse.delete_old_snapshots:after", 1),
}

#: Moments of a sync that has nothing to load.
OF_QUIET: dict[str, tuple[str, int]] = {
    "quiet: before its row": ("puretalk.sync.destination:WorkFileDestination.add_run", 1),
    "quiet: after its row": ("puretalk.sync.destination:WorkFileDestination.add_run:after", 1),
}

#: Moments of a sync that builds models.
OF_MODELS = ("models", "checks", "models: built")

MOMENTS = (*ANNOUNCED, *INSIDE)
#: Moments that a first sync does not come to: there is nothing to carry over, and no row to replace.
NOT_OF_FIRST = ("work: carry over", *(moment for moment in INSIDE if "merge" in moment and "inside" not in moment))


@dataclass(frozen=True)
class Ended:
    """How a sync's process ended: its exit code, or minus the signal's number; `run` is its row of sync_runs."""

    status: int
    seconds: float
    run: dict[str, Any]
    error: str


class Syncs:
    """The process that forks. Enter once, run many. Without models a sync takes half the time."""

    def __init__(self, *, with_models: bool = False) -> None:
        self._with_models = with_models

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *(["with-models"] if self._with_models else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def run(
        self,
        settings: Settings,
        *,
        kill_at: str | None = None,
        kill_after: float | None = None,
        **options: Any,
    ) -> Ended:
        """One sync; `options` are those of SyncOptions."""
        request = {
            "settings": pickle.dumps(settings).hex(),
            "options": options,
            "kill_at": kill_at,
        }
        started = time.monotonic()
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        process_id = self._answer()
        if kill_after is not None:
            time.sleep(kill_after)  # the moment itself is what is random here
            # Nobody has waited for it yet: if it has ended, its id is not another's.
            os.kill(process_id, signal.SIGKILL)
        self._tell_to_wait()
        return Ended(seconds=time.monotonic() - started, **self._answer())

    def _tell_to_wait(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    """The script: import everything once, then fork for each request."""
    sys.path[0] = str(Path(__file__).parents[1])
    from support.forking import import_modules

    import puretalk.models.build

    import_modules()
    if "with-models" not in sys.argv:
        puretalk.models.build.build_models = lambda *_, **__: None  # type: ignore[assignment]
    _say("ready")
    while line := sys.stdin.readline():
        request = json.loads(line)
        reader, writer = os.pipe()
        process_id = os.fork()
        if process_id == 0:
            os.close(reader)
            _sync_and_exit(request, writer)
        os.close(writer)
        _say(process_id)
        sys.stdin.readline()
        with os.fdopen(reader) as pipe:
            told = pipe.read()
        _, status = os.waitpid(process_id, 0)
        _say({"status": os.waitstatus_to_exitcode(status), **(json.loads(told) if told else {"run": {}, "error": ""})})


def _sync_and_exit(request: dict[str, Any], writer: int) -> None:
    from puretalk.errors import PuretalkError
    from puretalk.sync.options import SyncOptions
    from puretalk.sync.run import run_sync

    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(silence, descriptor)
    moment = request["kill_at"]
    settings: Settings = pickle.loads(bytes.fromhex(request["settings"]))

    class DeadlyListener(Listener):
        def on_step(self, step: Step) -> None:
            if step == moment:
                _die()

        def on_page(self, pages: int, expected: int) -> None:  # noqa: ARG002
            if moment == _SECOND_PAGE and pages == 2:
                _die()

    code, told = 1, {"run": {}, "error": ""}
    try:
        inside = INSIDE | OF_QUIET
        if moment in inside:
            _arm(*inside[moment])
        if moment == "models: built":
            _arm("puretalk.models.build:build_models:after", 1)
        outcome = run_sync(settings, SyncOptions(**request["options"]), listener=DeadlyListener())
        code = outcome.exit_code
        told["run"] = {name: getattr(outcome.run, name) for name in ("rows_loaded", "versions", "walks")}
    except PuretalkError as error:
        code, told["error"] = error.exit_code, error.message
    except BaseException as error:  # noqa: BLE001  (told to the test)
        told["error"] = repr(error)
    with os.fdopen(writer, "w") as pipe:
        pipe.write(json.dumps(told))
    os._exit(code)


def _arm(place: str, times: int) -> None:
    """Replace a function by one that dies before (`:after`: after) its nth call."""
    import importlib

    module_name, path, *when = place.split(":")
    owner: Any = importlib.import_module(module_name)
    *owners, name = path.split(".")
    for part in owners:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    begun, ended = itertools.count(1), itertools.count(1)  # dlt calls from several threads

    def armed(*arguments: Any, **options: Any) -> Any:
        if next(begun) == times and not when:
            _die()
        result = original(*arguments, **options)
        if next(ended) == times and when:
            _die()
        return result

    setattr(owner, name, armed)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve()
