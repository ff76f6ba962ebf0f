"""Libraries that other libraries import where they can, and that a command does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


def leave_out_httpx_command() -> None:
    """httpx imports its own command line where it can, which takes longer than httpx."""
    sys.modules["httpx._main"] = None  # type: ignore[assignment]


@contextmanager
def lean_pyarrow() -> Iterator[None]:
    """Import pyarrow for a sync, which asks neither for arrays of numpy (0.1 CPU-seconds, 10 MB) nor for functions that
    compute (0.08 CPU-seconds): pyarrow imports numpy where it can, and dlt `pyarrow.compute`.

    A pyarrow that is imported meanwhile stays without numpy in this process. Its functions are there when something
    asks for one."""
    if "numpy" in sys.modules or "pyarrow" in sys.modules:
        yield
        return
    later = _Later("pyarrow.compute")
    sys.modules["numpy"] = None  # type: ignore[assignment]
    sys.meta_path.insert(0, later)
    try:
        yield
    finally:
        sys.meta_path.remove(later)
        del sys.modules["numpy"]


@contextmanager
def lean_dlt() -> Iterator[None]:
    """Load with a dlt that does not import `requests` (0.05 CPU-seconds): for each pipeline, dlt sets the timeouts of a
    client that a sync does not ask. Afterwards it finds the real one."""
    name = "dlt.sources.helpers.requests"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = _UnaskedClient(name)
    try:
        yield
    finally:
        del sys.modules[name]


class _UnaskedClient(ModuleType):
    """What dlt calls of its HTTP client where nothing asks it."""

    def init(self, settings: object) -> None:
        """Takes the settings of a pipeline."""


class _Later(MetaPathFinder):
    """Finds a module whose code runs when something asks for what is in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == self._name else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
