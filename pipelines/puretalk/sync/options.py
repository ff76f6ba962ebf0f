"""What one sync may do differently from the one before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SyncOptions:
    """`full_refresh`: write every assistant again, changed or not. `accept_deletions`: believe a mass deletion, or that
    the account was replaced. `wait`: seconds to wait for another run's lock. `keep_work`: keep the work folder."""

    full_refresh: bool = False
    accept_deletions: bool = False
    wait: float = 0.0
    keep_work: bool = False
