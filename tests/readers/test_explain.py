"""Claims about `puretalk explain`: it prints the history of one assistant as the syncs saw it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import duckdb
import pytest
from support.storm import settings_for, skip_models

from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError, UsageError
from puretalk.readers.explain import compare_configs, explain_assistant
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")

_LINES = ["You are the front desk of a clinic.", "Be short.", "Ask for the name.", "Never give advice."]
_LONG_LINE = "You are the front desk of a large clinic in Lyon. Always be short. Never give medical advice."

#: Prints the history of an assistant, with every time as TIME.
Tell = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def cast() -> SimpleNamespace:
    """Ids of nine assistants, by the part that each plays, and the account."""
    account = Account(assistants=9)
    parts = ["quiet", "changed", "lines", "sentences", "silent", "touched", "items", "gone", "returned"]
    return SimpleNamespace(account=account, **dict(zip(parts, account.live_ids(), strict=True)))


@pytest.fixture(scope="module")
def tell(cast: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tell]:
    """The histories of the nine over three syncs."""
    account: Account = cast.account
    state = {"state_id": "s", "prompt": "Ask.", "children": []}
    account.edit(cast.changed, name="Grace", model="puretalk-plg", voice_boost=False)
    account.edit(cast.lines, name="Twin", prompt="\n".join(_LINES))
    account.edit(cast.gone, name="Twin")
    account.edit(cast.sentences, prompt=_LONG_LINE)
    account.edit(cast.silent, begin_message="Hello?")
    account.edit(cast.items, variables=["city"], llm_states=[state])
    with pytest.MonkeyPatch.context() as environment, DemoApi(account) as api:
        skip_models(environment)
        settings = settings_for(tmp_path_factory.mktemp("explained"), api.base_url)
        run_sync(settings)
        account.edit(cast.changed, name="Ada", model="puretalk-plg-2", voice_boost=True)
        account.edit(cast.lines, prompt="\n".join([*_LINES[:2], "Ask for name and birthday.", _LINES[3]]))
        account.edit(cast.sentences, prompt=_LONG_LINE.replace("Always be short", "Take your time"))
        account.edit(cast.silent, touch=False, begin_message="Hi!")
        account.edit(cast.touched)
        account.edit(cast.items, variables=["city", "zip"], llm_states=[{"state_id": "s", "prompt": "Say."}])
        for voice in account.voices:
            account.rename_voice(voice["voice_id"], "Somebody else")
        account.delete(cast.gone)
        account.delete(cast.returned)
        run_sync(settings)
        account.restore(cast.returned)
        published = run_sync(settings).snapshot
    with duckdb.connect(str(published), read_only=True) as connection:
        yield lambda assistant_id: [_MOMENT.sub("TIME", line) for line in explain_assistant(connection, assistant_id)]


def test_a_life_without_events_is_one_version_though_its_voice_was_renamed(cast: SimpleNamespace, tell: Tell) -> None:
    record = cast.account.record(cast.quiet)
    assert record["voice"]["name"] == "Somebody else"
    assert tell(cast.quiet) == [
        f"{record['name']}  {cast.quiet}",
        "TIME  first seen",
        "TIME  version 1 (updated_at TIME)",
    ]


def test_a_change_is_told_with_old_and_new(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.changed)[3:] == [
        "TIME  version 2 (updated_at TIME)",
        "    model: puretalk-plg → puretalk-plg-2",
        "    name: Grace → Ada",
        "    voice_boost: false → true",
    ]


def test_a_long_prompt_is_told_as_a_diff_of_its_lines(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.lines)[3:] == [
        "TIME  version 2 (updated_at TIME)",
        "    prompt:",
        "      @@ -2,3 +2,3 @@",
        "       Be short.",
        "      -Ask for the name.",
        "      +Ask for name and birthday.",
        "       Never give advice.",
    ]


def test_a_prompt_of_one_long_line_is_told_sentence_by_sentence(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.sentences)[4:] == [
        "    prompt:",
        "      @@ -1,3 +1,3 @@",
        "       You are the front desk of a large clinic in Lyon.",
        "      -Always be short.",
        "      +Take your time.",
        "       Never give medical advice.",
    ]


def test_a_change_that_did_not_move_updated_at_is_told_as_silent(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.silent)[3:] == [
        "TIME  version 2 (silent: updated_at did not move)",
        "    begin_message: Hello? → Hi!",
    ]


def test_a_touch_without_a_change_is_told_as_that(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.touched)[3:] == ["TIME  version 2 (updated_at TIME)", "    no field changed"]


def test_items_and_states_are_told_by_their_place(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.items)[3:] == [
        "TIME  version 2 (updated_at TIME)",
        "    llm_states[0].children: removed []",
        "    llm_states[0].prompt: Ask. → Say.",
        "    variables[1]: added zip",
    ]


def test_a_deletion_is_told(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.gone)[2:] == ["TIME  version 1 (updated_at TIME)", "TIME  found deleted"]


def test_a_return_is_told_after_the_deletion(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell(cast.returned)[2:] == [
        "TIME  version 1 (updated_at TIME)",
        "TIME  found deleted",
        "TIME  came back",
        "TIME  version 2 (updated_at TIME)",
        "    no field changed",
    ]


def test_a_unique_name_or_the_beginning_of_an_id_is_enough(cast: SimpleNamespace, tell: Tell) -> None:
    assert tell("Ada") == tell(cast.changed[:8]) == tell(cast.changed)
    assert tell(cast.gone[:8])[-1] == "TIME  found deleted"


def test_a_name_or_beginning_of_several_lists_them(cast: SimpleNamespace, tell: Tell) -> None:
    twins = sorted((cast.lines, cast.gone))
    with pytest.raises(UsageError, match="'Twin' fits 2 assistants") as caught:
        tell("Twin")
    listed = {f"  {assistant_id}  Twin{'  (deleted)' if assistant_id == cast.gone else ''}" for assistant_id in twins}
    assert caught.value.action.splitlines()[0] == "Give an id:"
    assert set(caught.value.action.splitlines()[1:]) == listed


def test_who_was_never_seen_is_an_error_that_helps(tell: Tell) -> None:
    with pytest.raises(ConfigurationError, match=r"no sync ever saw the assistant 'twi'; did you mean 'Twin'\?$"):
        tell("twi")
    with pytest.raises(ConfigurationError, match=r"no sync ever saw the assistant 'nobody'\Z"):
        tell("nobody")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, ["a: 1 → true"]),
        ({"a": ""}, {"a": None}, ['a: "" → null']),
        ({}, {"a": None}, ["a: added null"]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}, 4]}}, ["a.b[1].c: 2 → 3", "a.b[2]: added 4"]),
        ({"a": [1]}, {"a": {"b": 1}}, ['a: [1] → {"b":1}']),
    ],
)
def test_differences_are_named_by_their_innermost_place(old: object, new: object, told: list[str]) -> None:
    assert [line for change in compare_configs(old, new) for line in change.lines()] == told  # type: ignore[arg-type]
