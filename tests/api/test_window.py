"""How many requests are in flight at once: the rules alone, the slots, and a walk against an API that throttles."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.throttling import ThrottlingApi, fix_window

from puretalk.api.client import ApiClient
from puretalk.api.pages import fetch_pages
from puretalk.api.retries import Lane
from puretalk.api.window import CALM, LEAST_LATENCY, PATIENCE, SLOW, Window, WindowSize
from puretalk.endpoints.assistants.endpoint import ENDPOINT
from puretalk.json_values import JSONValue
from puretalk.settings import ApiSettings

T = TypeVar("T")

ROUTE = "ai-assistants"


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(bounded())


# --- the size ---------------------------------------------------------------------------------------------------------


def succeed(window: WindowSize, times: int, *, seconds: float = 0.01, waited: float | None = None) -> None:
    """So many answers, each to a request that filled the window."""
    for _ in range(times):
        started = window.start(window.size)
        window.report_success(started, ROUTE, seconds=seconds, waited=seconds if waited is None else waited)


def refuse(window: WindowSize) -> None:
    window.report_refusal(window.start(window.size))


def successes_until_growth(window: WindowSize) -> int:
    size, successes = window.size, 0
    while window.size == size:
        succeed(window, 1)
        successes += 1
    assert window.size == size + 1
    return successes


def test_a_429_halves_the_size_down_to_one() -> None:
    window, sizes = WindowSize(11), []
    for _ in range(6):
        refuse(window)
        sizes.append(window.size)
    assert sizes == [5, 2, 1, 1, 1, 1]


def test_a_burst_of_429s_halves_the_size_once() -> None:
    window = WindowSize(8)
    burst = [window.start(8) for _ in range(8)]
    for started in burst[:7]:
        window.report_refusal(started)
    later = window.start(4)
    window.report_refusal(burst[7])
    assert window.size == 4
    window.report_refusal(later)
    assert window.size == 2


def test_the_size_grows_by_one_after_a_window_of_successes() -> None:
    window = WindowSize(16)
    refuse(window)
    assert [(successes_until_growth(window), window.size) for _ in range(3)] == [(8, 9), (9, 10), (10, 11)]


def test_the_size_never_exceeds_the_setting() -> None:
    window = WindowSize(3)
    refuse(window)
    succeed(window, 1000)
    assert window.size == 3


def test_answers_to_requests_sent_before_a_429_do_not_make_it_grow() -> None:
    window = WindowSize(8)
    before = [window.start(8) for _ in range(8)]
    window.report_refusal(before[0])
    for started in before[1:]:
        window.report_success(started, ROUTE, seconds=0.01, waited=0.01)
    assert successes_until_growth(window) == 4


def test_successes_prove_nothing_while_the_window_is_not_full() -> None:
    window = WindowSize(8)
    refuse(window)
    for _ in range(100):
        window.report_success(window.start(window.size - 1), ROUTE, seconds=0.01, waited=0.01)
    assert window.size == 4


def test_a_size_that_was_refused_is_tried_again_ever_later_until_it_works() -> None:
    window = WindowSize(8)
    refuse(window)
    refuse(window)
    assert successes_until_growth(window) == 2
    assert successes_until_growth(window) == 3 * PATIENCE
    refuse(window)
    assert successes_until_growth(window) == 2
    assert successes_until_growth(window) == 3 * 2 * PATIENCE
    assert [successes_until_growth(window) for _ in range(4)] == [4, 5, 6, 7], "four at once work again"


def test_a_size_that_works_is_no_longer_the_one_that_was_refused() -> None:
    window = WindowSize(2)
    for _ in range(3):
        refuse(window)
        assert successes_until_growth(window) == PATIENCE
        succeed(window, 2)


@pytest.mark.parametrize(
    ("slowness", "size"), [(SLOW, 8), (2.1, 7), (2.5, 6), (3.0, 5), (4.0, 4), (5.0, 4), (1000.0, 4)]
)
def test_latency_shrinks_the_size_so_far_that_it_is_twice_the_lowest_at_most_by_half(
    slowness: float, size: int
) -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    succeed(window, 16, seconds=0.1 * slowness)
    assert window.size == size


def test_one_quick_answer_of_a_round_shows_that_nothing_queues() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    for _ in range(10):
        succeed(window, 7, seconds=5.0)
        succeed(window, 1, seconds=0.1)
    assert window.size == 8


def test_a_pause_of_this_machine_shrinks_nothing() -> None:
    window = WindowSize(8)
    for quick in range(8, 40):
        succeed(window, quick, seconds=0.1)
        succeed(window, 8, seconds=5.0)
    assert window.size == 8


def test_the_effect_of_a_fall_is_awaited_before_the_next() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    succeed(window, 16 + 7, seconds=5.0)
    assert window.size == 4
    succeed(window, 1, seconds=5.0)
    assert window.size == 2


def test_between_calm_and_slow_the_size_is_kept() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    succeed(window, 16, seconds=0.4)
    succeed(window, 100, seconds=0.1 * (CALM + SLOW) / 2)
    assert window.size == 4
    succeed(window, 4, seconds=0.099 * CALM)
    assert window.size == 5


def test_the_noise_of_a_quick_server_shrinks_nothing() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.001)
    succeed(window, 96, seconds=SLOW * LEAST_LATENCY)
    assert window.size == 8
    succeed(window, 16, seconds=2 * SLOW * LEAST_LATENCY)
    assert window.size == 4


def test_time_in_which_this_client_computes_is_not_latency() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    succeed(window, 100, seconds=5.0, waited=0.1)
    assert window.size == 8


def test_an_api_that_is_slower_for_good_gets_the_full_window_again() -> None:
    window = WindowSize(8)
    succeed(window, 8, seconds=0.1)
    sizes = []
    for _ in range(100):
        succeed(window, 1, seconds=10.0)
        sizes.append(window.size)
    assert min(sizes) == 1
    assert window.size == 8


def test_each_route_has_its_own_lowest_latency() -> None:
    window = WindowSize(8)
    for _ in range(8):
        window.report_success(window.start(8), "ai-assistants/{id}", seconds=0.1, waited=0.1)
    succeed(window, 16, seconds=1.0)
    assert window.size == 8


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 30), st.floats(0, 100), st.booleans())))
def test_whatever_is_answered_the_size_is_between_one_and_the_setting(
    most: int, answers: list[tuple[int, float, bool]]
) -> None:
    window = WindowSize(most)
    for age, seconds, is_refused in answers:
        started = max(window.start(window.size) - age, 0)
        if is_refused:
            window.report_refusal(started)
        else:
            window.report_success(started, ROUTE, seconds=seconds, waited=seconds)
        assert 1 <= window.size <= most


def test_each_change_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "puretalk.api"):
        window = WindowSize(8)
        succeed(window, 20, seconds=0.1)
        refuse(window)
        succeed(window, 4, seconds=0.1)
        succeed(window, 10, seconds=0.25)
        refuse(window)
        refuse(window)
        refuse(window)
    assert caplog.messages == [
        "requests in flight at once: 8 → 4, because the API answered HTTP 429",
        "requests in flight at once: 4 → 5, because the API keeps up with 4",
        "requests in flight at once: 5 → 4, because latency is 2.5 times the lowest",
        "requests in flight at once: 4 → 2, because the API answered HTTP 429",
        "requests in flight at once: 2 → 1, because the API answered HTTP 429",
    ]


# --- the slots --------------------------------------------------------------------------------------------------------


async def free_slots(window: Window) -> int:
    """How many requests could be sent at this moment."""
    gate, entered = asyncio.Event(), 0

    async def request() -> None:
        nonlocal entered
        async with window.slot(ROUTE):
            entered += 1
            await gate.wait()

    tasks = [asyncio.create_task(request()) for _ in range(50)]
    await turn_the_loop()
    taken = entered
    gate.set()
    await asyncio.gather(*tasks)
    return taken


async def turn_the_loop() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def answer(window: Window, status: int) -> None:
    async with window.slot(ROUTE) as report:
        report(status)


def test_a_size_that_falls_while_slots_are_free_takes_them_away() -> None:
    async def main() -> None:
        window = Window(8)
        await answer(window, 429)
        assert await free_slots(window) == window.size == 4
        await answer(window, 429)
        assert await free_slots(window) == window.size == 2

    run(main)


def test_those_who_wait_keep_their_order_when_the_size_falls() -> None:
    async def main() -> None:
        window, entered, falls = Window(4), list[int](), asyncio.Event()

        async def request(number: int) -> None:
            async with window.slot(ROUTE) as report:
                entered.append(number)
                await falls.wait()
                if number == 0:
                    report(429)

        tasks = [asyncio.create_task(request(number)) for number in range(12)]
        await turn_the_loop()
        falls.set()
        await asyncio.gather(*tasks)
        assert entered == list(range(12))

    run(main)


def test_no_request_starts_beyond_the_size_and_no_slot_is_lost() -> None:
    """Thousands of requests with random answers, some of them cancelled where they wait or while they are in flight."""
    rng = random.Random(10)

    async def main() -> None:
        window, in_flight, sizes = Window(8), 0, set[int]()

        async def request() -> None:
            nonlocal in_flight
            async with window.slot(ROUTE) as report:
                in_flight += 1
                try:
                    assert in_flight <= window.size <= 8
                    sizes.add(window.size)
                    for _ in range(rng.randrange(4)):
                        await asyncio.sleep(0)
                    report(429 if rng.random() < 0.03 else rng.choice([200, 200, 200, 500]))
                finally:
                    in_flight -= 1

        for _ in range(100):
            tasks = [asyncio.create_task(request()) for _ in range(rng.randrange(60))]
            for task in rng.sample(tasks, len(tasks) // 10):
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results
            assert await free_slots(window) == window.size
        assert sizes >= {1, 2, 3, 4, 5}

    run(main)


def test_latency_is_what_the_clock_says_less_what_this_thread_computed() -> None:
    now = computed = 0.0

    async def main(seconds: float, busy: float) -> int:
        window = Window(2, clock=lambda: now, busy=lambda: computed)

        async def request(wall: float, own: float) -> None:
            nonlocal now, computed
            async with window.slot(ROUTE) as report:
                now += wall
                computed += own
                report(200)

        for _ in range(2):
            await request(1.0, 0.0)
        for _ in range(4):
            await request(seconds, busy)
        return window.size

    assert run(lambda: main(5.0, 0.0)) == 1
    assert run(lambda: main(5.0, 4.0)) == 2


def test_a_new_request_that_waits_for_a_slot_lets_throttled_ones_go_first() -> None:
    async def main() -> None:
        window, lane, sent = Window(1), Lane(), list[str]()

        async def throttled(name: str) -> None:
            async with lane.turn():
                await turn_the_loop()
                async with window.slot(ROUTE):
                    sent.append(name)

        async def new(name: str) -> None:
            async with window.slot(ROUTE, lane=lane):
                sent.append(name)

        async with window.slot(ROUTE):
            tasks = [asyncio.create_task(new("new"))]
            await turn_the_loop()
            tasks += [asyncio.create_task(throttled(name)) for name in ("first", "second")]
            await turn_the_loop()
        await asyncio.gather(*tasks)
        assert sent == ["first", "second", "new"]

    run(main)


# --- a walk against an API that throttles -----------------------------------------------------------------------------


def short_pause(seconds: float) -> Awaitable[None]:
    return asyncio.sleep(seconds / 100)


def client_of(
    api: ThrottlingApi,
    *,
    clock: Callable[[], float] = lambda: 0.0,
    sleep: Callable[[float], Awaitable[None]] = short_pause,
) -> ApiClient:
    """A client for which nothing takes time, or what the clock says."""
    client = ApiClient(ApiSettings("pt-key-4711", api.base_url), sleep=sleep)
    client.window = Window(client.settings.window, clock=clock, busy=lambda: 0.0)
    return client


async def walk(client: ApiClient) -> list[int]:
    """The sizes of the window after each page, from an open client; every page came, in its order."""
    sizes, numbers = list[int](), list[JSONValue]()
    async with aclosing(fetch_pages(client, ENDPOINT)) as pages:
        async for page in pages:
            numbers += [record.value for record in page.records]
            sizes.append(client.window.size)
    assert numbers == list(range(1, len(numbers) + 1))
    return sizes


def test_an_api_that_takes_three_requests_at_once_refuses_few() -> None:
    async def refused(*, is_fixed: bool) -> int:
        async with ThrottlingApi(120, turns=100, refuses=lambda in_flight: in_flight > 3).serving() as api:
            client = client_of(api)
            async with fix_window(client) if is_fixed else client:
                sizes = await walk(client)
            assert len(sizes) == 120
            assert set(sizes) == {8} if is_fixed else set(sizes[20:]) <= {1, 2, 3, 4}
            assert client.requests == api.requests == 120 + client.retries
            assert client.retries == api.statuses[429]
            return api.statuses[429]

    fixed, adaptive = run(lambda: refused(is_fixed=True)), run(lambda: refused(is_fixed=False))
    assert adaptive * 3 < fixed, (adaptive, fixed)


def test_new_requests_wait_while_a_throttled_one_pauses() -> None:
    async def main() -> None:
        api = ThrottlingApi(40, turns=100)
        api.refuses = lambda in_flight: in_flight == 8 and not api.statuses[429]
        answered = []

        async def long_pause(_: float) -> None:
            for _ in range(1000):
                await asyncio.sleep(0)
            answered.append(api.requests)

        async with api.serving(), client_of(api, sleep=long_pause) as client:
            assert len(await walk(client)) == 40
        assert answered == [9], "page 1 and a window of 8"

    run(main)


def test_the_window_grows_back_when_the_api_no_longer_throttles() -> None:
    async def main() -> None:
        api = ThrottlingApi(400, turns=100)
        api.refuses = lambda in_flight: in_flight > 2 and api.statuses[200] < 60
        async with api.serving(), client_of(api) as client:
            sizes = await walk(client)
        assert len(sizes) == 400
        assert min(sizes) <= 2
        assert sizes[-1] == 8
        assert api.most_open == max(sizes) == 8

    run(main)


def test_requests_that_wait_for_each_other_shrink_the_window() -> None:
    """The API answers one request at a time, and the clock counts its answers: latency is the length of its queue."""

    async def main() -> None:
        api = ThrottlingApi(100, turns=100, workers=1)
        async with api.serving(), client_of(api, clock=lambda: api.statuses[200]) as client:
            sizes = await walk(client)
        assert len(sizes) == 100
        assert max(sizes) == 8
        assert max(sizes[50:]) <= 3
        assert api.statuses.keys() == {200}

    run(main)
