"""The body of a notice: all news as JSON, or a message that the incoming webhooks of Slack or Teams accept as it is.

A message is for people: it ends after so many lines, and says how many are left out. What people typed into PureTalk
stays text there: no link, no mention, no markup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from puretalk.readers.news import News
from puretalk.readers.news_forms import describe_news, news_facts

#: Most lines of a message, most characters of one of them, most bytes of them all. Teams refuses 28 KB, Slack cuts at
#: 40,000 characters.
MAX_LINES = 60
MAX_CHARACTERS = 300
MAX_BYTES = 16_000


def render_json(event_id: str, news: News) -> dict[str, Any]:
    """All the news, for programs."""
    return {"type": "puretalk.changes", "event_id": event_id, **news_facts(news)}


def render_slack(event_id: str, news: News) -> dict[str, Any]:
    """A message of Slack without formatting: <…> would be links and mentions."""
    lines = (line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in _lines(news))
    return {"text": "\n".join(_fit([*lines], event_id)), "mrkdwn": False, "unfurl_links": False}


def render_teams(event_id: str, news: News) -> dict[str, Any]:
    """A message of Teams with an adaptive card. Text runs know no Markdown."""
    body = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
        for line in _fit(_lines(news), event_id)
        if line
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


#: The forms that `notify_format` names.
BODIES: Mapping[str, Callable[[str, News], dict[str, Any]]] = {
    "json": render_json,
    "slack": render_slack,
    "teams": render_teams,
}


def _lines(news: News) -> list[str]:
    return [line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…" for line in describe_news(news)]


def _fit(lines: list[str], event_id: str) -> list[str]:
    """As many lines as a message may have, and one that says what is left out and which event this is."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(json.dumps(line, ensure_ascii=False).encode())
        if len(kept) == MAX_LINES or size > MAX_BYTES:
            break
        kept.append(line)
    left_out = sum(line.startswith("  ") for line in lines[len(kept) :])
    more = f"{left_out} more lines: `puretalk changes` prints them all. " if left_out else ""
    return [*kept, "", f"{more}Event {event_id}"]
