"""Memory that is no longer needed goes back to the system, and is not looked for more often than that pays."""

from __future__ import annotations

import gc
import os
from typing import Final

#: DuckDB's wheel brings an allocator of its own, jemalloc, which keeps pages that became free for seconds, which is
#: longer than most models take. 0.1 seconds cost no CPU time that we could measure; 0 seconds cost a fifth.
ALLOCATOR: Final = {"DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:100,muzzy_decay_ms:0"}


def give_memory_back() -> None:
    """Let DuckDB give pages back soon. Call it before duckdb is imported; what the caller's environment says, stays."""
    for name, value in ALLOCATOR.items():
        os.environ.setdefault(name, value)


def look_for_cycles_less() -> None:
    """Let Python look for unreachable cycles after 50,000 new objects. Its default of 700 to 2,000 takes a twentieth of
    a sync: it looks 260 times, mostly through modules that are being imported."""
    gc.set_threshold(50_000)
