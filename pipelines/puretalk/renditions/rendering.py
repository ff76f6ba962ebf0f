"""A configuration as the files of a folder. Pure; the same configuration always gives the same bytes.

    reception-3c90…/prompt.md          exactly the text of the prompt
    reception-3c90…/begin_message.md   exactly the text of the first message
    reception-3c90…/config.yml         everything else; under llm_states, the order and depth of the states
    reception-3c90…/states/hello.md    a state: its fields between two lines ---, then exactly its prompt

Nothing is left out: the files give back the configuration, value by value. A text that is missing, null or no text has
no file; config.yml says which. A state without a prompt of one character or more has only the part between the lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote

from puretalk.json_values import JSONObject, JSONValue, hash_text
from puretalk.renditions.yaml_text import yaml_text

#: The files of one assistant: path in its folder → content.
Files: TypeAlias = "Mapping[str, bytes]"

#: Fields whose text is a file of its own.
TEXT_FILES: Mapping[str, str] = {"prompt": "prompt.md", "begin_message": "begin_message.md"}
CONFIG_FILE = "config.yml"

_SLUG_LENGTH = 40
_SIMPLE_ID = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+)*")
_MOST_ID = 100
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"}
)


def render_files(config: JSONObject) -> Files:
    """The files of a configuration (`assistant_versions.config`), in alphabetical order of their paths."""
    rest, files = dict(config), {}
    for field, path in TEXT_FILES.items():
        text = rest.get(field)
        if isinstance(text, str):
            files[path] = text.encode()
            del rest[field]
    states = rest.get("llm_states")
    if isinstance(states, list):
        rest["llm_states"] = _render_states(states, files)
    files[CONFIG_FILE] = yaml_text(rest).encode()
    return dict(sorted(files.items()))


def name_folder(first_name: JSONValue, assistant_id: str) -> str:
    """The name of an assistant's folder, in ASCII. `first_name` is the name in its first version: a folder keeps its
    name when the assistant gets another one.

    It ends with the id. An id that is no lower-case UUID or the like is percent-encoded, and a hash before it tells ids
    apart that a file system would take for the same.
    """
    name = make_slug(first_name) or "assistant"
    if _SIMPLE_ID.fullmatch(assistant_id) and len(assistant_id) <= _MOST_ID:
        return f"{name}-{assistant_id}"
    encoded = quote(assistant_id, safe="").replace(".", "%2E")[-_MOST_ID:]
    return f"{name}-{hash_text(assistant_id)[:8]}-{encoded}"


def make_slug(text: JSONValue) -> str:
    """A text as part of a file's name: a to z, digits and single dashes; "" where nothing is left.

    Only letters of the Latin alphabets lose their accents, because Unicode will not change these any more.
    """
    if not isinstance(text, str):
        return ""
    plain = "".join(map(_without_accent, text.translate(_LETTERS)))
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return slug[:_SLUG_LENGTH].strip("-")


def _without_accent(letter: str) -> str:
    if "A" <= letter <= "Z":
        return letter.lower()
    if "\u00c0" <= letter <= "\u024f" or "\u1e00" <= letter <= "\u1eff":
        return unicodedata.normalize("NFKD", letter)[0].lower()
    return "" if "\u0300" <= letter <= "\u036f" else letter


def _render_states(states: list[JSONValue], files: dict[str, bytes]) -> list[JSONValue]:
    """Write a file for each state. Gives the outline of the tree in reading order: the depth of each state, and its
    file, or its value where it is no object."""
    outline: list[JSONValue] = []
    stack: list[tuple[JSONValue, int]] = [(state, 0) for state in reversed(states)]
    while stack:
        state, depth = stack.pop()
        if not isinstance(state, dict):
            outline.append({"depth": depth, "value": state})
            continue
        rest = dict(state)
        children = rest.get("children")
        if isinstance(children, list) and children:
            del rest["children"]
            stack.extend((child, depth + 1) for child in reversed(children))
        prompt = rest.get("prompt")
        text = rest.pop("prompt") if isinstance(prompt, str) and prompt else ""
        path = _free_path(make_slug(rest.get("name")) or make_slug(rest.get("state_id")) or "state", files)
        files[path] = f"---\n{yaml_text(rest)}---\n{text}".encode()
        outline.append({"depth": depth, "file": path})
    return outline


def _free_path(name: str, files: Mapping[str, bytes]) -> str:
    """The path of a state's file; states of one name get numbers in reading order."""
    number = 1
    while (path := f"states/{name}{f'-{number}' if number > 1 else ''}.md") in files:
        number += 1
    return path
