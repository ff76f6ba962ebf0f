r"""Text for a terminal, which would obey some characters instead of showing them.

    escape_line("Desk\x1b]0;gone\x07\r\nState: all is well")  →  r"Desk\x1b]0;gone\x07\r\nState: all is well"

A name from the account may hold an escape sequence that hides a line, a carriage return that overwrites one, a line end
that begins one in puretalk's own words, or a mark that turns the direction of what follows.
"""

from __future__ import annotations

import re

#: C0, DEL and C1; soft hyphen; bidi marks, embeddings and isolates; invisible blanks and operators; line and paragraph
#: separators; half characters, which no stream can write; interlinear marks; tags. Joiners stay: emoji need them.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0001\U000e0020-\U000e007f]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escape_line(text: str) -> str:
    """The text on one line, with visible escapes for what a terminal would obey."""
    return _OBEYED.sub(lambda found: _escape(found[0]), text)


def escape_text(text: str) -> str:
    """The same for a text of several lines: line ends and tabs stay."""
    return _OBEYED.sub(lambda found: found[0] if found[0] in "\n\t" else _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    written = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(character, written)
