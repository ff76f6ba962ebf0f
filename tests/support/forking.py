"""Processes that start at once: a script that has imported puretalk, dlt and pandas forks for each of them.

    process = fork("puretalk.cli:run", ["puretalk", "status"], environment, stdin, stdout, stderr)
    exit_code = process.wait(timeout=60)

They are real: with an id, signals, streams, an environment and a folder of their own. They do not show what starting
takes and imports, or what an interpreter says when it starts or ends: tests of that start the installed script.

Run as a script it reads one JSON request at a time, with the descriptors of the new process, and forks twice: for the
process, and for its parent, which waits for it and keeps its id from being another's until the test is done with it.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

#: What a sync imports, dlt's and httpx's late imports too: a process that is forked would pay for them each time.
_OF_A_SYNC = (
    *("anyio._backends._asyncio", "httpcore", "pendulum.locales.en.locale", "pyarrow.parquet"),
    *("dlt._workspace._plugins", "dlt.common.libs.pyarrow", "dlt.common.libs.sql_alchemy_compat"),
    *("dlt.destinations.impl.duckdb.duck", "dlt.load.load", "dlt.normalize.normalize", "dlt.pipeline.pipeline"),
    *("dlt.sources.helpers.requests", "puretalk.models.build", "puretalk.sync.run", "puretalk.sync.source"),
)
_OF_THE_COMMAND_LINE = ("puretalk.cli", "puretalk.models.plan", "puretalk.operations.reports")
_OF_ITS_TESTS = ("puretalk.readers.results", "support.commandline", "support.stepping")
_TESTS = Path(__file__).resolve().parents[1]
_LONGEST_REQUEST = 1 << 20


class ForkedProcess:
    """What `fork` started. Like subprocess.Popen, as far as tests need it."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent.makefile("r")
        self._socket = parent
        self.pid = int(self._parent.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """Its exit code, or minus the number of the signal that ended it."""
        if self.returncode is None:
            self._socket.settimeout(timeout)
            try:
                self.returncode = int(self._parent.readline())
            except TimeoutError as error:
                raise subprocess.TimeoutExpired("a forked process", timeout) from error
            finally:
                if self.returncode is not None:
                    self._parent.close()
                    self._socket.close()  # from now on its id may be another's
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(
    entry: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: int | IO[Any],
    stdout: int | IO[Any],
    stderr: int | IO[Any],
    folder: str = "/",
) -> ForkedProcess:
    """Call `entry`, a "module:function", in a new process; `arguments` are its sys.argv, `folder` is its own."""
    ours, theirs = socket.socketpair()
    request = {"entry": entry, "arguments": [*arguments], "environment": {**environment}, "folder": folder}
    streams = [stream if isinstance(stream, int) else stream.fileno() for stream in (stdin, stdout, stderr)]
    with theirs:
        socket.send_fds(_server(), [json.dumps(request).encode()], [*streams, theirs.fileno()])
    return ForkedProcess(ours)


@functools.cache
def _server() -> socket.socket:
    """The script that forks, one for each process of pytest; it ends with it."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    for side in (ours, theirs):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST_REQUEST)
    with theirs:
        process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait(timeout=30)

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> Callable[[], None]:
    """Fork for each request; returns in each new process, with what it is to do. The script itself ends in here."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 4)
        _reap()
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _begin(json.loads(message), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass


def _begin(request: dict[str, Any], descriptors: Sequence[int]) -> Callable[[], None]:
    """In the parent of the new process: start it, and wait for it. In the new process: return what it calls."""
    *streams, answers = descriptors
    process_id = os.fork()
    if process_id:
        for stream in streams:
            os.close(stream)
        os.write(answers, f"{process_id}\n".encode())
        guard = threading.Thread(target=_kill_when_left, args=(process_id, answers))
        guard.start()
        ended = os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
        assert ended
        status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with suppress(OSError):
            os.write(answers, f"{status}\n".encode())
        guard.join()
        os.waitpid(process_id, 0)
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.close(answers)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["arguments"]
    module, _, function = request["entry"].partition(":")
    called: Callable[[], None] = getattr(importlib.import_module(module), function)
    return called


def _kill_when_left(process_id: int, answers: int) -> None:
    """When the test closes its end, the process has ended, or nothing would ever end it."""
    os.read(answers, 1)
    os.kill(process_id, signal.SIGKILL)


def _run_and_end(called: Callable[[], None]) -> None:
    """End as a script does, but leave the memory to the kernel: in a copy of another process, to free each object takes
    half a second."""
    gc.freeze()
    exit_code = 0
    try:
        called()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        exit_code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  (shown to the test)
        sys.excepthook(*sys.exc_info())
        exit_code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(exit_code)


def import_modules(*names: str) -> None:
    """Import them; without names, what a sync imports."""
    for name in names or _OF_A_SYNC:
        importlib.import_module(name)


if __name__ == "__main__":
    sys.path[0] = str(_TESTS)
    import_modules(*_OF_A_SYNC, *_OF_THE_COMMAND_LINE, *_OF_ITS_TESTS)
    _run_and_end(_serve(socket.socket(fileno=int(sys.argv[1]))))
