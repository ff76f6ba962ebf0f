"""People whom `puretalk forget` removed. The data directory keeps a keyed hash of each, and no text.

While the API still shows such a person, a sync treats them as if the record had no user: see `remove_forgotten`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
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
    """The texts of one person. `emails` and `pictures` are theirs alone; a `name` may be another's too."""

    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()

    @classmethod
    def of(cls, user: JSONObject) -> Person:
        """The person whom the object `user` shows."""
        return cls(*(_texts(user.get(name)) for name in ("email", "name", "dp")))

    def __or__(self, other: Person) -> Person:
        return Person(self.emails | other.emails, self.names | other.names, self.pictures | other.pictures)

    def find(self, *, is_own: bool) -> re.Pattern[str] | None:
        """Finds the person's texts. `is_own`: in what belongs to the person, where a name is not another's."""
        names = {name for name in self.names if is_own or (len(name.split()) >= _WORDS and len(name) >= _SHORTEST_NAME)}
        return find_values(dict.fromkeys(self.emails | names | self.pictures))


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


def hash_person(policy: Policy, identity: str) -> str:
    """How the data directory names a person who is forgotten."""
    return policy.mac("person", identity)


def remove_forgotten(record: JSONObject, policy: Policy) -> JSONObject | None:
    """The record without the people who are forgotten; None where it shows none of them."""
    user = record.get("user")
    identity = identify_user(user) if isinstance(user, dict) else None
    is_owner = identity is not None and hash_person(policy, identity) in policy.forgotten
    kept: JSONObject = {name: value for name, value in record.items() if not (name == "user" and is_owner)}
    person = Person.of(user) if is_owner and isinstance(user, dict) else Person()
    cleaned = replace_texts(kept, person.find(is_own=True), policy)
    if not isinstance(cleaned, dict) or (not is_owner and cleaned == kept):
        return None
    cleaned["assistant_id"] = record.get("assistant_id")  # it names rows, and stays as it is
    return cleaned


def replace_texts(value: JSONValue, find: re.Pattern[str] | None, policy: Policy) -> JSONValue:
    """The value with FORGOTTEN in place of what `find` finds, and of each e-mail address of a forgotten person."""
    if isinstance(value, str):
        return replace_text(value, find, policy)
    if isinstance(value, list):
        return [replace_texts(each, find, policy) for each in value]
    if isinstance(value, dict):
        return {replace_text(name, find, policy): replace_texts(each, find, policy) for name, each in value.items()}
    return value


def replace_text(text: str, find: re.Pattern[str] | None, policy: Policy) -> str:
    """The same for one text."""
    if find is not None:
        text = find.sub(FORGOTTEN, text)
    if "@" in text:
        text = EMAIL.sub(lambda match: FORGOTTEN if _is_forgotten(match[0], policy) else match[0], text)
    return text


def _is_forgotten(address: str, policy: Policy) -> bool:
    return hash_person(policy, address.strip().lower()) in policy.forgotten


def read_forgotten(data_dir: Path) -> frozenset[str]:
    """The keyed hashes of the people who are forgotten."""
    return frozenset(_read(data_dir))


def add_forgotten(data_dir: Path, hashes: Collection[str]) -> None:
    """Keep these people forgotten."""
    kept = _read(data_dir)
    added = dict.fromkeys(sorted(set(hashes) - kept.keys()), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if not added:
        return
    path = data_dir / FORGOTTEN_NAME
    temporary = path.with_name(f".{FORGOTTEN_NAME}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{json.dumps({**kept, **added}, indent=1)}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read(data_dir: Path) -> dict[str, str]:
    path = data_dir / FORGOTTEN_NAME
    try:
        value = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WarehouseError(
            f"{path} cannot be read: {type(error).__name__}",
            action="Put it back from a backup: it says who must not come back. Without it, they do.",
        ) from error
    if not isinstance(value, dict):
        raise WarehouseError(f"{path} is not a list that puretalk wrote", action="Put it back from a backup.")
    return {str(name): str(at) for name, at in value.items()}
