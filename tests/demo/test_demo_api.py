"""Claims about the demo API: a test double that lies by accident would prove nothing about the connector."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from puretalk.demo import MISSING, TODAY, Account, DemoApi, serve


@pytest.fixture(scope="module")
def big() -> Account:
    """120 assistants; for tests that only read."""
    return Account()


@pytest.fixture
def account() -> Account:
    return Account(assistants=7)


@pytest.fixture
def api(account: Account) -> Iterator[DemoApi]:
    with DemoApi(account) as api:
        yield api


DOCUMENTED = """
    user voice llm_states phone_number variables knowledge_base assistant_id name prompt model who_speaks_first
    begin_message assistant_type avatar custom_knowledge_base timezone voice_stability voice_clarity_similarity
    voice_stream_latency_optimization voice_boost voice_speed voice_emotion call_recording_enabled
    reminder_message_frequency max_reminder_messages post_analysis chatbot_logo chatbot_accent_color chatbot_faq
    chatbot_whitelisted_domains chatbot_begin_message tools created_at updated_at behavior
"""

# Only loopback is spoken to: without this each request would load the certificates of the whole world.
PLAIN: Any = {"trust_env": False, "verify": False, "timeout": 5}


def get(api: DemoApi, path: str = "/ai-assistants/", key: str | None = "demo-key", **query: object) -> httpx.Response:
    headers = {"X-API-KEY": key} if key else {}
    params = {name: str(value) for name, value in query.items()}
    return httpx.get(f"{api.base_url}{path}", headers=headers, params=params, **PLAIN)


def ids(response: httpx.Response) -> list[str]:
    return [record["assistant_id"] for record in response.json()["results"]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# The account: what it looks like


def test_a_seed_gives_the_same_account_everywhere(big: Account) -> None:
    assert Account().records() == big.records()
    assert Account(seed=2).records() != big.records()


def test_the_newest_assistant_was_updated_today(big: Account) -> None:
    assert max(moment(record["updated_at"]) for record in big.records()) == TODAY
    assert max(r["updated_at"] for r in Account(3, 5, today=datetime(2030, 1, 1, tzinfo=UTC)).records()) == (
        "2030-01-01T00:00:00Z"
    )


def test_records_have_the_documented_fields_in_the_documented_order(big: Account) -> None:
    documented, records = DOCUMENTED.split(), big.records()
    for record in records:
        assert list(record) == [name for name in documented if name in record]
    assert {len(record) == len(documented) for record in records} == {True, False}


def test_values_have_the_variety_of_life(big: Account) -> None:
    records = big.records()
    assert {record["assistant_type"] for record in records} == {"single_prompt", "multi_state", "chatbot"}
    assert {type(record["voice_stability"]) for record in records} >= {float, str}
    assert {type(item) for record in records for item in record["variables"] or []} == {str, dict}
    assert {"." in record["updated_at"] for record in records} == {True, False}
    assert all(len(record["prompt"].encode()) < 9000 for record in records)
    assert sum(len(record["prompt"]) >= 1000 for record in records) > 110
    assert len(big.voices) == 12
    assert sum(voice["is_cloned"] for voice in big.voices) == 3
    assert len(big.users) == 6


def test_state_trees_are_several_levels_deep(big: Account) -> None:
    def depth(nodes: list[dict[str, Any]]) -> int:
        return max((1 + depth(node.get("children", [])) for node in nodes), default=0)

    assert max(depth(record["llm_states"] or []) for record in big.records()) >= 4


def test_some_json_in_strings_is_broken(big: Account) -> None:
    def is_json(text: str) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return False
        return True

    for field in ("tools", "chatbot_faq"):
        assert {is_json(record[field]) for record in big.records() if record[field]} == {True, False}


def test_each_configuration_fault_occurs(big: Account) -> None:
    text = json.dumps(big.records())
    marks = ["loyalty_tier", "fax_number", "Customer_Name", "sk-demo-", "desk@example.com", '"*"', "blue-ish"]
    marks += ["http://stock.example.com", "Bearer demo-", "https://127.0.0.1", "Europe/Berlinn"]
    for mark in marks:
        assert mark in text
    records = big.records()
    assert any(record["voice"] is None for record in records)
    assert any(record["timezone"] == "" for record in records)
    assert any(record["call_recording_enabled"] and "record" not in record["begin_message"] for record in records)
    prompts = [record["prompt"] for record in records if record["prompt"]]
    assert len(set(prompts)) < len(prompts)
    numbers = [record["phone_number"] for record in records if record.get("phone_number")]
    assert {number for number in numbers if numbers.count(number) > 1} == {"+1 (202) 555-0199"}
    owners = {(voice["voice_id"], record["user"]["email"]) for record in records if (voice := record["voice"])}
    assert {email for voice_id, email in owners if voice_id == "vc_greta_clone"} == {
        "greta@example.com",
        "rafael.duarte@example.com",
    }


def test_addresses_are_invented(big: Account) -> None:
    hosts = re.findall(r"(?:@|https?://)([\w.-]+)", json.dumps(big.records(), ensure_ascii=False))
    assert {host for host in hosts if not re.search(r"(^|\.)example\.(com|org)\.?$", host)} == {"127.0.0.1"}


def test_prompts_end_between_lines_not_inside_a_variable(big: Account) -> None:
    assert all(record["prompt"].count("{{") == record["prompt"].count("}}") for record in big.records())


def test_a_thousand_assistants_take_no_more_than_a_second_and_a_half() -> None:
    started = time.process_time()
    Account(assistants=1000)
    assert time.process_time() - started < 1.5


# The account: how it changes


def test_an_edit_moves_updated_at_strictly_forward(account: Account) -> None:
    last = account.live_ids()[-1]
    before = account.record(last)
    account.edit(last, prompt="new")
    first = account.record(last)
    account.edit(last)
    assert moment(before["updated_at"]) < moment(first["updated_at"]) < moment(account.record(last)["updated_at"])
    assert first == before | {"prompt": "new", "updated_at": first["updated_at"]}


def test_an_edit_moves_forward_even_from_a_time_in_the_future() -> None:
    account = Account.of([{"assistant_id": "a", "updated_at": "2026-01-01T00:00:00Z"}])
    account.edit("a", updated_at="2099-01-01T00:00:00Z", touch=False)
    account.edit("a")
    assert moment(account.record("a")["updated_at"]) > datetime(2099, 1, 1, tzinfo=UTC)


def test_a_silent_edit_moves_nothing_but_its_field(account: Account) -> None:
    one = account.live_ids()[0]
    before = account.record(one)
    account.edit(one, touch=False, name="silent", avatar=MISSING)
    after = before | {"name": "silent"}
    after.pop("avatar", None)
    assert account.record(one) == after


def test_every_change_moves_the_revision(account: Account) -> None:
    one, two = account.live_ids()[:2]
    changes: list[Callable[[], object]] = [
        lambda: account.create(),
        lambda: account.edit(one),
        lambda: account.delete(two),
        lambda: account.restore(two),
        lambda: account.rename_voice("vc_anna", "Ann"),
        lambda: account.edit_user("greta@example.com", name="G. Holm"),
        lambda: account.put_raw(0, None),
        lambda: account.evolve(),
    ]
    for change in changes:
        revision, now = account.revision, account.now
        change()
        assert (account.revision > revision, account.now > now) == (True, True)


def test_a_deleted_assistant_returns_as_it_was_to_its_old_place(account: Account) -> None:
    before = account.records()
    gone = account.live_ids()[3]
    account.delete(gone)
    assert (gone in account.live_ids(), account.deleted_ids(), len(account.records())) == (False, [gone], 6)
    with pytest.raises(KeyError):
        account.record(gone)
    with pytest.raises(KeyError):
        account.edit(gone)
    account.restore(gone)
    assert (account.records(), account.deleted_ids()) == (before, [])
    account.delete(gone)
    account.restore(gone, touch=True)
    assert moment(account.record(gone)["updated_at"]) == account.now


def test_a_created_assistant_is_the_newest_and_has_the_given_fields(account: Account) -> None:
    key = account.create(name="Mine", variables=[])
    record = account.record(key)
    assert account.live_ids()[-1] == key
    assert (record["name"], record["variables"]) == ("Mine", [])
    assert moment(record["created_at"]) == moment(record["updated_at"]) == account.now


def test_a_renamed_voice_is_renamed_in_every_assistant_and_moves_no_time(big: Account) -> None:
    account = Account()
    account.rename_voice("vc_dieter", "Dietrich")
    expected = big.records()
    renamed = [r for r in expected if r["voice"] and r["voice"]["voice_id"] == "vc_dieter"]
    for record in renamed:
        record["voice"]["name"] = "Dietrich"
    assert len(renamed) > 1
    assert account.records() == expected


def test_a_user_with_a_new_email_is_found_under_it(account: Account) -> None:
    email = account.records()[0]["user"]["email"]
    account.edit_user(email, email="new@example.com")
    account.edit_user("new@example.com", name="New")
    assert account.records()[0]["user"]["name"] == "New"


def test_a_voice_that_deviates_from_the_shared_one_is_served_as_it_is() -> None:
    records = [{"assistant_id": str(n), "voice": {"voice_id": "v", "name": name}} for n, name in enumerate("aab")]
    account = Account.of(records)
    assert account.records() == records
    account.rename_voice("v", "c")
    assert [record["voice"]["name"] for record in account.records()] == ["c", "c", "b"]


def test_an_account_of_given_records_serves_them_and_nothing_else() -> None:
    records: list[Any] = [{"assistant_id": "b"}, {"assistant_id": "a", "x": [1]}, {"assistant_id": "b"}, {}, 7, None]
    account = Account.of(records)
    assert account.records() == records
    assert account.live_ids() == ["b", "a", "b"]
    records[1]["x"].append(2)
    assert account.record("a") == {"assistant_id": "a", "x": [1]}


def test_raw_records_take_a_place_or_are_appended(account: Account) -> None:
    first, second = account.live_ids()[:2]
    assert account.put_raw(0, ["not", "a", "dict"]) == first
    account.put_raw(second, {"assistant_id": second, "name": 5, "later_field": {}})
    appended = account.put_raw(99, {"name": "no id"})
    served = account.records()
    assert served[:2] == [["not", "a", "dict"], {"assistant_id": second, "name": 5, "later_field": {}}]
    assert served[-1] == {"name": "no id"}
    assert (account.live_ids()[0], len(account.live_ids())) == (second, 6)
    account.delete(appended)
    assert len(account.records()) == 7
    account.edit(second, name="usable again")
    assert account.record(second)["name"] == "usable again"


def test_records_are_copies(account: Account) -> None:
    before = account.records()
    one = account.live_ids()[0]
    account.record(one)["variables"] = "spoilt"
    account.records()[0]["user"]["name"] = "spoilt"
    account.voices[0]["name"] = "spoilt"
    assert account.records() == before


def test_evolve_does_what_it_says() -> None:
    account = Account()
    before = {record["assistant_id"]: record for record in account.records()}
    changes = account.evolve()
    after = {record["assistant_id"]: record for record in account.records()}

    def told(kind: str) -> set[str]:
        return {change.subject for change in changes if change.kind == kind}

    def changed(field: str) -> set[str]:
        return {key for key in before.keys() & after.keys() if before[key][field] != after[key][field]}

    assert (told("created"), told("deleted")) == (after.keys() - before.keys(), before.keys() - after.keys())
    assert (len(told("edited")), told("edited")) == (5, changed("prompt"))
    assert told("list emptied") == changed("variables")
    assert all(after[key]["variables"] == [] for key in told("list emptied"))
    assert told("silently edited") == changed("begin_message")
    assert changed("updated_at") == told("edited") | told("list emptied")
    assert {after[key]["voice"]["voice_id"] for key in changed("voice")} == told("voice renamed")
    assert Account().evolve() == changes
    assert all(str(change) for change in changes)


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_small_accounts_evolve_too(size: int) -> None:
    assert Account(assistants=size).evolve()


def test_changes_from_many_threads_lose_nothing(account: Account) -> None:
    threads = [threading.Thread(target=lambda: [account.create() for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(account.live_ids()), account.revision) == (87, 80)


# The orders


def test_orders_are_what_they_are_called(big: Account) -> None:
    created = [record["created_at"] for record in big.records("created")]
    assert [*map(moment, created)] == sorted(map(moment, created))
    assert big.records("-created") == big.records("created")[::-1]
    updated = [moment(record["updated_at"]) for record in big.records("updated")]
    assert updated == sorted(updated)
    assert big.records("-updated") == big.records("updated")[::-1]
    names = [record["name"] for record in big.records("name")]
    assert names == sorted(names)
    with pytest.raises(ValueError, match="none of created"):
        big.records("sideways")  # type: ignore[arg-type]


def test_unordered_is_stable_until_the_account_changes() -> None:
    account = Account(assistants=30)
    first = account.records("unordered")
    assert first == account.records("unordered") != account.records("created")
    account.edit_voice("vc_jo", gender="male")
    second = account.records("unordered")
    assert [r["assistant_id"] for r in second] != [r["assistant_id"] for r in first]
    assert {r["assistant_id"] for r in second} == {r["assistant_id"] for r in first}


def test_random_differs_from_request_to_request() -> None:
    account = Account(assistants=30)
    with DemoApi(account, order="random") as api:
        assert ids(get(api, limit=30)) != ids(get(api, limit=30))


# The list endpoint


def test_pages_together_are_the_account(big: Account) -> None:
    with DemoApi(big) as api:
        pages = [get(api, page=page, limit=50).json() for page in (1, 2, 3)]
    assert [record for page in pages for record in page["results"]] == big.records()
    assert [page["count"] for page in pages] == [120, 120, 120]
    base = "https://api.puretalk.ai/api/ai-assistants/"
    assert [page["next"] for page in pages] == [f"{base}?page=2&limit=50", f"{base}?page=3&limit=50", None]
    assert [page["previous"] for page in pages] == [None, f"{base}?page=1&limit=50", f"{base}?page=2&limit=50"]


def test_limit_is_capped_silently_and_echoed_in_next(big: Account) -> None:
    with DemoApi(big, page_cap=10) as api:
        body = get(api, limit=500).json()
        assert (len(body["results"]), body["next"]) == (
            10,
            "https://api.puretalk.ai/api/ai-assistants/?page=2&limit=500",
        )
        api.page_cap = 40
        assert len(get(api, limit=500).json()["results"]) == 40


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "", "1.5", None])
def test_a_senseless_limit_means_the_default_size(big: Account, limit: str | None) -> None:
    with DemoApi(big) as api:
        response = get(api) if limit is None else get(api, limit=limit)
        assert len(response.json()["results"]) == 25


@pytest.mark.parametrize("page", ["0", "-1", "2", "abc", "1e3"])
def test_a_page_that_does_not_exist_is_404(api: DemoApi, page: str) -> None:
    response = get(api, page=page)
    assert (response.status_code, response.json()) == (404, {"detail": "Invalid page."})


def test_page_1_of_an_empty_account_is_200() -> None:
    with DemoApi(Account(empty=True)) as api:
        assert get(api, page=1).json() == {"count": 0, "next": None, "previous": None, "results": []}
        assert get(api, page=2).status_code == 404


def test_a_missing_key_is_401_and_a_wrong_one_403(api: DemoApi) -> None:
    for response, status in ((get(api, key=None), 401), (get(api, key="wrong"), 403)):
        assert (response.status_code, [*response.json()]) == (status, ["detail"])


def test_slashless_answers_directly_unless_told_to_redirect(api: DemoApi, account: Account) -> None:
    assert ids(get(api, "/ai-assistants", page=1)) == account.live_ids()
    api.slash_redirect = True
    response = get(api, "/ai-assistants", key=None, page=1, limit=5)
    assert (response.status_code, response.headers["location"]) == (301, "/api/ai-assistants/?page=1&limit=5")
    assert get(api, "/ai-assistants/").status_code == 200


def test_links_are_written_in_three_styles(api: DemoApi) -> None:
    def following() -> str:
        link: str = get(api, limit=2).json()["next"]
        return link

    api.link_style = "own"
    assert following() == f"{api.base_url}/ai-assistants/?page=2&limit=2"
    api.link_style = "internal"
    assert following().startswith("http://puretalk-web.internal:8000/api/ai-assistants/?page=2")
    with pytest.raises(ValueError, match="link_style"):
        api.link_style = "sideways"  # type: ignore[assignment]


@pytest.mark.parametrize("path", ["/", "/calls", "/ai-assistants/a/b", "/../ai-assistant"])
def test_unknown_routes_are_404(api: DemoApi, path: str) -> None:
    assert get(api, path).status_code == 404


def test_nul_and_lone_surrogates_are_served(api: DemoApi, account: Account) -> None:
    one = account.live_ids()[0]
    account.edit(one, name="nul \x00 lone \ud800")
    assert json.loads(get(api).content)["results"][0]["name"] == "nul \x00 lone \ud800"


def test_connections_are_kept_alive(api: DemoApi) -> None:
    connection = http.client.HTTPConnection(api.origin.removeprefix("http://"), timeout=5)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/api/ai-assistants/?limit=1", headers={"X-API-KEY": "demo-key"})
        connection.getresponse().read()
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1
    assert [seen.status for seen in api.requests] == [200, 200, 200]


# One assistant


def test_detail_serves_one_assistant_with_and_without_slash(api: DemoApi, account: Account) -> None:
    one = account.live_ids()[2]
    for path in (f"/ai-assistants/{one}", f"/ai-assistants/{one}/"):
        body = get(api, path).json()
        assert ([*body], body["results"]) == (["msg", "err", "results"], account.record(one))


def test_detail_of_a_deleted_assistant_is_404(api: DemoApi, account: Account) -> None:
    one = account.live_ids()[2]
    account.delete(one)
    assert get(api, f"/ai-assistants/{one}").status_code == 404


@pytest.mark.parametrize(("knob", "status"), [("missing", 404), ("error", 500), ("forbidden", 403)])
def test_detail_can_fail_for_every_id(api: DemoApi, account: Account, knob: Any, status: int) -> None:
    api.detail = knob
    assert get(api, f"/ai-assistants/{account.live_ids()[0]}").status_code == status
    assert get(api).status_code == 200


def test_detail_finds_a_raw_record_by_the_id_it_carries(api: DemoApi, account: Account) -> None:
    account.put_raw(99, {"assistant_id": "odd", "name": None})
    assert get(api, "/ai-assistants/odd").json()["results"] == {"assistant_id": "odd", "name": None}


# Lies


def test_count_lies(api: DemoApi) -> None:
    for lie, count in ((3, 10), (-2, 5), (-99, 0), (None, 7)):
        api.count_lie = lie
        assert get(api).json()["count"] == count


def test_an_endless_next_leads_past_the_end(api: DemoApi) -> None:
    api.next_lie = "endless"
    last, past = get(api, limit=5, page=2), get(api, limit=5, page=99)
    assert "page=3" in last.json()["next"]
    assert "page=100" in past.json()["next"]
    assert ids(past) == ids(last)


def test_an_early_end_and_a_missing_next(api: DemoApi) -> None:
    api.next_lie = "early"
    assert get(api, limit=2).json()["next"] is None
    api.next_lie = "missing"
    assert [*get(api, limit=2).json()] == ["count", "previous", "results"]
    with pytest.raises(ValueError, match="next_lie"):
        api.next_lie = "sideways"  # type: ignore[assignment]


def test_repeat_page_ignores_the_page(api: DemoApi, account: Account) -> None:
    api.repeat_page = True
    body = get(api, limit=2, page=3)
    assert (ids(body), "page=2" in body.json()["next"]) == (account.live_ids()[:2], True)


# Faults


@pytest.mark.parametrize("status", ["401", "403", "404", "429", "500", "502", "503", "504"])
def test_an_error_status_comes_as_json_or_html_and_then_is_over(api: DemoApi, status: Any) -> None:
    api.fail(status)
    api.fail(status, html=True)
    first, second, third = get(api), get(api), get(api)
    assert [r.status_code for r in (first, second, third)] == [int(status), int(status), 200]
    assert [*first.json()] == ["detail"]
    assert (second.headers["content-type"], second.text[:15]) == ("text/html", "<!doctype html>")


def test_retry_after_comes_in_both_forms(api: DemoApi) -> None:
    api.fail("429", retry_after=7)
    api.fail("503", retry_after="date")
    api.fail("429", retry_after=datetime(2026, 11, 1, 9, tzinfo=UTC))
    api.fail("429")
    assert get(api).headers["retry-after"] == "7"
    ahead = parsedate_to_datetime(get(api).headers["retry-after"]) - datetime.now(UTC)
    assert 0 < ahead.total_seconds() <= 2
    assert get(api).headers["retry-after"] == "Sun, 01 Nov 2026 09:00:00 GMT"
    assert "retry-after" not in get(api).headers


def test_200_can_be_an_html_page_or_no_json(api: DemoApi) -> None:
    api.fail("html")
    api.fail("not_json")
    page, broken = get(api), get(api)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert broken.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        broken.json()


def test_a_truncated_body_breaks_the_transfer(api: DemoApi) -> None:
    api.fail("truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        get(api)
    assert get(api).status_code == 200


def test_a_reset_is_a_reset(api: DemoApi) -> None:
    api.fail("reset")
    with pytest.raises(httpx.ReadError):
        get(api)
    assert get(api).status_code == 200
    assert [seen.status for seen in api.requests] == [0, 200]


def test_a_hang_lasts_until_the_server_closes(account: Account) -> None:
    with DemoApi(account) as api:
        api.fail("hang")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{api.base_url}/ai-assistants/", **PLAIN | {"timeout": 0.1})
        assert [seen.status for seen in api.requests] == [0]


def test_a_foreign_redirect_points_elsewhere_and_keeps_the_query(api: DemoApi) -> None:
    with DemoApi(Account(empty=True)) as other:
        api.fail("redirect_foreign")
        api.fail("redirect_foreign", location=f"{other.base_url}/ai-assistants/")
        assert get(api, page=1).headers["location"] == "https://elsewhere.example/api/ai-assistants/?page=1"
        assert get(api).headers["location"] == f"{other.base_url}/ai-assistants/"


def test_a_redirect_loop_never_ends(api: DemoApi) -> None:
    api.fail("redirect_loop")
    with httpx.Client(follow_redirects=True, **PLAIN) as client, pytest.raises(httpx.TooManyRedirects):
        client.get(f"{api.base_url}/ai-assistants/?page=1")


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("list", []),
        ("no_results", {"count": 1, "next": None, "previous": None}),
        ("null", None),
        ("results_not_a_list", {"count": 1, "next": None, "previous": None, "results": {"0": {}}}),
    ],
)
def test_json_can_have_a_wrong_shape(api: DemoApi, shape: Any, body: object) -> None:
    api.fail("wrong_shape", shape=shape)
    response = get(api)
    assert (response.status_code, response.json()) == (200, body)


def test_faults_choose_their_requests_and_can_be_healed(api: DemoApi, account: Account) -> None:
    api.fail("503", times=2, when=lambda asked: asked.page == 2)
    api.fail("500", times=None, when=lambda asked: asked.assistant_id is not None)
    one = account.live_ids()[0]
    statuses = [get(api, page=page, limit=2).status_code for page in (1, 2, 2, 2)]
    assert statuses == [200, 503, 503, 200]
    assert [get(api, f"/ai-assistants/{one}").status_code for _ in range(3)] == [500, 500, 500]
    api.heal()
    assert get(api, f"/ai-assistants/{one}").status_code == 200


def test_an_unknown_fault_is_refused(api: DemoApi) -> None:
    with pytest.raises(ValueError, match="none of 401"):
        api.fail("418")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape"):
        api.fail("wrong_shape", shape="round")  # type: ignore[arg-type]


# Hooks, the log, the ends


def test_a_change_in_after_page_is_in_every_page_asked_for_afterwards(api: DemoApi, account: Account) -> None:
    start = account.live_ids()
    served: list[tuple[str, int]] = []
    api.before_page = lambda page: served.append(("before", page))

    def drift(page: int) -> None:
        served.append(("after", page))
        account.delete(account.live_ids()[0])

    api.after_page = drift
    first, second = get(api, limit=2, page=1), get(api, limit=2, page=2)
    assert (ids(first), ids(second)) == (start[:2], start[3:5])
    assert (first.json()["count"], second.json()["count"]) == (7, 6)
    assert served == [("before", 1), ("after", 1), ("before", 2), ("after", 2)]


def test_hooks_see_only_pages_that_are_served(api: DemoApi) -> None:
    pages: list[int] = []
    api.after_page = pages.append
    api.fail("500")
    for page in (1, 1, 9):
        get(api, page=page)
    assert pages == [1]


def test_what_a_hook_raises_is_not_lost(account: Account) -> None:
    def broken(page: int) -> None:
        raise LookupError(f"page {page}")

    api = DemoApi(account, after_page=broken)
    with pytest.raises(LookupError, match="page 1"), api, pytest.raises(httpx.RemoteProtocolError):
        get(api)


def test_every_request_is_recorded(api: DemoApi) -> None:
    started = time.monotonic()
    get(api, "/ai-assistants", page=1, limit=3)
    get(api, "/nowhere", key=None)
    first, second = api.requests
    assert (first.method, first.path, first.query, first.status) == (
        "GET",
        "/api/ai-assistants",
        {"page": "1", "limit": "3"},
        200,
    )
    assert first.headers["x-api-key"] == "demo-key"
    assert (second.path, second.status, "x-api-key" in second.headers) == ("/api/nowhere", 404, False)
    assert started <= first.received_at <= second.received_at <= time.monotonic()
    api.forget_requests()
    assert api.requests == []


def test_latency_delays_and_requests_run_side_by_side(api: DemoApi) -> None:
    api.latency = 0.15
    started = time.monotonic()
    threads = [threading.Thread(target=get, args=(api,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.15
    assert api.peak_in_flight == 4


def test_a_closed_api_leaves_no_thread_even_while_a_client_holds_its_connection(account: Account) -> None:
    before = threading.active_count()
    with httpx.Client(**PLAIN) as client:
        with DemoApi(account) as api:
            client.get(f"{api.base_url}/ai-assistants/")
            base_url = api.base_url
        assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url, **PLAIN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_with_a_signal_and_gives_the_handlers_back(account: Account, number: signal.Signals) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    statuses = []

    def ready(api: DemoApi) -> None:
        statuses.append(get(api, key="other").status_code)
        os.kill(os.getpid(), number)

    serve(account, port=0, key="other", ready=ready, page_cap=2)
    assert statuses == [200]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_taken_port_is_an_os_error(api: DemoApi) -> None:
    port = int(api.origin.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        serve(Account(empty=True), port=port)
