"""Libraries that other libraries import where they can, and that a command does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def leave_out_httpx_command() -> None:
    """httpx imports its own command line where it can, which takes longer than httpx."""
    sys.modules["httpx._main"] = None  # type: ignore[assignment]


@contextmanager
def without_numpy() -> Iterator[None]:
    """pyarrow imports numpy where it can: 0.1 CPU-seconds and 10 MB, for arrays that a sync never asks for. A pyarrow
    that is imported here stays without numpy in this process."""
    if "numpy" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["numpy"]
