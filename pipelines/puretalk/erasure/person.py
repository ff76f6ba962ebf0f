"""Who is meant by an e-mail address, a name or a user_id: looked for in every database of the data directory."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from puretalk.database import OFFLINE
from puretalk.endpoints.assistants.flatten import share_user
from puretalk.errors import UsageError
from puretalk.json_values import JSONObject
from puretalk.privacy.persons import Person, hash_user_id, identify_user
from puretalk.privacy.policy import Policy
from puretalk.privacy.treatment import EMAIL, treat_whole


@dataclass(frozen=True)
class Wanted:
    """A person who is to be forgotten. `hashes`: how the data directory names them from then on."""

    person: Person
    hashes: frozenset[str]


def find_wanted(said: str, databases: Iterable[Path], policy: Policy) -> Wanted:
    """The person whom `said` names. Raises UsageError where it names nobody, or several people."""
    said = said.strip()
    users = [user for path in databases for user in _read_users(path)]
    is_address = EMAIL.fullmatch(said) is not None
    # Of an address, all keys are known that a release or a policy gave its user.
    person = _of_address(said, policy) if is_address else Person(keys=frozenset({said}))
    hashes = {hash_user_id(said.lower(), policy)} if is_address else set()
    emails = {email.lower() for email in person.emails}
    found = [(key, user) for key, user in users if key in person.keys or _text(user, "email").lower() in emails]
    if not found and not is_address:
        found = [(key, user) for key, user in users if _text(user, "name").lower() == said.lower()]
        if len({_text(user, "email").lower() or key for key, user in found}) > 1:
            raise UsageError(f"{said!r} is the name of several users: say which by e-mail address or user_id")
        person = Person()
    if not found and not is_address:
        raise UsageError(f"no user has the name or user_id {said!r}: say the e-mail address")
    for key, user in found:
        person |= replace(Person.of(user), keys=frozenset({key}))
        identity = identify_user(user)
        if identity is not None and not _is_hidden(user):
            hashes.add(hash_user_id(identity, policy))
            person |= _of_address(identity, policy) if "@" in identity else Person()
        else:  # the key was made with the secret, from what the policy hides
            hashes.add(key)
    return Wanted(person, frozenset(hashes))


def _of_address(address: str, policy: Policy) -> Person:
    """An address, what stands in its place under a policy, and every key that its user can have."""
    token = treat_whole(address, "emails", "hash", policy) or address
    shared = share_user({"email": address})
    keys = [hash_user_id(address.lower(), policy), *([shared.key] if shared else [])]
    return Person(emails=frozenset({address}), keys=frozenset({token, *keys}))


def _is_hidden(user: JSONObject) -> bool:
    """Whether a policy hides the address."""
    return EMAIL.fullmatch(_text(user, "email")) is None


def _text(user: JSONObject, name: str) -> str:
    value = user.get(name)
    return value.strip() if isinstance(value, str) else ""


def _read_users(path: Path) -> list[tuple[str, JSONObject]]:
    """The users of a database by key; none where it has none, or cannot be read."""
    try:
        with closing(duckdb.connect(str(path), read_only=True, config=OFFLINE)) as connection:
            rows = connection.execute("SELECT user_id, name, dp, email FROM main.users").fetchall()
    except duckdb.Error:
        return []
    return [(key, {"name": name, "dp": picture, "email": email}) for key, name, picture, email in rows]
