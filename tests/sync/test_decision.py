"""Claims about a decision: what it believes, what it loads, and when it calls an assistant deleted."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from puretalk.api.client import ApiClient
from puretalk.demo import MISSING, Account, DemoApi
from puretalk.endpoints.assistants.flatten import Outline, flatten_assistant
from puretalk.errors import CheckFailedError
from puretalk.settings import ApiSettings, DecisionSettings
from puretalk.sync import deletions
from puretalk.sync.comparison import Observation
from puretalk.sync.decision import Decision, decide
from puretalk.sync.known import Known, KnownAssistant
from puretalk.sync.options import SyncOptions
from puretalk.sync.spool import Spool
from puretalk.sync.sync_run import SyncRun, describe_run
from puretalk.sync.verdict import Exact, ForeignAccount, HeldBack, Incomplete

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Hook = Callable[[int], None]


def known_from(records: list[Any], *, deleted_ids: set[str] | frozenset[str] = frozenset()) -> Known:
    """What a warehouse knows after a sync that saw these records."""
    assistants, users, voices = {}, {}, {}
    for record in records:
        flat = flatten_assistant(record)
        deleted_at = LONG_AGO + timedelta(days=1) if flat.assistant_id in deleted_ids else None
        assistants[flat.assistant_id] = KnownAssistant(flat.updated_at, flat.content_hash, LONG_AGO, deleted_at)
        if flat.user:
            users[flat.user.key] = flat.user.content_hash
        if flat.voice:
            voices[flat.voice.key] = flat.voice.content_hash
    return Known(assistants, users, voices)


def remember(decision: Decision) -> Known:
    """What a warehouse knows after this decision was loaded."""
    assistants = dict(decision.comparison.known.assistants)
    for assistant_id, standing in decision.comparison.standing.items():
        deviation = decision.comparison.deviation(assistant_id)
        assistants[assistant_id] = KnownAssistant(
            standing.updated_at, standing.content_hash, LONG_AGO, decision.deleted.get(assistant_id), deviation
        )
    for assistant_id in decision.deleted.keys() - decision.comparison.standing.keys():
        before = assistants[assistant_id]
        assistants[assistant_id] = KnownAssistant(
            before.updated_at, before.content_hash, LONG_AGO, decision.deleted[assistant_id], before.deviation
        )
    changed = decision.comparison.changed_shared()
    users = {shared.key: shared.content_hash for shared in changed if shared.table.name == "users"}
    voices = {shared.key: shared.content_hash for shared in changed if shared.table.name == "voices"}
    return Known(
        assistants,
        {**decision.comparison.known.users, **users},
        {**decision.comparison.known.voices, **voices},
        decision.comparison.known.rejected | decision.comparison.rejected.keys(),
        {
            **decision.comparison.known.digests,
            **{
                each.digest: Outline(
                    assistant_id, each.updated_at, each.content_hash, each.user, each.voice, each.drift
                )
                for assistant_id, each in decision.comparison.standing.items()
                if each.digest
            },
        },
    )


def read(
    api: DemoApi,
    known: Known | None = None,
    *,
    full_refresh: bool = False,
    accept_deletions: bool = False,
    page_size: int = 100,
    **bounds: Any,
) -> Decision:
    """One decision; pages one after the other, no pause before a retry."""

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    async def run() -> Decision:
        settings = ApiSettings(api.key, api.base_url, page_size, window=1, retry_budget=1, max_attempts=2)
        options = SyncOptions(full_refresh=full_refresh, accept_deletions=accept_deletions)
        async with ApiClient(settings, sleep=no_pause) as client:
            spool = Spool(io.BytesIO())
            now = lambda: datetime.now(UTC)  # noqa: E731
            return await decide(client, known or Known(), spool, DecisionSettings(**bounds), options, now=now)

    return asyncio.run(run())


def to_load(decision: Decision) -> list[str]:
    return list(decision.comparison.ids_to_load())


def detail_requests(api: DemoApi) -> list[str]:
    """Ids that were asked for by their own address, in order."""
    return [seen.path.rsplit("/", 1)[1] for seen in api.requests if not seen.path.rstrip("/").endswith("ai-assistants")]


def need_two_walks(account: Account, api: DemoApi, change: Callable[[], Any] = lambda: None) -> None:
    """The first walk accounts for one assistant less than the API counted. `change` happens after its first page."""
    unknown = account.create()

    def strike() -> None:
        account.delete(unknown)
        change()

    api.after_page = on_walk(1, 1, strike)


def on_walk(number: int, page: int, change: Callable[[], Any]) -> Hook:
    """A hook that does something in the `number`-th walk, after that page was read."""
    walks = 0

    def hook(read_page: int) -> None:
        nonlocal walks
        walks += read_page == 1
        if (walks, read_page) == (number, page):
            change()

    return hook


@pytest.fixture
def known(account: Account) -> Known:
    """A warehouse that is up to date with `account`."""
    return known_from(account.records())


@pytest.fixture
def crowd() -> Account:
    """Forty assistants."""
    return Account(assistants=40)


@pytest.fixture
def crowded(crowd: Account) -> Iterator[DemoApi]:
    with DemoApi(crowd, page_cap=20) as api:
        yield api


# What is news


def test_everything_is_new_to_an_empty_warehouse(account: Account, api: DemoApi) -> None:
    decision = read(api)
    assert decision.comparison.kinds() == {"new": 7}
    assert to_load(decision) == sorted(account.live_ids())
    assert decision.is_exact
    assert len(decision.walks) == 1
    assert detail_requests(api) == []


def test_nothing_of_a_quiet_account_is_news(api: DemoApi, known: Known) -> None:
    decision = read(api, known)
    assert decision.comparison.kinds() == {"unchanged": 7}
    assert to_load(decision) == []
    assert decision.comparison.changed_shared() == []
    assert (decision.comparison.news, decision.comparison.drift, decision.deleted) == ({}, {}, {})
    assert decision.verdict == Exact()
    assert decision.is_exact


def test_a_full_refresh_loads_everything_and_makes_no_versions(account: Account, api: DemoApi, known: Known) -> None:
    decision = read(api, known, full_refresh=True)
    assert list(decision.comparison.ids_to_load()) == sorted(account.live_ids())
    assert all(standing.offset is not None for standing in decision.comparison.standing.values())
    assert decision.comparison.news == {}


def test_a_changed_assistant_is_loaded_with_its_new_version(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[3]
    account.edit(chosen, prompt="Say yes.")
    flat = flatten_assistant(account.record(chosen))
    decision = read(api, known)
    [version] = decision.comparison.news[chosen]
    assert decision.comparison.kinds() == {"unchanged": 6, "changed": 1}
    assert to_load(decision) == [chosen]
    assert version == Observation(flat.updated_at, flat.content_hash, version.received_at, version.offset, False)
    spooled = decision.comparison.spool.read(version.offset)
    assert spooled.config == flat.config
    assert json.loads(spooled.assistant)["prompt"] == "Say yes."


def test_a_silent_change_is_loaded_and_marked(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[3]
    account.edit(chosen, touch=False, prompt="Say yes.")
    decision = read(api, known)
    assert decision.comparison.kinds() == {"unchanged": 6, "silent": 1}
    assert to_load(decision) == [chosen]
    assert [version.is_silent for version in decision.comparison.news[chosen]] == [True]


def test_updated_at_that_moves_alone_is_loaded(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[3]
    account.edit(chosen)
    decision = read(api, known)
    assert decision.comparison.kinds() == {"unchanged": 6, "changed": 1}
    assert [version.is_silent for version in decision.comparison.news[chosen]] == [False]


def test_the_same_instant_written_otherwise_is_no_change(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[3]
    moment = datetime.fromisoformat(account.record(chosen)["updated_at"])
    elsewhere = moment.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    account.edit(chosen, touch=False, updated_at=elsewhere.isoformat())
    assert read(api, known).comparison.kinds() == {"unchanged": 7}


def test_a_state_edited_through_its_own_endpoint_is_seen(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[0]
    account.edit(chosen, touch=False, llm_states=[{"state_id": "other", "children": []}])
    assert read(api, known).comparison.kinds() == {"unchanged": 6, "silent": 1}


def test_there_and_back_again_makes_two_versions(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[0]
    before = account.record(chosen)
    account.edit(chosen, touch=False, prompt="B")
    second = read(api, known)
    account.edit(chosen, touch=False, prompt=before["prompt"])
    third = read(api, remember(second))
    assert [version.content_hash for version in second.comparison.news[chosen] + third.comparison.news[chosen]] == [
        flatten_assistant({**before, "prompt": "B"}).content_hash,
        flatten_assistant(before).content_hash,
    ]


def test_there_and_back_again_within_one_decision_makes_both_versions(
    account: Account, api: DemoApi, known: Known
) -> None:
    chosen = account.live_ids()[0]
    prompt = account.record(chosen)["prompt"]
    account.edit(chosen, touch=False, prompt="B")

    def back() -> None:
        account.edit(chosen, touch=False, prompt=prompt)

    need_two_walks(account, api, back)
    decision = read(api, known)
    b, a = decision.comparison.news[chosen]
    assert (a.content_hash, b.content_hash) == (
        known.assistants[chosen].content_hash,
        flatten_assistant({**account.record(chosen), "prompt": "B"}).content_hash,
    )
    assert (a.is_silent, b.is_silent) == (True, True)
    assert b.received_at < a.received_at
    assert chosen in to_load(decision)


# Completeness


@pytest.mark.parametrize("order", ["created", "-created"])
def test_an_account_that_moves_is_settled_by_one_walk(account: Account, api: DemoApi, known: Known, order: Any) -> None:
    api.order = order
    gone, hidden = account.live_ids()[0], account.live_ids()[-1]
    account.delete(gone)
    # The first assistant of the list goes when its page was read, so that another one slips through.
    first = account.live_ids()[0] if order == "created" else hidden

    def move(page: int) -> None:
        if page == 1:
            account.delete(first)
        elif page == 2:
            account.create()

    api.page_cap, api.after_page = 2, move
    began_at = datetime.now(UTC)
    decision = read(api, known)
    assert len(decision.walks) == 1
    assert decision.is_exact
    assert not decision.is_complete
    assert decision.deleted.keys() == {gone}
    assert decision.settlement is not None
    assert began_at <= decision.settlement.began_at < decision.settlement.ended_at <= datetime.now(UTC)


def test_an_unknown_assistant_that_slips_between_two_pages_is_missed_by_count_and_found(api: DemoApi) -> None:
    account = api.account
    first, second, *_, last = account.live_ids()
    records = [record for record in account.records() if record["assistant_id"] != last]
    api.after_page = on_walk(1, 2, lambda: account.delete(first))  # the last one moves to page 2
    decision = read(api, known_from(records))
    assert last not in decision.walks[0].ids
    assert [walk.page_size for walk in decision.walks] == [3, 2], "the second walk has other pages"
    assert to_load(decision) == [last]
    assert decision.deleted.keys() == {first}
    assert second in decision.comparison.standing
    assert decision.is_exact


def test_one_that_this_sync_saw_and_that_is_gone_since_is_accounted_for(
    account: Account, api: DemoApi, known: Known
) -> None:
    last = account.live_ids()[-1]
    need_two_walks(account, api)
    api.before_page = on_walk(3, 2, lambda: account.delete(last))  # the second walk tries two sizes of page 1
    decision = read(api, known)
    assert len(decision.walks) == 2
    assert decision.is_exact
    assert decision.deleted.keys() == {last}


def test_larger_pages_make_the_second_walk_cheaper(known: Known, account: Account) -> None:
    with DemoApi(account, page_cap=100) as api:
        need_two_walks(account, api)
        walks = read(api, known, page_size=2).walks
    assert [(walk.page_size, walk.pages) for walk in walks] == [(2, 4), (7, 1)]


def test_of_two_answers_in_one_decision_the_newer_wins(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[0]
    need_two_walks(account, api, lambda: account.edit(chosen, prompt="newer"))
    decision = read(api, known)
    assert decision.comparison.standing[chosen].content_hash == flatten_assistant(account.record(chosen)).content_hash
    assert len(decision.comparison.news[chosen]) == 1


def test_an_account_that_never_settles_is_bounded_and_said_and_what_was_proved_is_loaded(
    account: Account, api: DemoApi, known: Known
) -> None:
    gone = account.live_ids()[0]
    account.delete(gone)
    short_lived: list[str] = []

    def count_one_more(page: int) -> None:
        if page == 1:
            short_lived.append(account.create())

    def take_it_back(page: int) -> None:
        if page == 1:
            account.delete(short_lived[-1])

    api.before_page, api.after_page = count_one_more, take_it_back
    decision = read(api, known, max_walks=3)
    assert len(decision.walks) == 3
    assert not decision.is_complete
    assert not decision.is_exact
    assert decision.settlement is None
    assert decision.deleted.keys() == {gone}
    assert list(decision.verdict.notes) == ["6 records are accounted for, the API counted 7 when the walk began"]


@pytest.mark.parametrize("lie", [1, -1])
def test_a_count_that_always_lies_is_not_settled_and_deletions_are_still_proved(
    account: Account, api: DemoApi, known: Known, lie: int
) -> None:
    gone = account.live_ids()[0]
    account.delete(gone)
    api.count_lie = lie
    decision = read(api, known)
    assert (len(decision.walks), decision.is_complete, decision.settlement) == (4, False, None)
    assert decision.deleted.keys() == {gone}
    assert isinstance(decision.verdict, Incomplete)


# Deletions


def test_a_deleted_assistant_is_confirmed_by_its_own_address(account: Account, api: DemoApi, known: Known) -> None:
    gone = account.live_ids()[2]
    account.delete(gone)
    before = datetime.now(UTC)
    decision = read(api, known)
    assert decision.deleted.keys() == {gone}
    assert decision.deleted[gone] >= before
    assert decision.is_exact
    assert len(decision.walks) == 1
    assert detail_requests(api) == [min(account.live_ids()), gone]
    assert to_load(decision) == []


def test_an_assistant_hidden_by_drift_is_found_and_not_deleted(account: Account, api: DemoApi, known: Known) -> None:
    hidden = account.live_ids()[0]
    account.delete(hidden)
    api.after_page = on_walk(1, 2, lambda: account.restore(hidden))
    decision = read(api, known)
    assert [walk.is_complete for walk in decision.walks] == [True, True]
    assert detail_requests(api)[-1] == hidden
    assert (dict(decision.deleted), set(decision.verdict.held)) == ({}, set())
    assert decision.comparison.kind(hidden) == "unchanged"
    assert decision.is_exact


def test_an_assistant_that_only_its_own_address_shows_is_loaded(account: Account, api: DemoApi, known: Known) -> None:
    hidden = account.live_ids()[0]
    account.edit(hidden, prompt="changed while hidden")
    account.delete(hidden)
    api.after_page = on_walk(1, 2, lambda: account.restore(hidden))
    decision = read(api, known, max_walks=1)
    assert to_load(decision) == [hidden]
    assert not decision.is_complete
    assert list(decision.verdict.notes) == ["7 records are accounted for, the API counted 6 when the walk began"]


def test_an_assistant_that_comes_back_after_its_404_is_not_deleted(
    account: Account, api: DemoApi, known: Known
) -> None:
    gone, hidden = account.live_ids()[:2]
    account.delete(gone)
    account.delete(hidden)
    api.after_page = on_walk(1, 2, lambda: account.restore(hidden))
    api.before_page = on_walk(2, 1, lambda: account.restore(gone))
    decision = read(api, known)
    assert [walk.is_complete for walk in decision.walks] == [True, True]
    assert decision.deleted == {}
    assert decision.is_exact


@pytest.mark.parametrize("detail", ["error", "forbidden", "missing"])
def test_where_its_own_address_says_nothing_a_second_complete_walk_confirms(
    account: Account, api: DemoApi, known: Known, detail: Any
) -> None:
    gone = account.live_ids()[2]
    account.delete(gone)
    api.detail = detail
    decision = read(api, known)
    assert [walk.is_complete for walk in decision.walks] == [True, True]
    assert decision.deleted.keys() == {gone}
    assert decision.is_exact


@pytest.mark.parametrize("detail", ["error", "forbidden", "missing"])
def test_where_its_own_address_says_nothing_one_complete_walk_holds_back(
    account: Account, api: DemoApi, known: Known, detail: Any
) -> None:
    gone = account.live_ids()[2]
    account.delete(gone)
    api.detail = detail
    decision = read(api, known, max_walks=1)
    assert (dict(decision.deleted), set(decision.verdict.held)) == ({}, {gone})
    assert not decision.is_exact
    assert "1 deletions could not be confirmed" in list(decision.verdict.notes)


@pytest.mark.parametrize("detail", ["error", "missing"])
def test_where_its_own_address_says_nothing_walks_that_are_not_complete_confirm_nothing(
    account: Account, api: DemoApi, known: Known, detail: Any
) -> None:
    gone = account.live_ids()[2]
    account.delete(gone)

    def grow(page: int) -> None:
        if page == 1:
            account.create()

    api.detail, api.after_page = detail, grow
    decision = read(api, known, max_walks=3)
    assert [walk.is_complete for walk in decision.walks] == [False] * 3
    assert (dict(decision.deleted), set(decision.verdict.held)) == ({}, {gone})
    assert decision.settlement is None


@pytest.mark.parametrize("detail", ["error", "missing"])
def test_an_assistant_that_the_second_walk_shows_again_is_neither_deleted_nor_held(
    account: Account, api: DemoApi, known: Known, detail: Any
) -> None:
    hidden = account.live_ids()[2]
    account.delete(hidden)
    api.detail = detail
    api.before_page = on_walk(2, 1, lambda: account.restore(hidden))
    decision = read(api, known)
    assert [walk.is_complete for walk in decision.walks] == [True, True]
    assert (dict(decision.deleted), set(decision.verdict.held), list(decision.verdict.notes)) == ({}, set(), [])
    assert decision.is_exact


def test_the_last_assistant_of_an_account_can_be_deleted_by_a_person() -> None:
    account = Account(assistants=1)
    [only] = account.live_ids()
    known = known_from(account.records())
    account.delete(only)
    with DemoApi(account) as api:
        assert read(api, known).verdict.held == {only}
        decision = read(api, known, accept_deletions=True)
    assert decision.deleted.keys() == {only}
    assert len(decision.walks) == 2, "no other assistant is there to try the address with"
    assert decision.is_exact


def test_an_assistant_created_and_deleted_during_one_decision_is_kept_as_deleted(
    account: Account, api: DemoApi, known: Known
) -> None:
    short_lived: list[str] = []
    api.before_page = on_walk(1, 1, lambda: short_lived.append(account.create()))
    api.after_page = on_walk(1, 3, lambda: account.delete(short_lived[0]))
    decision = read(api, known)
    assert decision.walks[0].is_complete
    second = read(api, remember(decision))
    assert second.deleted.keys() == set(short_lived)
    assert second.is_exact


def test_an_assistant_that_one_walk_showed_and_the_next_did_not_is_kept_as_deleted(
    account: Account, api: DemoApi, known: Known
) -> None:
    short_lived = account.create()
    need_two_walks(account, api)
    api.before_page = on_walk(2, 1, lambda: account.delete(short_lived))
    decision = read(api, known)
    assert [walk.is_complete for walk in decision.walks] == [False, True]
    assert decision.deleted.keys() == {short_lived}
    assert to_load(decision) == [short_lived]
    assert len(decision.comparison.news[short_lived]) == 1


def test_a_deletion_is_proved_although_the_control_was_deleted_too(
    account: Account, api: DemoApi, known: Known
) -> None:
    control, gone = sorted(account.live_ids())[:2]
    account.delete(gone)
    api.after_page = on_walk(1, 2, lambda: account.delete(control))
    decision = read(api, known)
    assert control in decision.walks[0].ids
    assert detail_requests(api)[0] == control
    assert len(decision.walks) == 1
    assert decision.deleted.keys() == {gone}
    assert decision.is_exact


@pytest.mark.parametrize(("lasts", "controls"), [(60, 1), (0, 2)])
def test_a_404_is_believed_after_a_control_that_was_found_a_moment_ago(
    account: Account, api: DemoApi, known: Known, lasts: float, controls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "_PROOF_LASTS", lasts)
    control, *gone = sorted(account.live_ids())[:3]
    account.delete(gone[0])
    need_two_walks(account, api)
    api.before_page = on_walk(2, 1, lambda: account.delete(gone[1]))
    decision = read(api, known)
    assert decision.deleted.keys() == set(gone)
    assert detail_requests(api).count(control) == controls


def test_a_deleted_assistant_that_comes_back_gets_a_version(account: Account, api: DemoApi) -> None:
    chosen = account.live_ids()[0]
    known = known_from(account.records(), deleted_ids={chosen})
    decision = read(api, known)
    assert decision.returned == {chosen}
    assert to_load(decision) == [chosen]
    [version] = decision.comparison.news[chosen]
    assert version.previous_deleted_at == known.assistants[chosen].deleted_at
    assert not version.is_silent
    assert version.content_hash == known.assistants[chosen].content_hash


def test_a_deleted_assistant_that_stays_away_is_not_asked_for_again(account: Account, api: DemoApi) -> None:
    chosen = account.live_ids()[0]
    known = known_from(account.records(), deleted_ids={chosen})
    account.delete(chosen)
    decision = read(api, known)
    assert (decision.deleted, decision.returned, detail_requests(api)) == ({}, set(), [])
    assert decision.is_exact


# Mass deletions


def deleted_of(account: Account, how_many: int) -> set[str]:
    gone = account.live_ids()[:how_many]
    for assistant_id in gone:
        account.delete(assistant_id)
    return set(gone)


@pytest.mark.parametrize(
    ("of", "gone", "is_held"),
    [
        (40, 20, False),  # half is not over half
        (40, 21, True),
        (18, 9, False),
        (18, 10, True),  # ten of eighteen: over half, and ten
        (16, 9, False),  # over half, but fewer than ten
        (40, 39, True),
        (7, 6, False),
        (7, 7, True),  # everything is always too much
        (1, 1, True),
    ],
)
def test_over_half_of_the_account_and_at_least_ten_is_held_back(of: int, gone: int, is_held: bool) -> None:
    account = Account(assistants=of)
    known = known_from(account.records())
    vanished = deleted_of(account, gone)
    with DemoApi(account) as api:
        decision = read(api, known)
        asked = detail_requests(api)
    assert (set(decision.verdict.held), set(decision.deleted)) == ((vanished, set()) if is_held else (set(), vanished))
    assert decision.is_complete
    assert decision.is_exact is not is_held
    if is_held:
        assert asked == []
        assert list(decision.verdict.notes) == [
            f"{gone} of {of} assistants vanished at once: held back until --accept-deletions"
        ]


@pytest.mark.parametrize(
    ("share", "minimum", "gone", "is_held"),
    [(0.25, 5, 10, False), (0.25, 5, 11, True), (0.0, 1, 1, True), (0.0, 2, 1, False), (1.0, 0, 39, False)],
)
def test_the_cap_can_be_set(
    crowd: Account, crowded: DemoApi, share: float, minimum: int, gone: int, is_held: bool
) -> None:
    known = known_from(crowd.records())
    vanished = deleted_of(crowd, gone)
    decision = read(crowded, known, deletion_cap_share=share, deletion_cap_minimum=minimum)
    assert set(decision.verdict.held) == (vanished if is_held else set())


def test_a_mass_deletion_is_held_back_in_an_account_that_moves_too(crowd: Account, crowded: DemoApi) -> None:
    known = known_from(crowd.records())
    for gone in crowd.live_ids()[:25]:
        crowd.delete(gone)
    crowded.page_cap = 5
    crowded.after_page = on_walk(1, 1, crowd.create)
    decision = read(crowded, known)
    assert not decision.walks[0].is_complete
    assert isinstance(decision.verdict, HeldBack)
    assert len(decision.verdict.held) == 25
    assert (dict(decision.deleted), decision.settlement) == ({}, None)


def test_what_is_not_deleted_is_loaded_while_a_mass_deletion_is_held_back(crowd: Account, crowded: DemoApi) -> None:
    known = known_from(crowd.records())
    deleted_of(crowd, 30)
    chosen = crowd.live_ids()[0]
    crowd.edit(chosen, prompt="still loaded")
    assert to_load(read(crowded, known)) == [chosen]


def test_an_accepted_mass_deletion_is_confirmed_as_any_other(crowd: Account, crowded: DemoApi) -> None:
    known = known_from(crowd.records())
    vanished = deleted_of(crowd, 30)
    decision = read(crowded, known, accept_deletions=True)
    assert decision.deleted.keys() == vanished
    assert vanished < set(detail_requests(crowded))
    assert decision.is_exact


def test_deleted_assistants_do_not_count_for_the_share(crowd: Account, crowded: DemoApi) -> None:
    records = crowd.records()
    long_gone = deleted_of(crowd, 20)
    known = known_from(records, deleted_ids=long_gone)
    deleted_of(crowd, 11)  # 11 of the 20 that lived
    assert len(read(crowded, known).verdict.held) == 11


def test_an_empty_list_does_not_wipe_the_warehouse(account: Account, api: DemoApi, known: Known) -> None:
    vanished = deleted_of(account, 7)
    decision = read(api, known)
    assert (set(decision.verdict.held), dict(decision.deleted)) == (vanished, {})
    assert not decision.is_exact


def test_an_empty_list_that_is_accepted_empties_the_account(account: Account, api: DemoApi, known: Known) -> None:
    vanished = deleted_of(account, 7)
    decision = read(api, known, accept_deletions=True)
    assert decision.deleted.keys() == vanished
    assert decision.is_exact


# Another account


def test_the_rows_of_another_account_are_not_loaded(known: Known) -> None:
    other = Account(seed=99, assistants=5)
    other.put_raw(0, {"name": "without an id"})
    with DemoApi(other) as api:
        decision = read(api, known)
        assert detail_requests(api) == []
    assert isinstance(decision.verdict, ForeignAccount)
    assert not decision.is_exact
    assert (
        decision.verdict.held,
        dict(decision.deleted),
        decision.comparison.news,
        decision.comparison.rejected,
    ) == (
        known.live,
        {},
        {},
        {},
    )
    assert to_load(decision) == []
    assert decision.comparison.changed_shared() == []
    assert list(decision.verdict.notes) == [
        "none of the 7 known assistants is in the account: is the key of another account? Nothing was loaded"
    ]


def test_another_account_can_be_accepted(known: Known) -> None:
    other = Account(seed=99, assistants=5)
    with DemoApi(other) as api:
        decision = read(api, known, accept_deletions=True)
    assert decision.deleted.keys() == known.live
    assert to_load(decision) == sorted(other.live_ids())
    assert decision.is_exact


def test_one_common_assistant_makes_it_the_same_account(account: Account, known: Known) -> None:
    with DemoApi(Account.of([*Account(seed=99, assistants=5).records(), account.records()[0]])) as api:
        decision = read(api, known)
    assert not isinstance(decision.verdict, ForeignAccount)
    assert len(decision.deleted) == 6


def test_a_stale_copy_of_the_account_is_not_taken_for_another_one(account: Account, known: Known) -> None:
    older = [{**record, "updated_at": "2001-01-01T00:00:00Z"} for record in account.records()]
    with DemoApi(Account.of(older), detail="missing") as api:
        decision = read(api, known)
    assert not isinstance(decision.verdict, ForeignAccount)
    assert decision.comparison.older == known.live


# Older answers


def stale_list(account: Account, chosen: str) -> tuple[Known, Callable[[], None], Callable[[], None]]:
    """A warehouse that knows the newest state of `chosen`; hooks that make the list show an older one, its own address
    the newest."""
    old = account.record(chosen)
    account.edit(chosen, prompt="newest")
    new = account.record(chosen)

    def show(record: Any) -> Callable[[], None]:
        fields = {name: record[name] for name in ("prompt", "updated_at")}
        return lambda: account.edit(chosen, touch=False, **fields)

    return known_from(account.records()), show(old), show(new)


def test_an_older_answer_of_a_stale_list_is_not_believed(account: Account, api: DemoApi) -> None:
    chosen = account.live_ids()[0]
    known, show_old, show_new = stale_list(account, chosen)
    api.before_page = lambda _: show_old()
    api.after_page = lambda _: show_new()
    decision = read(api, known)
    assert detail_requests(api)[-1] == chosen
    assert decision.comparison.older == set()
    assert decision.comparison.standing[chosen].content_hash == known.assistants[chosen].content_hash
    assert to_load(decision) == []
    assert decision.is_exact


def test_an_account_that_was_set_back_is_believed_when_its_own_address_says_the_same(
    account: Account, api: DemoApi
) -> None:
    chosen = account.live_ids()[0]
    known, show_old, _ = stale_list(account, chosen)
    show_old()
    decision = read(api, known)
    assert decision.comparison.older == set()
    assert to_load(decision) == [chosen]
    assert decision.comparison.kinds() == {"unchanged": 6, "changed": 1}
    assert [version.is_silent for version in decision.comparison.news[chosen]] == [False]
    assert decision.is_exact


@pytest.mark.parametrize("detail", ["error", "forbidden", "missing"])
def test_an_older_answer_that_cannot_be_confirmed_is_not_believed(account: Account, api: DemoApi, detail: Any) -> None:
    chosen = account.live_ids()[0]
    known, show_old, _ = stale_list(account, chosen)
    show_old()
    api.detail = detail
    decision = read(api, known)
    assert decision.comparison.older == {chosen}
    assert (to_load(decision), dict(decision.deleted), set(decision.verdict.held)) == ([], {}, set())
    assert decision.is_complete
    assert not decision.is_exact
    assert list(decision.verdict.notes) == ["1 answers were older than the warehouse and were not believed"]


def test_within_a_decision_an_older_answer_does_not_replace_a_newer_one(account: Account, api: DemoApi) -> None:
    chosen = account.live_ids()[0]
    known, show_old, show_new = stale_list(account, chosen)
    walks = 0

    def alternate(page: int) -> None:
        nonlocal walks
        walks += page == 1
        (show_new if walks == 1 else show_old)()

    api.before_page = alternate
    need_two_walks(account, api)
    decision = read(api, Known())
    assert len(decision.walks) == 2
    assert decision.comparison.standing[chosen].content_hash == known.assistants[chosen].content_hash
    assert len(decision.comparison.news[chosen]) == 1


def test_an_answer_without_updated_at_is_believed(account: Account, api: DemoApi, known: Known) -> None:
    chosen = account.live_ids()[0]
    account.edit(chosen, touch=False, updated_at=MISSING)
    decision = read(api, known)
    assert to_load(decision) == [chosen]
    assert decision.is_exact


# Voices and users


def test_a_renamed_voice_makes_no_versions(account: Account, api: DemoApi, known: Known) -> None:
    voice_id = next(record["voice"]["voice_id"] for record in account.records() if record["voice"])
    account.rename_voice(voice_id, "Renamed")
    decision = read(api, known)
    assert decision.comparison.kinds() == {"unchanged": 7}
    assert to_load(decision) == []
    assert [
        (shared.table.name, shared.key, shared.value["name"]) for shared in decision.comparison.changed_shared()
    ] == [("voices", voice_id, "Renamed")]
    assert read(api, remember(decision)).comparison.changed_shared() == []


def test_another_voice_is_a_change_of_the_assistant(account: Account, api: DemoApi, known: Known) -> None:
    first, *others = (record for record in account.records() if record["voice"])
    other = next(record for record in others if record["voice"] != first["voice"])
    account.edit(first["assistant_id"], touch=False, voice=other["voice"])
    decision = read(api, known)
    assert decision.comparison.kinds() == {"unchanged": 6, "silent": 1}
    assert to_load(decision) == [first["assistant_id"]]
    assert decision.comparison.changed_shared() == []


def two_who_disagree(*, updated: tuple[str, str]) -> Account:
    first, second = Account(assistants=2).records()
    voice = {"voice_id": "v", "name": "Anna", "gender": "female"}
    return Account.of(
        [
            {**first, "assistant_id": "a", "updated_at": updated[0], "voice": voice},
            {**second, "assistant_id": "b", "updated_at": updated[1], "voice": {**voice, "name": "Anne"}},
        ]
    )


@pytest.mark.parametrize(
    ("updated", "right", "deviation"),
    [
        (("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), "Anna", {"a": {}, "b": {"voice": {"name": "Anne"}}}),
        (("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), "Anne", {"a": {"voice": {"name": "Anna"}}, "b": {}}),
    ],
)
def test_of_two_that_disagree_about_a_voice_the_one_changed_last_is_believed(
    updated: tuple[str, str], right: str, deviation: dict[str, Any]
) -> None:
    with DemoApi(two_who_disagree(updated=updated)) as api:
        decision = read(api)
        assert decision.comparison.shared["voices", "v"].value["name"] == right
        assert {assistant_id: decision.comparison.deviation(assistant_id) for assistant_id in "ab"} == deviation
        again = read(api, remember(decision))
    assert (to_load(again), again.comparison.changed_shared()) == ([], [])


def test_a_deviation_that_ends_is_loaded_once_and_makes_no_version() -> None:
    account = two_who_disagree(updated=("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"))
    with DemoApi(account) as api:
        known = remember(read(api))
        account.edit("b", touch=False, voice=account.record("a")["voice"])
        decision = read(api, known)
        assert (to_load(decision), decision.comparison.news) == (["b"], {})
        assert to_load(read(api, remember(decision))) == []


def test_a_deleted_assistant_has_no_say_about_a_voice() -> None:
    account = two_who_disagree(updated=("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"))
    with DemoApi(account, page_cap=1) as api:
        need_two_walks(account, api, lambda: account.delete("a"))
        decision = read(api)
    assert [walk.is_complete for walk in decision.walks] == [False, True]
    assert (set(decision.deleted), set(decision.comparison.standing)) == ({"a"}, {"a", "b"})
    assert [
        shared.value["name"] for shared in decision.comparison.changed_shared() if shared.table.name == "voices"
    ] == ["Anne"]


# Records that cannot be used


def test_a_record_that_cannot_be_used_is_kept_with_the_reason_and_known_from_then_on(
    account: Account, api: DemoApi, known: Known
) -> None:
    ids = [account.live_ids()[index] for index in (0, 1)]
    account.put_raw(0, None)
    account.put_raw(1, {"assistant_id": 7, "name": "\ud800"})
    decision = read(api, known)
    assert [(rejected.reason, rejected.record) for rejected in decision.comparison.rejected.values()] == [
        ("the record is null, not an object", None),
        (
            "the record's assistant_id is a number",
            {"assistant_id": 7, "name": "\ufffd", "_unencodable": {"name": "\\ud800"}},
        ),
    ]
    assert decision.is_complete
    assert decision.deleted.keys() == set(ids)
    assert read(api, remember(decision)).comparison.rejected.keys() == decision.comparison.rejected.keys()


def test_drift_counts_the_assistants_that_show_it(account: Account, api: DemoApi, known: Known) -> None:
    first, second = account.live_ids()[:2]
    account.edit(first, surprise=1)
    account.edit(second, surprise=2, voice_boost="yes")
    assert read(api, known).comparison.drift == {
        "unknown field surprise": {first, second},
        "no bool voice_boost": {second},
    }


def test_an_account_that_was_accepted_and_exchanged_back_is_another_one_again(account: Account, known: Known) -> None:
    """Only living assistants speak for the account: those of the former account are known too, but deleted."""
    gone = {
        assistant_id: replace(assistant, deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
        for assistant_id, assistant in known.assistants.items()
    }
    others = known_from(Account(seed=99, assistants=5).records())
    with DemoApi(account) as api:
        decision = read(api, replace(known, assistants={**gone, **others.assistants}))
    assert isinstance(decision.verdict, ForeignAccount)
    assert to_load(decision) == []


@pytest.mark.parametrize("same_time", [True, False])
def test_an_id_that_comes_twice_in_one_page_is_no_reason_to_stop(same_time: bool) -> None:
    records = Account(assistants=4).records()
    other = {**records[1], "prompt": "another", **({} if same_time else {"updated_at": "2026-11-05T00:00:00Z"})}
    with DemoApi(Account.of([*records, other])) as api:
        decision = read(api)
        again = read(api, remember(decision))
    assert not decision.is_complete
    versions = decision.comparison.news[records[1]["assistant_id"]]
    assert [version.content_hash for version in versions] == [
        flatten_assistant(record).content_hash for record in ([records[1]] if same_time else [records[1], other])
    ]
    assert len({version.received_at for version in versions}) == len(versions), "a moment names a version"
    assert again.comparison.news == {}, "it is no news the next time"


def test_an_address_that_does_not_answer_is_tried_once_not_for_each_assistant(account: Account, known: Known) -> None:
    gone = account.live_ids()[:3]
    for assistant_id in gone:
        account.delete(assistant_id)
    with DemoApi(account) as api:
        api.fail("500", times=None, when=lambda asked: asked.path.rstrip("/").endswith(tuple(gone)))
        decision = read(api, known)
        asked_for = set(detail_requests(api)) & set(gone)
    assert len(asked_for) == 1
    assert decision.deleted.keys() == set(gone), "two complete walks say so"


def test_an_older_answer_about_an_assistant_that_is_then_deleted_leaves_no_doubt(
    account: Account, api: DemoApi
) -> None:
    chosen = account.live_ids()[0]
    newer = {"updated_at": "2030-01-01T00:00:00Z"}
    known = known_from([record | newer if record["assistant_id"] == chosen else record for record in account.records()])
    api.after_page = on_walk(1, 3, lambda: account.delete(chosen))
    decision = read(api, known)
    assert (set(decision.deleted), decision.comparison.older) == ({chosen}, set())
    assert decision.verdict == Exact()


# The counts


def test_equal_records_that_cannot_be_used_count_each(account: Account, api: DemoApi, known: Known) -> None:
    for position in (0, 1, 3):
        account.put_raw(position, {"name": "no id"})
    decision = read(api, known)
    run = count(decision)
    assert (run.seen, run.rejected, run.rejected_new, run.api_count) == (4, 3, 1, 7)
    assert (run.received, run.unchanged, run.set_aside) == (7, 4, 0)


def test_each_answer_of_two_walks_and_of_own_addresses_counts_once(account: Account, api: DemoApi) -> None:
    """The first walk shows two useless records, an older answer and four others; the second one all of it again; then
    the own address confirms what was older."""
    chosen = account.live_ids()[5]
    known, show_old, _ = stale_list(account, chosen)
    for position in (0, 1):
        account.put_raw(position, None)
    show_old()
    need_two_walks(account, api)
    decision = read(api, known)
    run = count(decision)
    assert (run.walks, run.deleted, run.older) == (2, 2, 0)
    assert (run.unchanged, run.changed, run.rejected) == (4, 1, 2)
    assert run.set_aside == run.received - 7 == 8


def test_an_older_answer_counts_as_older_until_its_assistant_is_deleted(account: Account, api: DemoApi) -> None:
    chosen = account.live_ids()[0]
    known, show_old, _ = stale_list(account, chosen)
    show_old()
    api.detail = "error"
    refused = count(read(api, known))
    assert (refused.older, refused.set_aside) == (1, 0)
    api.detail = "ok"
    api.after_page = on_walk(1, 3, lambda: account.delete(chosen))
    settled = count(read(api, known))
    assert (settled.older, settled.set_aside, settled.deleted) == (0, 1, 1)


def test_answers_about_another_account_are_all_set_aside(known: Known) -> None:
    other = Account(seed=77, assistants=5)
    other.put_raw(0, None)
    with DemoApi(other) as api:
        run = count(read(api, known))
    assert (run.received, run.set_aside, run.new, run.rejected) == (5, 5, 0, 0)


def test_a_run_whose_counts_do_not_add_up_is_refused(account: Account, api: DemoApi, known: Known) -> None:
    account.edit(account.live_ids()[0], name="New")
    decision = read(api, known)
    decision.comparison.set_aside += 1
    with pytest.raises(CheckFailedError, match="7 records came, and the run accounts for 8"):
        count(decision)


def count(decision: Decision) -> SyncRun:
    """The record of the sync that made this decision."""
    decision.comparison.settle_shared(decision.deleted)
    return describe_run(
        decision,
        started_at=LONG_AGO,
        finished_at=LONG_AGO,
        walk_seconds=0,
        versions=0,
        rows_loaded=0,
        retries=0,
    )
