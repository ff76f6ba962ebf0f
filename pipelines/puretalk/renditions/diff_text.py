"""A comparison as text: unified for programs, word by word for a terminal, or as Markdown, JSON or HTML."""

from __future__ import annotations

import difflib
import html
import json
import re
from collections.abc import Iterator
from typing import Literal

from puretalk.renditions.comparison import Comparison, Pair
from puretalk.terminal import escape_line, escape_text

DiffFormat = Literal["text", "md", "json", "html"]

_CONTEXT = 2
_WORDS = re.compile(r"\w+|\s|[^\w\s]")
_RED, _GREEN, _BOLD, _RESET = "\x1b[31;9m", "\x1b[32m", "\x1b[1m", "\x1b[0m"

#: A part of a text: equal (" "), removed ("-") or added ("+").
Part = tuple[Literal[" ", "-", "+"], str]


def render_diff(comparison: Comparison, form: DiffFormat, *, has_colour: bool = False) -> str:
    """The comparison in that form. `has_colour`: text is for a terminal."""
    if form == "json":
        return _as_json(comparison)
    if form == "html":
        return "".join(_as_html(comparison))
    if form == "md":
        return "".join(_as_markdown(comparison))
    return "".join(_as_terminal(comparison) if has_colour else _as_unified(comparison))


def _as_unified(comparison: Comparison) -> Iterator[str]:
    yield from (f"# {note}\n" for note in comparison.notes)
    for pair in comparison.pairs:
        yield from _unified(pair)


def _unified(pair: Pair) -> Iterator[str]:
    """The files of a pair as `git diff` writes them, so that `git apply` and other programs read them."""
    for path, (old, new) in pair.files.items():
        place = f"{pair.folder}/{path}"
        yield f"diff --git a/{place} b/{place}\n"
        if old is None or new is None:
            yield f"{'new' if old is None else 'deleted'} file mode 100644\n"
        old_name, new_name = "/dev/null" if old is None else f"a/{place}", "/dev/null" if new is None else f"b/{place}"
        yield from difflib.unified_diff(_lines(old or ""), _lines(new or ""), old_name, new_name, n=_CONTEXT)


def _lines(text: str) -> list[str]:
    """Lines as git counts them, and what it writes after one without an end."""
    *lines, last = text.split("\n")
    ended = [f"{line}\n" for line in lines]
    return [*ended, f"{last}\n\\ No newline at end of file\n"] if last else ended


def _as_terminal(comparison: Comparison) -> Iterator[str]:
    yield from (f"{escape_line(note)}\n" for note in comparison.notes)
    for pair in comparison.pairs:
        yield f"{_BOLD}{escape_line(pair.name)}{_RESET}  {escape_line(pair.folder)}: {_what(pair)}\n"
        for path, (old, new) in pair.files.items():
            yield f"{_BOLD}{escape_line(path)}{_RESET}\n"
            for mark, text in word_parts(old or "", new or ""):
                shown = escape_text(text)  # before the colours, which are escape sequences too
                colour = {" ": "", "-": _RED, "+": _GREEN}[mark]
                yield "\n".join(f"{colour}{line}{_RESET}" if colour and line else line for line in shown.split("\n"))
            yield "\n\n"


def _as_markdown(comparison: Comparison) -> Iterator[str]:
    yield f"# {_escape(comparison.old.label)} → {_escape(comparison.new.label)}\n"
    yield from (f"\n{_escape(note)}.\n" for note in comparison.notes)
    if not comparison.pairs:
        yield "\nNothing differs.\n"
    for pair in comparison.pairs:
        text = "".join(_unified(pair))
        fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
        fence = max(fence, "```", key=len)
        yield f"\n## {_escape(pair.name)}\n\n{pair.folder}: {_what(pair)}\n\n{fence}diff\n{text}{fence}\n"


def _as_json(comparison: Comparison) -> str:
    facts = {
        "old": comparison.old.label,
        "new": comparison.new.label,
        "notes": comparison.notes,
        "assistants": [
            {
                "folder": pair.folder,
                "name": pair.name,
                "old_assistant_id": pair.old and pair.old.assistant_id,
                "new_assistant_id": pair.new and pair.new.assistant_id,
                "change": _what(pair),
                "files": [{"path": path, "old": old, "new": new} for path, (old, new) in pair.files.items()],
            }
            for pair in comparison.pairs
        ],
    }
    return json.dumps(facts, ensure_ascii=False, indent=2) + "\n"


def _as_html(comparison: Comparison) -> Iterator[str]:
    title = html.escape(f"{comparison.old.label} → {comparison.new.label}")
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>body{{font-family:sans-serif;margin:2rem;max-width:60rem}}"
        "pre{white-space:pre-wrap}del{background:#ffd7d5}ins{background:#ccffd8;text-decoration:none}</style></head>"
        f"<body>\n<h1>{title}</h1>\n"
    )
    yield from (f"<p>{html.escape(note)}.</p>\n" for note in comparison.notes)
    if not comparison.pairs:
        yield "<p>Nothing differs.</p>\n"
    tags = {" ": ("", ""), "-": ("<del>", "</del>"), "+": ("<ins>", "</ins>")}
    for pair in comparison.pairs:
        yield f"<h2>{html.escape(pair.name)}</h2>\n<p>{html.escape(pair.folder)}: {_what(pair)}</p>\n"
        for path, (old, new) in pair.files.items():
            yield f"<h3>{html.escape(path)}</h3>\n<pre>"
            for mark, text in word_parts(old or "", new or ""):
                yield tags[mark][0] + html.escape(text) + tags[mark][1]
            yield "</pre>\n"
    yield "</body></html>\n"


def word_parts(old: str, new: str) -> Iterator[Part]:
    """The new text with what was removed from the old one, word by word. Equal lines far from a change are left out:
    a line of `…` stands for them."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    last = len(before)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            head = 0 if start == 0 else _CONTEXT
            tail = 0 if end == last and new_end == len(after) else _CONTEXT
            if end - start > head + tail:
                yield " ", "".join([*before[start : start + head], "…\n", *before[end - tail : end]])
            else:
                yield " ", "".join(before[start:end])
        else:
            yield from _words("".join(before[start:end]), "".join(after[new_start:new_end]))


def _words(old: str, new: str) -> Iterator[Part]:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            yield " ", "".join(before[start:end])
            continue
        if end > start:
            yield "-", "".join(before[start:end])
        if new_end > new_start:
            yield "+", "".join(after[new_start:new_end])


def _what(pair: Pair) -> str:
    return "new" if pair.old is None else "gone" if pair.new is None else "changed"


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)
