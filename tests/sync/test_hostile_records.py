"""One record that is hostile: it is set aside with its reason, and the rest of the account arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.raw_api import Raw, RawApi, page
from support.storm import select, settings_for, skip_models

from puretalk.demo import Account
from puretalk.errors import EXIT_INCOMPLETE, EXIT_OK
from puretalk.json_values import MAX_DEPTH
from puretalk.operations.preflight import run_preflight
from puretalk.sync.drift import LONGEST_NAME, MOST_RECORDED, MOST_SHOWN, count_drift, name_some
from puretalk.sync.run import SyncOutcome, run_sync

ACCOUNT = Account(assistants=3)
GOOD = [json.dumps(ACCOUNT.record(assistant_id)).encode() for assistant_id in ACCOUNT.live_ids()]


def nested(depth: int) -> bytes:
    return b'{"assistant_id":"odd","name":"Odd","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


HOSTILE = {
    "one level too many": (nested(MAX_DEPTH + 1), "JSON that is nested too deeply (more than 500 levels)"),
    "970 levels": (nested(970), "JSON that is nested too deeply (more than 500 levels)"),
    "100,000 levels": (nested(100_000), "JSON that is nested too deeply (more than 500 levels)"),
    "5,000 digits": (
        b'{"assistant_id":"odd","name":"Odd","x":%b}' % (b"9" * 5000),
        "JSON with an integer of thousands of digits",
    ),
    "5,000 digits and NaN": (
        b'{"y":NaN,"assistant_id":"odd","name":"Odd","x":-%b}' % (b"9" * 5000),
        "JSON with an integer of thousands of digits",
    ),
}


class Synced:
    """A warehouse of an account whose records are the bytes in `records`."""

    def __init__(self, folder: Path, api: RawApi) -> None:
        self.api = api
        self.records: list[bytes] = list(GOOD)
        self.settings = settings_for(folder, api.base_url)
        api.answers = self._answer
        self.asked_for: list[str] = []

    def _answer(self, path: str, _query: Mapping[str, str]) -> Raw:
        if path.rstrip("/").endswith("/ai-assistants"):
            return page(self.records)
        self.asked_for.append(path.rpartition("/")[2])
        return Raw(b'{"detail":"Not found."}', 404)

    def sync(self) -> SyncOutcome:
        return run_sync(self.settings)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return select(self.settings.data_dir / "puretalk.duckdb", query)


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Synced]:
    skip_models(monkeypatch)
    with RawApi(lambda _path, _query: Raw()) as api:
        yield Synced(tmp_path, api)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_only_that_record_is_rejected_and_kept_as_it_is(kind: str, synced: Synced) -> None:
    record, reason = HOSTILE[kind]
    synced.records = [GOOD[0], record, *GOOD[1:]]
    first, second = synced.sync(), synced.sync()
    assert [(outcome.exit_code, outcome.run.rows_loaded > 0) for outcome in (first, second)] == [
        (EXIT_INCOMPLETE, True),
        (EXIT_INCOMPLETE, False),
    ]
    assert first.run.notes == ("1 assistants have a record that cannot be read; what was known of them stays",)
    assert (first.run.received, first.run.new, first.run.rejected, first.run.walks) == (4, 3, 1, 1)
    assert first.warnings[-1] == "1 records could not be used; see puretalk.rejected_records"
    assert synced.rows("SELECT count(*) FROM assistants WHERE deleted_at IS NULL") == [(3,)]
    [(kept_reason, kept)] = synced.rows("SELECT reason, record::VARCHAR FROM rejected_records")
    assert kept_reason == f"the record is {reason}"
    assert json.loads(kept) == record.decode()


@pytest.mark.slow
def test_an_assistant_whose_record_turns_hostile_stays_as_it_was_and_is_not_deleted(synced: Synced) -> None:
    sane = b'{"assistant_id":"odd","name":"Odd","updated_at":"2026-01-01T00:00:00Z"}'
    known = "SELECT name, updated_at::VARCHAR, deleted_at FROM assistants WHERE assistant_id = 'odd'"
    synced.records = [*GOOD, sane]
    assert synced.sync().exit_code == EXIT_OK
    before = synced.rows(known)
    synced.records = [*GOOD, HOSTILE["970 levels"][0]]
    turned = synced.sync()
    assert (turned.exit_code, turned.run.deleted, turned.run.is_settled) == (EXIT_INCOMPLETE, 0, False)
    assert synced.asked_for == [], "the account shows it, so its own address is not asked"
    assert synced.rows(known) == before
    synced.records = [*GOOD, sane.replace(b"Odd", b"Healed")]
    healed = synced.sync()
    assert (healed.exit_code, healed.run.silent) == (EXIT_OK, 1)


@pytest.mark.slow
def test_the_only_assistant_turns_hostile_and_the_account_is_not_taken_for_another(synced: Synced) -> None:
    synced.records = [b'{"assistant_id":"odd","name":"Odd"}']
    assert synced.sync().exit_code == EXIT_OK
    synced.records = [HOSTILE["5,000 digits"][0], GOOD[0]]
    outcome = synced.sync()
    assert (outcome.exit_code, outcome.run.new, outcome.run.deleted) == (EXIT_INCOMPLETE, 1, 0)


@pytest.mark.slow
def test_a_hostile_record_without_an_id_is_no_assistant(synced: Synced) -> None:
    synced.records = [*GOOD, b"9" * 5000, b"[" * 600 + b"]" * 600]
    outcome = synced.sync()
    assert (outcome.exit_code, outcome.run.new, outcome.run.rejected) == (EXIT_OK, 3, 2)


@pytest.mark.slow
def test_a_record_at_the_limit_is_loaded_also_with_half_a_character(synced: Synced) -> None:
    """In `extra`, the record of 500 levels is as deep as it came; the half character makes every level a call."""
    deep = nested(MAX_DEPTH)
    synced.records = [*GOOD, deep, deep.replace(b"odd", b"half").replace(b"[]", b'["\\ud800"]')]
    first, second = synced.sync(), synced.sync()
    assert (first.exit_code, first.run.new) == (EXIT_OK, 5)
    assert (second.exit_code, second.run.unchanged, second.run.rows_loaded) == (EXIT_OK, 5, 0)
    [(extra,)] = synced.rows("SELECT extra::VARCHAR FROM assistants WHERE assistant_id = 'odd'")
    assert extra == f'{{"x":{"[" * (MAX_DEPTH - 1)}{"]" * (MAX_DEPTH - 1)}}}'


@pytest.mark.slow
@pytest.mark.parametrize("is_too_deep", [False, True])
@pytest.mark.parametrize("brackets", [b"[]", b"{}"])
def test_a_deep_record_that_holds_the_key_is_stored_without_it(
    brackets: bytes, is_too_deep: bool, synced: Synced
) -> None:
    key = synced.settings.api.api_key.encode()
    levels = MAX_DEPTH - 1 + is_too_deep
    start, end = (b"[", b"]") if brackets == b"[]" else (b'{"a":', b"}")
    synced.records = [*GOOD, b'{"assistant_id":"odd","x":%b"%b"%b}' % (start * levels, key, end * levels)]
    outcome = synced.sync()
    assert outcome.exit_code == (EXIT_INCOMPLETE if is_too_deep else EXIT_OK)
    assert (outcome.run.new, outcome.run.rejected) == (3, 1) if is_too_deep else (4, 0)
    kept = "SELECT record::VARCHAR FROM rejected_records" if is_too_deep else "SELECT extra::VARCHAR FROM assistants"
    text = " ".join(str(row) for row in synced.rows(kept))
    assert "***" in text
    assert key.decode() not in text
    assert any("API key" in note for note in outcome.run.notes)


@pytest.mark.slow
def test_fifty_thousand_unknown_fields_are_kept_and_make_no_list_of_that_length(synced: Synced) -> None:
    unknown = {f"unknown_{number:05}": number for number in range(50_000)} | {"n" * 10_000: 1}
    synced.records = [*GOOD, json.dumps({"assistant_id": "odd", **unknown}).encode()]
    outcome = synced.sync()
    assert (outcome.exit_code, outcome.run.new, outcome.run.rejected) == (EXIT_OK, 4, 0)
    [(extra,)] = synced.rows("SELECT extra::VARCHAR FROM assistants WHERE assistant_id = 'odd'")
    assert json.loads(extra) == unknown
    assert len(outcome.run.drift) == MOST_RECORDED + 1
    assert outcome.run.drift["and 49,901 more"] == 1
    [warning] = [warning for warning in outcome.warnings if "differs from its documentation" in warning]
    assert len(warning) < 2_000
    assert f"and {MOST_RECORDED + 1 - MOST_SHOWN} more" in warning
    [(stored,)] = synced.rows("SELECT drift::VARCHAR FROM sync_runs")
    assert len(stored) < 10_000
    assert synced.sync().warnings == ()
    answers = [result.answer for result in run_preflight(synced.settings)]
    assert max(map(len, answers)) < 2_000
    assert "and 49,991 more" in " ".join(answers)


def test_drift_is_counted_by_how_many_assistants_show_it() -> None:
    drift = {f"rare {number}": {f"a{number}"} for number in range(MOST_RECORDED + 5)} | {"often": {"a1", "a2"}}
    counts = count_drift(drift)
    assert next(iter(counts)) == "often"
    assert (counts["often"], counts["and 6 more"], len(counts)) == (2, 6, MOST_RECORDED + 1)
    few: Callable[[int], dict[str, set[str]]] = lambda number: {"x" * number: {"a"}}  # noqa: E731
    assert list(count_drift(few(LONGEST_NAME))) == ["x" * LONGEST_NAME]
    assert list(count_drift(few(LONGEST_NAME + 1))) == ["x" * (LONGEST_NAME - 1) + "…"]
    assert count_drift({"x" * 500 + "1": {"a"}, "x" * 500 + "2": {"b"}}) == {"x" * (LONGEST_NAME - 1) + "…": 2}


def test_names_in_a_message_are_few_and_short() -> None:
    assert name_some(["a", "b"]) == "a, b"
    assert name_some("abcdefghijkl") == "a, b, c, d, e, f, g, h, i, j and 2 more"
    assert len(name_some(["n" * 10**6] * 10**4)) < 1_100
