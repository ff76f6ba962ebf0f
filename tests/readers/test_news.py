"""Claims about `puretalk changes`: it tells all that happened after a moment, once, and quotes no prompt unasked."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commandline import CommandLine
from support.storm import settings_for
from support.told import NASTY, SECRET, Told, tell

from puretalk.dashboard.redaction import open_snapshot
from puretalk.demo import Account, DemoApi
from puretalk.errors import ConfigurationError
from puretalk.readers.news import ChangedAssistant, Named, News, read_news
from puretalk.readers.news_forms import describe_news, news_facts, render_markdown
from puretalk.readers.published import find_snapshot
from puretalk.readers.since import parse_since
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(tmp_path_factory.mktemp("told"))


def read(told: Told, start: int, end: int, *, with_texts: bool = False) -> News:
    snapshot = find_snapshot(told.settings.data_dir)
    with closing(open_snapshot(snapshot, include_prompts=with_texts)) as connection:
        return read_news(connection, told.moments[start], told.moments[end], with_texts=with_texts)


def ids_of(named: tuple[Named, ...]) -> set[str]:
    return {one.assistant_id for one in named}


def test_the_news_of_one_sync_are_what_happened_before_it(told: Told) -> None:
    ids, news = told.ids, read(told, 0, 1)
    assert {one.assistant.assistant_id: (one.is_silent, one.areas) for one in news.changed} == {
        ids.loud: (False, {"model": 1, "prompt": 1}),
        ids.silent: (True, {"conversation": 1}),
        ids.fixed: (False, {"voice": 1}),
    }
    assert news.changed[0].is_silent, "silent changes come first"
    assert (ids_of(news.new), ids_of(news.returned)) == ({ids.new}, set())
    # The deletion that was taken back is told with the return, not as a deletion that still holds.
    assert ids_of(news.gone) == {ids.gone}
    assert [(one.title, one.assistant.assistant_id) for one in news.resolved if "oice" in one.title] == [
        ("No voice", ids.fixed)
    ]


def test_the_news_of_the_next_sync_tell_nothing_twice(told: Told) -> None:
    ids, news = told.ids, read(told, 1, 2)
    assert {one.assistant.assistant_id for one in news.changed} >= {ids.loud, ids.nasty, ids.broken}
    assert not {ids.silent, ids.fixed, ids.quiet} & {one.assistant.assistant_id for one in news.changed}
    assert (ids_of(news.new), ids_of(news.gone), ids_of(news.returned)) == (set(), set(), {ids.back})
    assert ("No voice", ids.broken) in [(one.title, one.assistant.assistant_id) for one in news.found]


def test_news_that_follow_each_other_add_up_to_the_news_of_the_whole_time(told: Told) -> None:
    parts, whole = [read(told, 0, 1), read(told, 1, 2)], read(told, 0, 2)
    for each in whole.changed:
        same = [one for part in parts for one in part.changed if one.assistant == each.assistant]
        assert each.versions == sum(one.versions for one in same)
        assert sum(each.areas.values()) == sum(sum(one.areas.values()) for one in same)
    assert {one.assistant for part in parts for one in part.changed} == {one.assistant for one in whole.changed}
    assert ids_of(whole.new) == ids_of(parts[0].new) | ids_of(parts[1].new)


def test_after_the_newest_moment_there_is_no_news(told: Told) -> None:
    news = read(told, 2, 2)
    assert news.is_empty
    assert list(describe_news(news))[1:] == ["Nothing changed."]


def test_news_tell_the_newest_versions_of_an_assistant_in_the_words_of_the_marts(told: Told) -> None:
    loud = next(one for one in read(told, 0, 2).changed if one.assistant.assistant_id == told.ids.loud)
    assert len(loud.summaries) == loud.versions == 2
    assert re.fullmatch(r"prompt \+1 −\d+, model \S+ → puretalk-plg-9", loud.summaries[0])
    [line] = [line for line in describe_news(read(told, 0, 2)) if "puretalk-plg-9" in line]
    assert line.endswith(f": {loud.summaries[0]}; {loud.summaries[1]}, in 2 versions")
    many = ChangedAssistant(loud.assistant, 5, False, {}, ("a", "b", "c", "d", "e"))
    lines = list(describe_news(News(told.moments[0], told.moments[2], changed=(many,))))
    assert lines[-1].endswith(": …; c; d; e, in 5 versions")


def test_no_form_quotes_a_prompt_unless_asked(told: Told) -> None:
    def forms(news: News) -> list[str]:
        return [*describe_news(news), *render_markdown(news), json.dumps(news_facts(news))]

    assert not any(SECRET in line for line in forms(read(told, 0, 2)))
    assert sum(SECRET in line for line in forms(read(told, 0, 2, with_texts=True))) >= 3


def test_a_name_stays_one_line_of_text_in_every_form(told: Told) -> None:
    news = read(told, 1, 2)
    [line] = [line for line in describe_news(news) if "Front" in line and "timezone" in line]
    before = re.sub(r".* timezone (\S+) → Europe/Lisbon", r"\1", line)
    assert line == f"  Front desk <b>[x](http://a.example)</b> `code` @channel [31m: timezone {before} → Europe/Lisbon"
    [line] = [line for line in render_markdown(news) if "Front" in line and "timezone" in line]
    assert not set("<>[]()`@") & set(line)
    [facts] = [one for one in news_facts(news)["changed"] if one["assistant_id"] == told.ids.nasty]
    assert facts["name"] == NASTY


def test_since_is_a_time_a_kept_snapshot_or_yesterday(told: Told) -> None:
    data_dir = told.settings.data_dir
    now = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    assert parse_since("yesterday", data_dir, now) == datetime(2026, 11, 22, tzinfo=UTC)
    assert parse_since("2026-11-22", data_dir) == datetime(2026, 11, 22, tzinfo=UTC)
    assert parse_since("2026-11-22T09:00+02:00", data_dir) == datetime(2026, 11, 22, 7, tzinfo=UTC)
    assert [parse_since(snapshot, data_dir) for snapshot in told.snapshots] == told.moments
    for wrong in ("soon", "", "20200101T000000000000Z", "0001-01-01T00:00+14:00"):
        with pytest.raises(ConfigurationError, match="neither a time nor a snapshot"):
            parse_since(wrong, data_dir)


def test_the_command_prints_every_form_and_writes_a_file(told: Told, tmp_path: Path) -> None:
    command = CommandLine(told.settings.data_dir, tmp_path)
    text = command.in_this_process("changes", "--since", told.snapshots[1])
    assert text.output.splitlines()[0].startswith("Changes from ")
    assert "Assistants that came back (1)" in text.output
    facts = command.in_this_process("changes", "--since", told.snapshots[1], "--format", "json").json()
    assert [one["assistant_id"] for one in facts["returned"]] == [told.ids.back]
    out = tmp_path / "news.md"
    ended = command.in_this_process("changes", "--since", "2020-01-01", "--format", "md", "--texts", "--out", str(out))
    assert (ended.exit_code, ended.output) == (0, "")
    assert SECRET in out.read_text(encoding="utf-8")


def test_an_empty_account_has_no_news(tmp_path: Path) -> None:
    with DemoApi(Account(assistants=0)) as api:
        outcome = run_sync(settings_for(tmp_path, api.base_url))
    with closing(open_snapshot(outcome.snapshot, include_prompts=False)) as connection:
        assert read_news(connection, datetime.now(UTC) - timedelta(days=1)).is_empty
