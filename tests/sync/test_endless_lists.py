"""Lists without an end, and answers that are no page: the run ends soon, says who has to act, and publishes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.commandline import CommandLine
from support.publishing import find_leftovers
from support.raw_api import Raw, RawApi, page
from support.storm import settings_for, skip_models

from puretalk.errors import ApiChangedError
from puretalk.settings import DecisionSettings, Settings
from puretalk.sync.run import run_sync
from puretalk.warehouse.lock import hold_lock

pytestmark = pytest.mark.slow

BOUNDS = DecisionSettings(max_pages=40, max_records=100)


def record(number: int) -> bytes:
    return json.dumps({"assistant_id": f"a{number:06}", "updated_at": "2026-01-01T00:00:00Z"}).encode()


def alternating(number: int) -> Raw:
    """Two pages in turn, and always a next one."""
    return page([record(number % 2)], count=100, following=b'"more"')


def ever_new(number: int) -> Raw:
    return page([record(3 * number + each) for each in range(3)], count=100, following=b'"more"')


def growing(number: int) -> Raw:
    """`count` is always just ahead of what was shown."""
    return page([record(number)], count=number + 50, following=b'"more"')


def claiming(count: int) -> Callable[[int], Raw]:
    return lambda number: page([record(number)], count=count, following=b'"more"')


@pytest.fixture
def api() -> Iterator[RawApi]:
    with RawApi(lambda _path, _query: page([])) as api:
        yield api


@pytest.fixture
def settings(tmp_path: Path, api: RawApi, monkeypatch: pytest.MonkeyPatch) -> Settings:
    skip_models(monkeypatch)
    return replace(settings_for(tmp_path, api.base_url), decision=BOUNDS)


def serve(api: RawApi, pages: Callable[[int], Raw]) -> None:
    def answers(path: str, query: Mapping[str, str]) -> Raw:
        is_list = path.rstrip("/").endswith("/ai-assistants")
        return pages(int(query["page"])) if is_list else Raw(b"{}", 404)

    api.answers = answers


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        (alternating, r"showed more than 40 pages in one sync \(max_pages\), and counts 100 records"),
        (growing, r"showed more than 40 pages in one sync \(max_pages\)"),
        (ever_new, r"showed more than 100 records in one sync \(max_records\), and counts 100"),
        (claiming(10**12), r"counts 1,000,000,000,000 records; a sync reads at most 100 \(max_records\)"),
        (claiming(2**63 - 1), r"counts 9,223,372,036,854,775,807 records; a sync reads at most 100"),
        (claiming(2**63), r"`count` is more than 9,223,372,036,854,775,807"),
    ],
    ids=["alternating", "growing", "ever new", "10^12", "below 2^63", "2^63"],
)
def test_a_list_without_an_end_ends_the_run_and_publishes_nothing(
    pages: Callable[[int], Raw], why: str, api: RawApi, settings: Settings
) -> None:
    serve(api, lambda number: page([record(number)]) if number == 1 else Raw(b"{}", 404))
    assert run_sync(settings).exit_code == 0
    published = (settings.data_dir / "puretalk.duckdb").resolve()
    serve(api, pages)
    before = api.requests
    with pytest.raises(ApiChangedError, match=why) as caught:
        run_sync(settings)
    assert "operator" in caught.value.action or "`count`" in caught.value.message
    assert api.requests - before <= BOUNDS.max_pages + settings.api.window + 1
    assert (settings.data_dir / "puretalk.duckdb").resolve() == published
    assert find_leftovers(settings.data_dir) == []
    with hold_lock(settings.data_dir, "test"):
        pass  # the lock is free


def test_all_walks_of_a_sync_share_the_bound(api: RawApi, settings: Settings) -> None:
    """Sixty records come, the API counts sixty-one, so the sync walks again."""
    serve(api, lambda number: page(map(record, range(60)), count=61) if number == 1 else Raw(b"{}", 404))
    with pytest.raises(ApiChangedError, match="more than 100 records in one sync"):
        run_sync(settings)
    assert run_sync(replace(settings, decision=replace(BOUNDS, max_records=240))).run.walks == 4


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (Raw(b"", 302, (("Location", "http://[::1"),)), "redirects to something that is no address of a page"),
        (Raw(b"", 302, (("Location", "http://127.0.0.1:port/"),)), "redirects to something that is no address"),
        (Raw(b'{"count":-1,"results":[]}'), "`count` is negative"),
        (Raw(b'{"count":1e3,"results":[]}'), "`count` is a number, not a whole number"),
        (Raw(b'{"count":%d,"results":[]}' % 2**64), "`count` is more than"),
        (Raw(b'{"count":%b,"results":[]}' % (b"9" * 5000)), "an integer of thousands of digits"),
        (Raw(b"[]"), "it has no `count`"),
        (Raw(b'"page"'), "it has no `count`"),
        (Raw(b'{"count":0,"results":[]}', 200, (("Content-Encoding", "gzip, gzip"),)), "Content-Encoding"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_the_command_line_names_the_cause_with_exit_code_5(raw: Raw, cause: str, api: RawApi, tmp_path: Path) -> None:
    def answers(_path: str, _query: Mapping[str, str]) -> Raw:
        return raw

    api.answers = answers
    environment: dict[str, Any] = {"PURETALK_BASE_URL": api.base_url, "PURETALK_API_KEY": "pt-key"}
    ended = CommandLine(tmp_path / "data", tmp_path)("sync", **environment)
    assert ended.exit_code == 5
    assert [line.partition(":")[0] for line in ended.message] == ["puretalk", "State", "Do", "More"]
    assert cause in ended.message[0]
    assert "exception" not in ended.error
    assert "error in puretalk" not in ended.error
