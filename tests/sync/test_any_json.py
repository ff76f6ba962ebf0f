"""Claims about hostile pages, by hypothesis: whatever JSON stands in whatever place, every record is accounted for, and
what a record says is stored or rejected; a byte that flipped on the way gives an error or what the bytes say."""

from __future__ import annotations

import asyncio
import copy
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puretalk.api.client import ApiClient
from puretalk.api.splitting import read_envelope
from puretalk.demo import Account, DemoApi
from puretalk.endpoints.assistants.flatten import flatten_shared
from puretalk.json_values import NotJSONError, UnusableJSONError, parse_json
from puretalk.settings import ApiSettings, DecisionSettings
from puretalk.sync.decision import Decision, decide
from puretalk.sync.known import Known
from puretalk.sync.spool import Spool, encode_row
from puretalk.sync.sync_run import describe_run

#: What every value that is put somewhere holds, so that it can be looked for. No rule changes such a text.
MARK = "ZQmarkQZ"
RECORDS = Account(seed=5, assistants=3).records()

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
_ANY = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_MARKED = st.one_of(
    st.just(MARK),
    _ANY.map(lambda value: [MARK, value]),
    _ANY.map(lambda value: {"a": value, "b": MARK}),
    _ANY.map(lambda value: {MARK: value}),
    _ANY.map(lambda value: [[{"deep": [MARK]}], value]),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in a value, with a name or position in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, item in list(items):
        yield value, place
        yield from places(item)


@st.composite
def pages(draw: st.DrawFn) -> list[Any]:
    """The records of a page, with a marked value in one place: in place of what was there, or under a new name."""
    records = copy.deepcopy(RECORDS)
    there: list[tuple[Any, Any]] = [(records, place) for place in range(len(records))]
    there += list(places(records[draw(st.integers(0, len(records) - 1))]))
    container, place = there[draw(st.integers(0, len(there) - 1))]
    value = draw(_MARKED)
    if isinstance(container, dict) and draw(st.booleans()):
        container[draw(st.text(max_size=6))] = value
    elif isinstance(container, list) and draw(st.booleans()):
        container.insert(place, value)
    else:
        container[place] = value
    return records


def decide_about(api: DemoApi, records: list[Any]) -> Decision:
    api.account = Account.of(records)

    async def run() -> Decision:
        now = lambda: datetime.now(UTC)  # noqa: E731
        async with ApiClient(ApiSettings(api.key, api.base_url, window=1)) as client:
            return await decide(client, Known(), Spool(io.BytesIO()), DecisionSettings(), now=now)

    return asyncio.run(run())


def stored(decision: Decision) -> str:
    """What would be written to the normalized layer, as one text: rows with their `extra`, and what was rejected."""
    comparison = decision.comparison
    rows = [encode_row(flatten_shared(shared)).decode() for shared in comparison.shared.values()]
    for standing in comparison.standing.values():
        assert standing.offset is not None
        flat = comparison.spool.read(standing.offset)
        rows += [flat.assistant.decode(), flat.extra.decode()]
        rows += [row.decode() for table in flat.rows.values() for row in table]
    for assistant_id in comparison.standing:  # what its own answer says otherwise of a shared voice or user
        rows.append(json.dumps(comparison.deviation(assistant_id)))
    rows += [json.dumps(rejected.record) for rejected in comparison.rejected.values()]
    return "\n".join(rows)


@pytest.fixture(scope="module")
def api() -> Iterator[DemoApi]:
    with DemoApi(Account(empty=True)) as api:
        yield api


def expect_all_accounted_for(api: DemoApi, records: list[Any]) -> None:
    decision = decide_about(api, records)
    comparison = decision.comparison
    assert decision.received == len(records)
    accounted = len(comparison.standing) + len(comparison.older) + comparison.unusable + comparison.set_aside
    assert accounted == len(records)
    describe_run(  # raises where its counts do not add up
        decision,
        started_at=datetime.now(UTC),
        finished_at=datetime.now(UTC),
        walk_seconds=0,
        versions=0,
        rows_loaded=0,
        retries=0,
    )
    if comparison.set_aside == 0:  # a second answer about the same assistant replaces or repeats the first
        assert MARK in stored(decision)


_QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=120, derandomize=True, suppress_health_check=_QUIET)
@given(records=pages())
def test_any_json_in_any_place_is_stored_or_rejected_and_counted(api: DemoApi, records: list[Any]) -> None:
    expect_all_accounted_for(api, records)


@pytest.mark.storm
@settings(max_examples=1_500, suppress_health_check=_QUIET)
@given(records=pages())
def test_any_json_in_any_place_at_length(api: DemoApi, records: list[Any]) -> None:
    expect_all_accounted_for(api, records)


PAGE = json.dumps({"count": 3, "next": None, "previous": None, "results": RECORDS}, ensure_ascii=False).encode()


def read_values(body: bytes) -> list[Any] | None:
    """The values of the records, or None where the bytes are refused. Any other error passes."""
    client = ApiClient(ApiSettings("demo-key", "http://127.0.0.1:9/api"))
    try:
        records = read_envelope(client, body, frozenset()).records
    except (NotJSONError, UnusableJSONError):
        return None
    return None if records is None or any(record.flaw for record in records) else [each.value for each in records]


@settings(max_examples=400, derandomize=True)
@given(place=st.integers(0, len(PAGE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_gives_an_error_or_what_the_bytes_say(place: int, bit: int) -> None:
    body = bytearray(PAGE)
    body[place] ^= 1 << bit
    values = read_values(bytes(body))
    if values is not None:
        whole = parse_json(bytes(body))
        assert isinstance(whole, dict)
        assert values == whole["results"]
        if "_repeated" not in json.dumps(whole):  # of names that come twice, json.loads keeps the last one only
            assert values == json.loads(bytes(body))["results"]


def test_the_unharmed_page_is_read() -> None:
    assert read_values(PAGE) == RECORDS
