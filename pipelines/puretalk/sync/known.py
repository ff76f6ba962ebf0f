"""What the warehouse already holds, as far as a sync compares with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from puretalk.api.pages import KnownPage
from puretalk.endpoints.assistants.flatten import Outline
from puretalk.json_values import JSONObject


@dataclass(frozen=True)
class KnownAssistant:
    """What the warehouse has of an assistant. `deviation`: what it keeps of a deviating voice or user."""

    updated_at: datetime | None
    content_hash: str
    first_seen_at: datetime | None = None
    deleted_at: datetime | None = None
    deviation: JSONObject = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What the warehouse knows: assistants by id, content hashes of users and voices by key, hashes of the rejected.

    `digests`: digest of a record's bytes (`ApiClient.digest`) → what was read from them."""

    assistants: Mapping[str, KnownAssistant] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    voices: Mapping[str, str] = field(default_factory=dict)
    rejected: frozenset[str] = field(default_factory=frozenset)
    digests: Mapping[bytes, Outline] = field(default_factory=dict)

    def __contains__(self, digest: object) -> bool:
        """Whether a record with this digest was read before."""
        return digest in self.digests

    @property
    def is_empty(self) -> bool:
        """Whether the warehouse holds no assistant, user or voice."""
        return not (self.assistants or self.users or self.voices)

    @cached_property
    def live(self) -> frozenset[str]:
        """Ids of the assistants that are not deleted."""
        return frozenset(assistant_id for assistant_id, known in self.assistants.items() if known.deleted_at is None)


class KnownLater(Known):
    """What the warehouse knows, read when it is first asked for: a walk that brings nothing new asks for nothing."""

    def __init__(self, read: Callable[[], Known]) -> None:
        object.__setattr__(self, "_read", read)

    def __getattr__(self, name: str) -> Any:
        # Called for an attribute that the instance lacks; all of them arrive together.
        if name not in Known.__dataclass_fields__:
            raise AttributeError(name)
        vars(self).update(vars(self._read()))
        return vars(self)[name]


@dataclass(frozen=True)
class KnownAccount:
    """What the last sync read, where that was one complete walk whose every record it believed, and the warehouse has
    not changed since: a walk that shows the same pages finds nothing to do.

    `pages` by number; `drift` as in `sync_runs`."""

    pages: Mapping[int, KnownPage]
    drift: Mapping[str, int]
