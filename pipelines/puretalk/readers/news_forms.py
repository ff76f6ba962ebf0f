"""The forms of the news: text for a terminal or a mail, Markdown, and facts for JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

from puretalk.readers.news import ChangedAssistant, FindingNews, Named, News

NewsForm = Literal["text", "md", "json"]

NEWS_FORMS: tuple[NewsForm, ...] = get_args(NewsForm)

#: Versions of one assistant that are told in words, the newest.
SUMMARIES: Final = 3

#: What Markdown or HTML would read as more than a character.
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:-])")


def describe_news(news: News) -> Iterator[str]:
    """The news as lines of text."""
    yield f"Changes from {_moment(news.since)} to {_moment(news.until)}"
    if news.is_empty:
        yield "Nothing changed."
    for heading, entries in list_sections(news):
        yield ""
        yield f"{heading} ({len(entries)})"
        for line, details in entries:
            yield f"  {line}"
            yield from (f"      {detail}" for detail in details)


def render_markdown(news: News) -> Iterator[str]:
    """The news as lines of Markdown. What people typed into PureTalk stays text: no link, no markup, no HTML."""
    yield f"# Changes from {_moment(news.since)} to {_moment(news.until)}"
    if news.is_empty:
        yield from ("", "Nothing changed.")
    for heading, entries in list_sections(news):
        yield from ("", f"## {heading} ({len(entries)})", "")
        for line, details in entries:
            yield f"- {_MARKS.sub(_escape, line)}"
            if details:
                # An indented block of code: no line of a prompt can end it.
                yield from ("", *(f"      {detail}" for detail in details), "")


def news_facts(news: News) -> dict[str, Any]:
    """The news as JSON knows it. Times are ISO 8601, UTC."""
    return {
        "since": news.since.isoformat(),
        "until": news.until.isoformat(),
        "changed": [_changed_facts(one) for one in news.changed],
        "new_findings": [_finding_facts(one) for one in news.found],
        "resolved_findings": [_finding_facts(one) for one in news.resolved],
        "new": [_named_facts(one) for one in news.new],
        "gone": [_named_facts(one) for one in news.gone],
        "returned": [_named_facts(one) for one in news.returned],
    }


def list_sections(news: News) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """Heading and entries of every part that is not empty, silent changes first. An entry: a line, and its details."""
    sections: list[tuple[str, list[tuple[str, list[str]]]]] = [
        ("Changed without a new updated_at", [_say_change(one) for one in news.silent]),
        ("Changed", [_say_change(one) for one in news.open]),
        ("New findings", [(_say_finding(one), []) for one in news.found]),
        ("Resolved findings", [(_say_finding(one), []) for one in news.resolved]),
        ("New assistants", [(say_name(one), []) for one in news.new]),
        ("Gone assistants", [(say_name(one), []) for one in news.gone]),
        ("Assistants that came back", [(say_name(one), []) for one in news.returned]),
    ]
    yield from (section for section in sections if section[1])


def say_name(assistant: Named) -> str:
    """The name on one line, without characters that cannot be seen; the id where there is none."""
    name = "".join(one if one.isprintable() else " " for one in assistant.name or "")
    return " ".join(name.split()) or assistant.assistant_id


def _say_change(one: ChangedAssistant) -> tuple[str, list[str]]:
    told = "; ".join(_printable(summary) for summary in one.summaries[-SUMMARIES:])
    earlier = "…; " if len(one.summaries) > SUMMARIES else ""
    versions = f", in {one.versions} versions" if one.versions > 1 else ""
    details = [_printable(line) for change in one.fields for line in change.lines()]
    return f"{say_name(one.assistant)}: {earlier}{told or 'no field'}{versions}", details


def _say_finding(one: FindingNews) -> str:
    return f"{one.severity}: {one.title}: {say_name(one.assistant)}" + (f" ({one.count})" if one.count > 1 else "")


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else " " for one in line)


def _escape(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _changed_facts(one: ChangedAssistant) -> dict[str, Any]:
    facts: dict[str, Any] = {
        **_named_facts(one.assistant),
        "versions": one.versions,
        "is_silent": one.is_silent,
        "areas": one.areas,
    }
    if one.fields:
        facts["fields"] = [{"path": each.path, "old": each.old, "new": each.new} for each in one.fields]
    return facts


def _finding_facts(one: FindingNews) -> dict[str, Any]:
    return {**_named_facts(one.assistant), "severity": one.severity, "title": one.title, "count": one.count}


def _named_facts(one: Named) -> dict[str, Any]:
    return {"assistant_id": one.assistant_id, "name": one.name}


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
