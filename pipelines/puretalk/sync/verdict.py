"""What a sync proved about the account. One of four verdicts, each with its notes, its actions and its exit code.

    Exact            the warehouse equals the API once the rows are loaded, each row as of the moment of its answer
    Incomplete       that is not proved: `count` tells of more or fewer, or some answers could not be believed
    HeldBack         so many assistants vanished at once that a person has to look first
    ForeignAccount   not one known assistant is in the account: nothing is loaded

`held` are the ids of assistants whose deletion was not believed. `notes` go to `sync_runs.notes` and to the person who
reads stderr; `actions` say what that person should do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from puretalk.errors import EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK

_OLDER_ACTION = "If the account was really set back to an earlier state: puretalk sync --full-refresh"
_UNREADABLE_ACTION = "Look at the reason in rejected_records, and correct these assistants in PureTalk"


def _note_of_older(older: frozenset[str]) -> tuple[str, ...]:
    return (f"{len(older)} answers were older than the warehouse and were not believed",) if older else ()


@dataclass(frozen=True)
class Exact:
    """Every known assistant is settled, `count` agrees, every answer was believed."""

    exit_code: ClassVar[int] = EXIT_OK
    held: ClassVar[frozenset[str]] = frozenset()
    notes: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Incomplete:
    """Published, but not proved to equal the API.

    `doubts`: why an unknown assistant may have slipped through. `unconfirmed`: ids that are missing, and could neither
    be found nor be confirmed as deleted. `older`: ids whose answer was older than the warehouse. `unreadable`: ids
    whose record cannot be read.
    """

    exit_code: ClassVar[int] = EXIT_INCOMPLETE

    doubts: tuple[str, ...] = ()
    unconfirmed: frozenset[str] = frozenset()
    older: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()

    @property
    def held(self) -> frozenset[str]:
        return self.unconfirmed

    @property
    def notes(self) -> tuple[str, ...]:
        unconfirmed = (f"{len(self.unconfirmed)} deletions could not be confirmed",) if self.unconfirmed else ()
        unreadable = (
            (f"{len(self.unreadable)} assistants have a record that cannot be read; what was known of them stays",)
            if self.unreadable
            else ()
        )
        return (*self.doubts, *unconfirmed, *_note_of_older(self.older), *unreadable)

    @property
    def actions(self) -> tuple[str, ...]:
        walk_again = "Nothing: the next run walks again. If it says the same each time, the API contradicts itself"
        return (
            *((walk_again,) if self.doubts or self.unconfirmed else ()),
            *((_OLDER_ACTION,) if self.older else ()),
            *((_UNREADABLE_ACTION,) if self.unreadable else ()),
        )


@dataclass(frozen=True)
class HeldBack:
    """`missing` of `live` assistants vanished at once. The rest is loaded; a person must confirm the deletions."""

    exit_code: ClassVar[int] = EXIT_HELD

    missing: frozenset[str]
    live: int
    older: frozenset[str] = frozenset()

    @property
    def held(self) -> frozenset[str]:
        return self.missing

    @property
    def notes(self) -> tuple[str, ...]:
        held = f"{len(self.missing)} of {self.live} assistants vanished at once: held back until --accept-deletions"
        return (held, *_note_of_older(self.older))

    @property
    def actions(self) -> tuple[str, ...]:
        look = "Look into the account. If they were really deleted: puretalk sync --accept-deletions"
        return (look, *((_OLDER_ACTION,) if self.older else ()))


@dataclass(frozen=True)
class ForeignAccount:
    """None of the live assistants, `known`, is in the account: the key may belong to another one. Nothing is loaded."""

    exit_code: ClassVar[int] = EXIT_HELD

    known: frozenset[str]

    @property
    def held(self) -> frozenset[str]:
        return self.known

    @property
    def notes(self) -> tuple[str, ...]:
        return (
            f"none of the {len(self.known)} known assistants is in the account: is the key of another account? "
            "Nothing was loaded",
        )

    @property
    def actions(self) -> tuple[str, ...]:
        return (
            "Check whose key it is. Only if the whole account was really replaced: puretalk sync --accept-deletions",
        )


Verdict = Exact | Incomplete | HeldBack | ForeignAccount
