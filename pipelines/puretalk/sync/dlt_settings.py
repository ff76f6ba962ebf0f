"""The settings that dlt finds while it loads a sync, in place of all environment variables and TOML files.

dlt asks for some 900 settings in one load, each in up to ten sections of three places. A sync sets four of them, so one
look into a dictionary replaces all that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from puretalk.sync.dlt_environment import SETTINGS


class SyncSettings(ConfigProvider):
    """SETTINGS, in whichever section dlt looks for them."""

    name = "puretalk sync"
    supports_secrets = True
    supports_sections = False
    _values: ClassVar = {name.rpartition("__")[2].lower(): value for name, value in SETTINGS.items()}

    def get_value(self, key: str, *_place: Any) -> tuple[Any, str]:
        return self._values.get(key), key


@contextmanager
def only_sync_settings() -> Iterator[None]:
    """While it lasts, dlt finds SETTINGS and nothing else."""
    places = Container()[PluggableRunContext].providers
    before = places.providers
    places.providers = [SyncSettings()]
    try:
        yield
    finally:
        places.providers = before
