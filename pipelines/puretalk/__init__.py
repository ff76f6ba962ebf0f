"""puretalk: the connector and configuration warehouse for PureTalk AI voice assistants.

    import puretalk
    puretalk.table("assistants")                       # a pandas DataFrame
    puretalk.read("SELECT name, model FROM puretalk.assistants WHERE deleted_at IS NULL")
    puretalk.fleet_as_of("2026-03-03 10:00")           # every assistant as it was at that moment (UTC)
    puretalk.connect()                                 # a read-only DuckDB connection on the published snapshot

`puretalk.puretalk_source()` is the dlt source for pipelines of your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from puretalk.release import VERSION

if TYPE_CHECKING:
    from puretalk.readers.connection import connect, fleet_as_of, read, table
    from puretalk.sync.source import puretalk_source

__version__ = VERSION
__all__ = ["__version__", "connect", "fleet_as_of", "puretalk_source", "read", "table"]

_HOMES = {
    "connect": "readers.connection",
    "fleet_as_of": "readers.connection",
    "puretalk_source": "sync.source",
    "read": "readers.connection",
    "table": "readers.connection",
}


def __getattr__(name: str) -> Any:
    """Public names, loaded on first use: dlt and pandas take seconds that most callers do not need to wait."""
    if name in _HOMES:
        return getattr(import_module(f"puretalk.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'puretalk' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, also those that are not loaded yet."""
    return sorted(__all__)
