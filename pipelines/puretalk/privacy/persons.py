"""People whom `puretalk forget` removed. The data directory keeps a keyed hash of each, and no text.

While the API still shows such a person, a sync treats them as if the record had no user: see `remove_forgotten`.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from puretalk.errors import WarehouseError
from puretalk.json_values import JSONObject, JSONValue, canonical_json
from puretalk.privacy.policy import Policy
from puretalk.privacy.treatment import EMAIL, find_values

#: The file in the data directory.
FORGOTTEN_NAME = "forgotten.json"
#: In place of a text of a person.
FORGOTTEN = "[forgotten]"
#: A shorter name, or one of a single word, may be a word of the language: it is removed only where its person is.
_WORDS, _SHORTEST_NAME = 2, 6


@dataclass(frozen=True)
class Person:
    """The texts of one person. `emails`, `pictures` and `keys` (of users) are theirs alone; a name may be another's
    too."""

    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    @classmethod
    def of(cls, user: JSONObject) -> Person:
        """The person whom the object `user` shows."""
        return cls(*(_texts(user.get(name)) for name in ("email", "name", "dp")))

    def __or__(self, other: Person) -> Person:
        return Person(
            self.emails | other.emails,
            self.names | other.names,
            self.pictures | other.pictures,
            self.keys | other.keys,
        )

    @property
    def texts(self) -> frozenset[str]:
        """All that this person is known by."""
        return self.emails | self.names | self.pictures | self.keys

    def find(self, *, is_own: bool) -> re.Pattern[str] | None:
        """Finds the person's texts in what is theirs; in what is another's, only their keys: the rest is found by its
        hash there (`replace_text`), as a sync finds it."""
        return find_values(dict.fromkeys(self.texts if is_own else self.keys))

    def hash_texts(self, policy: Policy) -> frozenset[tuple[int, str]]:
        """Lengths and keyed hashes of what names the person in what is another's."""
        names = {name for name in self.names if len(name.split()) >= _WORDS and len(name) >= _SHORTEST_NAME}
        return frozenset((len(text), _hash_text(text, policy)) for text in names | self.pictures)


def _texts(value: JSONValue) -> frozenset[str]:
    return frozenset({value.strip()}) if isinstance(value, str) and value.strip() else frozenset()


def identify_user(user: JSONObject) -> str | None:
    """What names a user: the e-mail address; without one, name and picture. None when all are blank."""
    email, name, picture = user.get("email"), user.get("name"), user.get("dp")
    if isinstance(email, str) and email.strip():
        return email.strip().lower()
    if _texts(name) or _texts(picture):
        return " " + canonical_json([name, picture])  # a trimmed address never begins with a space
    return None


def hash_user_id(identity: str, policy: Policy) -> str:
    """The key of a user under a policy, and how the data directory names a person who is forgotten: nobody can find an
    address by trying."""
    return str(uuid.UUID(policy.mac("user", identity)[:32], version=5))


def remove_forgotten(record: JSONObject, policy: Policy) -> JSONObject | None:
    """The record without the people who are forgotten; None where it shows none of them."""
    user = record.get("user")
    identity = identify_user(user) if isinstance(user, dict) else None
    is_owner = identity is not None and hash_user_id(identity, policy) in policy.forgotten
    kept: JSONObject = {name: value for name, value in record.items() if not (name == "user" and is_owner)}
    person = Person.of(user) if is_owner and isinstance(user, dict) else Person()
    cleaned = replace_texts(kept, person.find(is_own=is_owner), policy)
    if not isinstance(cleaned, dict) or (not is_owner and cleaned == kept):
        return None
    cleaned["assistant_id"] = record.get("assistant_id")  # it names rows, and stays as it is
    return cleaned


def replace_texts(value: JSONValue, find: re.Pattern[str] | None, policy: Policy) -> JSONValue:
    """The value with FORGOTTEN in place of what `find` finds, and of what names a person who is forgotten."""
    if isinstance(value, str):
        return replace_text(value, find, policy)
    if isinstance(value, list):
        items: list[JSONValue] = []
        for each in value:  # no comprehension: records may be nested deeply
            items.append(replace_texts(each, find, policy))
        return items
    if isinstance(value, dict):
        cleaned: JSONObject = {}
        for name, each in value.items():
            cleaned[replace_text(name, find, policy)] = replace_texts(each, find, policy)
        return cleaned
    return value


def replace_text(text: str, find: re.Pattern[str] | None, policy: Policy) -> str:
    """The same for one text."""
    if find is not None:
        text = find.sub(FORGOTTEN, text)
    if "@" in text:
        text = EMAIL.sub(lambda match: FORGOTTEN if _is_forgotten(match[0], policy) else match[0], text)
    for length in policy.forgotten_lengths:
        text = _replace_of_length(text, length, policy)
    return text


def _is_forgotten(address: str, policy: Policy) -> bool:
    return hash_user_id(address.strip().lower(), policy) in policy.forgotten


def _replace_of_length(text: str, length: int, policy: Policy) -> str:
    """The text with FORGOTTEN in place of each part of this length, of whole words, whose hash is known."""
    parts = []
    done = 0
    for match in _WORD_START.finditer(text):
        start, end = match.start(), match.start() + length
        if start < done or end > len(text) or not _ends_word(text, end):
            continue
        if (length, _hash_text(text[start:end], policy)) in policy.forgotten_texts:
            parts += [text[done:start], FORGOTTEN]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _ends_word(text: str, end: int) -> bool:
    return end == len(text) or not (text[end].isalnum() or text[end] == "_")


def _hash_text(text: str, policy: Policy) -> str:
    return policy.mac("person text", text.lower())


_WORD_START = re.compile(r"\b\w")


@dataclass(frozen=True)
class Forgotten:
    """Who is forgotten: keyed hashes of users, and lengths and keyed hashes of their names and pictures."""

    users: frozenset[str] = frozenset()
    texts: frozenset[tuple[int, str]] = frozenset()

    def __or__(self, other: Forgotten) -> Forgotten:
        return Forgotten(self.users | other.users, self.texts | other.texts)


def read_forgotten(data_dir: Path) -> Forgotten:
    """Who is forgotten in this data directory. Raises WarehouseError where its file cannot be read."""
    path = data_dir / FORGOTTEN_NAME
    try:
        value = json.loads(path.read_text(encoding="ascii"))
        return Forgotten(
            frozenset(map(str, value["users"])),
            frozenset((int(length), str(hashed)) for length, hashed in value["texts"]),
        )
    except FileNotFoundError:
        return Forgotten()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WarehouseError(
            f"{path} cannot be read: {type(error).__name__}",
            action="Put it back from a backup: it says who must not come back. Without it, they do.",
        ) from error


def add_forgotten(data_dir: Path, added: Forgotten) -> Forgotten:
    """Keep these people forgotten; gives all who are."""
    known = read_forgotten(data_dir)
    kept = known | added
    if kept == known:
        return kept
    path = data_dir / FORGOTTEN_NAME
    temporary = path.with_name(f".{FORGOTTEN_NAME}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump({"users": sorted(kept.users), "texts": sorted(map(list, kept.texts))}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return kept
