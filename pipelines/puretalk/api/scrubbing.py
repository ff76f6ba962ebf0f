"""Texts that people may see: without the key, which an answer may echo, and safe for a terminal."""

from __future__ import annotations

import json
import logging
from urllib.parse import quote

EXCERPT = 80  # characters of a body that a message may quote


class Scrubber:
    """Removes one key from texts, in every form in which an answer may echo it."""

    def __init__(self, key: str) -> None:
        self._forms = written_forms(key)

    def scrub(self, text: str) -> str:
        """On one line, without the key and without characters that move a terminal's cursor."""
        text = self._hide_key(text)
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    def excerpt(self, body: bytes) -> str:
        """How a body begins, scrubbed; at most `EXCERPT` characters."""
        # Scrub before the cut: a key that was cut in two would not be found.
        for form in self._forms:
            body = body.replace(form.encode(), b"***")
        return self.scrub(body[:4096].decode(errors="replace"))[:EXCERPT]

    def holds_key(self, text: str) -> bool:
        """Whether the text shows the key in any of its forms."""
        return any(form in text for form in self._forms)

    def _hide_key(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, "***")
        return text


class LogScrubber(logging.Filter):
    """Removes the key from the lines of other packages' loggers, which may quote an address or a header unscrubbed."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the line is kept, its text may change."""
        text = record.getMessage()
        if self._scrubber.holds_key(text):
            record.msg, record.args = self._scrubber.scrub(text), ()
        return True


def written_forms(key: str) -> list[str]:
    """The key as it is, in a URL, as Python shows bytes, and in JSON, whose slashes may be escaped; longest first."""
    in_json = json.dumps(key)[1:-1]
    forms = {key, quote(key, safe=""), key.replace("\\", r"\\"), in_json, in_json.replace("/", r"\/")}
    return sorted(forms, key=len, reverse=True)
