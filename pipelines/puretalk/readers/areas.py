"""What changed, in words: the areas of `marts.fct_config_changes`, and names that fit into a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: `area` of marts.fct_config_changes → the word for people, in the order in which people want to read them.
AREA_WORDS: Mapping[str, str] = {
    "prompt": "prompt",
    "conversation": "greeting",
    "states": "states",
    "tools": "tools",
    "variables": "variables",
    "model": "model",
    "voice": "voice",
    "knowledge": "knowledge base",
    "recording": "recording",
    "reminders": "reminders",
    "chatbot": "chatbot",
    "analysis": "analysis after calls",
    "phone": "phone number",
    "owner": "owner",
    "identity": "name and type",
    "other": "other fields",
}

_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
_LONGEST_NAME = 80


def describe_areas(areas: Iterable[str]) -> str:
    """The areas as `prompt, voice and tools`; "" where there are none."""
    found = set(areas)
    words = [word for area, word in AREA_WORDS.items() if area in found]
    words += sorted(found - AREA_WORDS.keys())
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def name_in_line(name: object, assistant_id: str) -> str:
    """The name of an assistant in one line without control characters, cut where it is long; without one, its id."""
    text = " ".join(_CONTROL.sub(" ", name if isinstance(name, str) else "").split())
    text = text or " ".join(_CONTROL.sub(" ", assistant_id).split())
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
