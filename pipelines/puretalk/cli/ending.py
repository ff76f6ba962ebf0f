"""The end of the process: all that was promised at exit is done, and the kernel frees the memory.

An interpreter that ends takes apart every module and object, one by one. After a load that is a tenth of a sync.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading


def end_process(ended: SystemExit) -> None:
    """End with this exit code, as the interpreter would: wait for threads, call what is registered, flush. Raises what
    it got where that is a text, which the interpreter prints."""
    if not isinstance(ended.code, int):
        raise ended
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(ended.code)
