"""Texts and records without the API key or another secret, in whichever spelling.

    Scrubber("sk-0123456789abcdef").hide("?key=SK-01234567…")  →  "?key=***…"

A spelling is the text itself in upper or lower case, with characters escaped (\\u0041, \\x41, %41, &#65;), or with
blanks or invisible characters in between; or its base64 or hexadecimal form. A text that people may see shares no eight
characters with the key in any of them. A record that is stored loses the whole key, and only that: eight characters of
a key, such as a known prefix, may stand in a prompt.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "***"
EXCERPT = 80  # characters of a body that a message may quote
PART = 8  # characters of the key that no message may share with it

#: What everybody may read: a key that begins with `puretalk_` must not hide the name of the product everywhere.
_PUBLIC = "https://api.puretalk.ai/api/ai-assistants puretalk_api_key x-api-key"

_ESCAPED = re.compile(
    r"\\+(?:u00|x)([2-7][0-9a-f])|%([2-7][0-9a-f])|&#x0*([2-7][0-9a-f]);?|&#0*(1[0-2][0-9]|[3-9][0-9]);?|\\+(?=[\"'/\\])",
    re.IGNORECASE,
)
#: What a serialiser writes for a character that a key can hold. HTML's entities are left out: each search costs time.
_TRACES = (re.compile(rb"u00[2-7]"), re.compile(rb"%[2-7][0-9a-f]"))
_ESCAPED_BYTES = re.compile(rb"\\+u00([2-7][0-9a-f])|%([2-7][0-9a-f])|\\+(?=[\"/\\])")
#: Escaped twice or three times: `%2541` is `%41` is `A`.
_LAYERS = 3


class Scrubber:
    """Hides the key, in parts too, and other secrets where they are whole."""

    def __init__(self, key: str = "", *others: str) -> None:
        secrets = [other for other in others if other]
        self._parts = frozenset(_parts(key))
        self._key_forms = tuple(_forms(key)) if key else ()
        self._whole_forms = (*self._key_forms, *(form for secret in secrets for form in _forms(secret)))
        self._key_bytes = tuple(form.encode() for form in self._key_forms)
        # JSON may escape these; where the key has none, the many escaped line ends and quotes of a prompt say nothing.
        self._traces = (*_TRACES, re.compile(rb"\\")) if re.search(r'["/\\]', key) else _TRACES

    def hide(self, text: str) -> str:
        """The text without a secret."""
        return self._hide(text, self._whole_forms, self._parts)

    def hide_deeply(self, value: Any) -> Any:
        """The same for a mapping, a list, and what is in them."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(str(name)): self.hide_deeply(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_deeply(item) for item in value]
        return value if value is None or isinstance(value, int | float) else self.hide(str(value))

    def scrub(self, text: str) -> str:
        """The text without a secret, on one line, without characters that a terminal would obey."""
        return " ".join("".join(c if c.isprintable() else " " for c in self.hide(text)).split())

    def excerpt(self, body: bytes) -> str:
        """How a body begins, scrubbed; at most `EXCERPT` characters."""
        # Scrub before the cut: a key that was cut in two would not be found.
        return self.scrub(body[:4096].decode(errors="replace"))[:EXCERPT]

    def holds_secret(self, text: str) -> bool:
        """Whether `hide` would change the text."""
        return next(self._places(text, self._whole_forms, self._parts), None) is not None

    def holds_key(self, body: bytes) -> bool:
        """Whether JSON text in UTF-8 may hold the whole key, in any case, escaped, percent-encoded, in base64 or in
        hexadecimal. It searches bytes: of a first sync of 10,000 assistants, that takes a hundredth of the CPU time."""
        if not self._key_bytes:
            return False
        plain = body.lower()
        for _ in range(_LAYERS):
            if any(form in plain for form in self._key_bytes):
                return True
            if not any(trace.search(plain) for trace in self._traces):
                return False
            plain = _ESCAPED_BYTES.sub(_meant_byte, plain).lower()
        return any(form in plain for form in self._key_bytes)

    def redact(self, value: Any) -> tuple[Any, bool]:
        """The JSON value without the whole key, also in names and numbers; and whether it held it. Nothing else is
        changed, and nothing is dropped."""
        if isinstance(value, str):
            text = self._hide(value, self._key_forms, frozenset())
            return text, text != value
        is_changed = False
        if isinstance(value, list):  # one call for each level: a record may have hundreds
            items = []
            for item in value:
                new_item, held = self.redact(item)
                items.append(new_item)
                is_changed = is_changed or held
            return items, is_changed
        if isinstance(value, dict):
            result: dict[str, Any] = {}
            for name, item in value.items():
                new_name = self._hide(name, self._key_forms, frozenset())
                held_in_name = new_name != name
                while held_in_name and (new_name in value or new_name in result):
                    new_name += HIDDEN  # two names may differ only in how they spell the key
                result[new_name], held = self.redact(item)
                is_changed = is_changed or held or held_in_name
            return result, is_changed
        if isinstance(value, int | float) and not isinstance(value, bool):
            is_held = any(form in f"{value}" for form in self._key_forms)
            return (HIDDEN if is_held else value), is_held
        return value, False

    def _hide(self, text: str, forms: Iterable[str], parts: frozenset[str]) -> str:
        pieces, end = [], 0
        for start, stop in _joined(self._places(text, forms, parts)):
            pieces += [text[end:start], HIDDEN]
            end = stop
        return "".join([*pieces, text[end:]]) if pieces else text

    def _places(self, text: str, forms: Iterable[str], parts: frozenset[str]) -> Iterator[tuple[int, int]]:
        """Where a secret, or a part of the key, begins and ends in the text."""
        plain, places = _spell_out(text)
        if parts:
            for at in range(len(plain) - PART + 1):
                if plain[at : at + PART] in parts:
                    yield places[at][0], places[at + PART - 1][1]
        for form in forms:
            at = plain.find(form)
            while at >= 0:
                yield places[at][0], places[at + len(form) - 1][1]
                at = plain.find(form, at + 1)


class LogScrubber(logging.Filter):
    """Removes the key from the lines of other packages' loggers, which may quote an address or a header unscrubbed."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the line is kept, its text may change."""
        text = record.getMessage()
        if self._scrubber.holds_secret(text):
            record.msg, record.args = self._scrubber.scrub(text), ()
        return True


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places in their order; those that touch or overlap are one."""
    start = stop = -1
    for each_start, each_stop in sorted(places):
        if each_start > stop:
            if stop > start:
                yield start, stop
            start, stop = each_start, each_stop
        else:
            stop = max(stop, each_stop)
    if stop > start:
        yield start, stop


def _spell_out(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text in lower case, with what its escapes mean and without blanks and invisible characters; and of each of
    its characters the place in the text, from where to where."""
    plain, places = text, [(at, at + 1) for at in range(len(text))]
    for _ in range(_LAYERS):
        if not any(mark in plain for mark in "\\%&"):
            break
        pieces: list[str] = []
        kept: list[tuple[int, int]] = []
        end = 0
        for found in _ESCAPED.finditer(plain):
            meant = _meant(found)
            pieces += [plain[end : found.start()], meant]
            kept += places[end : found.start()]
            if meant:
                kept.append((places[found.start()][0], places[found.end() - 1][1]))
            end = found.end()
        if not pieces:
            break
        plain, places = "".join([*pieces, plain[end:]]), [*kept, *places[end:]]
    if not plain.isprintable() or " " in plain:
        seen = [(c, place) for c, place in zip(plain, places, strict=True) if c.isprintable() and not c.isspace()]
        plain, places = "".join(c for c, _ in seen), [place for _, place in seen]
    lower = plain.lower()
    # A few letters have another length in lower case; no key holds one.
    return (lower if len(lower) == len(plain) else "".join(c.lower()[:1] for c in plain)), places


def _meant(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    return chr(int(digits, 16)) if digits else chr(int(found[4])) if found[4] else ""


def _meant_byte(found: re.Match[bytes]) -> bytes:
    digits = found[1] or found[2]
    return bytes([int(digits, 16)]) if digits else b""


def _forms(secret: str) -> list[str]:
    """The whole secret in its spellings, as `_spell_out` gives them. Three base64 forms: what stands before it decides
    which. A short secret has none, because a text would hold it by chance."""
    forms = [_spell_out(secret)[0], secret.lower()]
    raw = secret.encode(errors="replace")
    if len(raw) >= PART:
        forms.append(raw.hex())
        for before in range(3):
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                forms.append(encode(bytes(before) + raw).decode()[first:last].lower())
    return [*dict.fromkeys(form for form in forms if form)]


def _parts(key: str) -> Iterator[str]:
    """All parts of the key's spellings that are too long to be shown."""
    if len(key) >= PART:
        for form in _forms(key):
            yield from (part for at in range(len(form) - PART + 1) if (part := form[at : at + PART]) not in _PUBLIC)
