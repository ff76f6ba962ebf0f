"""The policy: what happens to the texts of people, group by group. Pure; docs/privacy.md says what it reaches.

    Policy({"emails": "hash", "prompts": "drop"}, secret)

Where there is no policy, there is None in its place, and nothing is computed.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, cast, get_args

from puretalk.json_values import JSONObject, canonical_json, hash_text

#: What happens to a text. A later one of this list leaves less of it.
Treatment = Literal["keep", "hash", "mask", "drop"]
#: What a text is. `user` is the object `user` as a whole.
Group = Literal["emails", "names", "phone_numbers", "prompts", "begin_messages", "user"]
Treatments: TypeAlias = "Mapping[Group, Treatment]"

TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True)
class Policy:
    """Treatments by group, the secret that keys all hashes, and the people who are forgotten: keyed hashes of users,
    and lengths and keyed hashes of their names and pictures.

    A policy that keeps everything still recognises content hashes that another one wrote."""

    treatments: Treatments
    secret: bytes = field(repr=False)
    forgotten: frozenset[str] = frozenset()
    forgotten_texts: frozenset[tuple[int, str]] = frozenset()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def of(self, group: Group) -> Treatment:
        """What happens to texts of this group."""
        return self.treatments.get(group, "keep")

    def of_user(self, group: Group) -> Treatment:
        """What happens to such a text in `user`: what leaves less of it, of the group's treatment and of `user`."""
        return max(self.of(group), self.of("user"), key=TREATMENTS.index)

    @cached_property
    def is_on(self) -> bool:
        """Whether any group is not kept. Content hashes are keyed then."""
        return any(self.of(group) != "keep" for group in GROUPS)

    @cached_property
    def hides_users(self) -> bool:
        """Whether a text of `user` is not kept. The keys of users are keyed then: they are made from these texts."""
        return any(self.of_user(group) != "keep" for group in ("emails", "names"))

    @cached_property
    def forgotten_lengths(self) -> tuple[int, ...]:
        """Lengths of the texts of people who are forgotten."""
        return tuple(sorted({length for length, _ in self.forgotten_texts}, reverse=True))

    @cached_property
    def stored(self) -> str | None:
        """The policy as a snapshot names it: the treatments, and a mark of the secret. None where all is kept."""
        if not self.is_on:
            return None
        kept: JSONObject = {group: self.of(group) for group in GROUPS}
        return canonical_json({**kept, "secret": self.mark})

    @cached_property
    def mark(self) -> str:
        """Tells one secret from another."""
        return self.mac("mark", "")[:8]

    @cached_property
    def fingerprint(self) -> str:
        """Changes with everything that makes a record read otherwise."""
        return hash_text(
            canonical_json([self.stored, self.mark, *sorted(self.forgotten), *sorted(map(str, self.forgotten_texts))])
        )[:16]

    def mac(self, purpose: str, text: str) -> str:
        """HMAC-SHA256 (hex) of a text. One purpose's hashes say nothing about another's."""
        return self.mac_bytes(purpose, text.encode("utf-8", "surrogatepass")).hex()

    def mac_bytes(self, purpose: str, content: bytes) -> bytes:
        """HMAC-SHA256 of bytes."""
        return hmac.digest(self.secret, purpose.encode() + b"\0" + content, "sha256")

    def hash_content(self, text: str) -> str:
        """The content hash of a canonical JSON text; keyed where the policy is on, because a short one is guessable."""
        return self.mac("content", text) if self.is_on else hash_text(text)

    def since(self, earlier: Treatments) -> Policy:
        """The policy for texts that are stored under an earlier one: what that one did is not undone."""
        return Policy({group: _since(earlier.get(group, "keep"), self.of(group)) for group in GROUPS}, self.secret)


def _since(earlier: Treatment, now: Treatment) -> Treatment:
    if earlier == "keep" or now == "drop":
        return now
    return now if (earlier, now) == ("hash", "mask") else "keep"


def read_treatments(texts: Mapping[str, str]) -> Treatments:
    """Treatments by group. Raises KeyError or ValueError for what is none."""
    return {group: TREATMENTS[TREATMENTS.index(cast(Treatment, texts[group]))] for group in GROUPS}


@dataclass(frozen=True)
class StoredPolicy:
    """The policy that a snapshot names. `mark` is that of its secret, `text` is how the snapshot names it."""

    treatments: Treatments
    mark: str
    text: str


def read_stored(text: str | None) -> StoredPolicy | None:
    """The policy that a snapshot names; None where it keeps everything."""
    if text is None:
        return None
    value: dict[str, str] = json.loads(text)
    return StoredPolicy({group: cast(Treatment, value.get(group, "keep")) for group in GROUPS}, value["secret"], text)
