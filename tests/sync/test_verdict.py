"""Claims about the verdicts: each has its exit code, and says what it means and what to do."""

from __future__ import annotations

from dataclasses import fields

import pytest

from puretalk.catalogue import SYNC_RUNS
from puretalk.errors import EXIT_CODES, EXIT_HELD, EXIT_INCOMPLETE, EXIT_OK
from puretalk.sync.sync_run import SyncRun
from puretalk.sync.verdict import Exact, ForeignAccount, HeldBack, Incomplete, Verdict

TWO = frozenset("ab")
LOOK = "Look into the account. If they were really deleted: puretalk sync --accept-deletions"
SET_BACK = "If the account was really set back to an earlier state: puretalk sync --full-refresh"
AGAIN = "Nothing: the next run walks again. If it says the same each time, the API contradicts itself"
OLDER = "2 answers were older than the warehouse and were not believed"


@pytest.mark.parametrize(
    ("verdict", "exit_code", "notes", "actions"),
    [
        (Exact(), EXIT_OK, (), ()),
        (Incomplete(("a doubt",)), EXIT_INCOMPLETE, ("a doubt",), (AGAIN,)),
        (
            Incomplete(("a doubt",), unconfirmed=TWO, older=TWO),
            EXIT_INCOMPLETE,
            ("a doubt", "2 deletions could not be confirmed", OLDER),
            (AGAIN, SET_BACK),
        ),
        (Incomplete(unconfirmed=TWO), EXIT_INCOMPLETE, ("2 deletions could not be confirmed",), (AGAIN,)),
        (Incomplete(older=TWO), EXIT_INCOMPLETE, (OLDER,), (SET_BACK,)),
        (
            Incomplete(unreadable=TWO),
            EXIT_INCOMPLETE,
            ("2 assistants have a record that cannot be read; what was known of them stays",),
            ("Look at the reason in rejected_records, and correct these assistants in PureTalk",),
        ),
        (
            HeldBack(TWO, 3, older=TWO),
            EXIT_HELD,
            ("2 of 3 assistants vanished at once: held back until --accept-deletions", OLDER),
            (LOOK, SET_BACK),
        ),
        (
            ForeignAccount(TWO),
            EXIT_HELD,
            ("none of the 2 known assistants is in the account: is the key of another account? Nothing was loaded",),
            ("Check whose key it is. Only if the whole account was really replaced: puretalk sync --accept-deletions",),
        ),
    ],
)
def test_a_verdict_says_what_it_means(
    verdict: Verdict, exit_code: int, notes: tuple[str, ...], actions: tuple[str, ...]
) -> None:
    assert verdict.exit_code == exit_code
    assert (verdict.notes, verdict.actions) == (notes, actions)
    assert verdict.exit_code in EXIT_CODES
    assert bool(verdict.actions) is (verdict.exit_code != EXIT_OK)


def test_a_run_has_a_field_for_each_column_of_its_table() -> None:
    assert [field.name for field in fields(SyncRun)] == [column.name for column in SYNC_RUNS.columns]
