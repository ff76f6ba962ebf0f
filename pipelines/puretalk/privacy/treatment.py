"""A record under a policy. Pure: the record is never changed.

    {"user": {"name": "Ada King", "email": "ada@example.org"}, "prompt": "Write to ada@example.org.", …}
    → emails hash, names mask:
    {"user": {"name": "A*** K***", "email": "email_5f0c…"}, "prompt": "Write to email_5f0c….", …}

It does not depend on what is documented, because unknown fields and records that cannot be used are treated too:

- A field belongs to a group by its name, at any depth: `email`, `contact_email`, `phone_number`, `prompt` …
- What has the form of an e-mail address or of a phone number is treated wherever it stands in a text.
- The e-mail address, the name and the phone number of a record are treated in all its other texts too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from puretalk.json_values import JSONObject, JSONValue, canonical_json
from puretalk.privacy.policy import TREATMENTS, Group, Policy, Treatment

#: In place of a part of a text that is dropped.
DROPPED = "[dropped]"

# Bounded, so that no text takes quadratic time.
EMAIL = re.compile(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}\w{2,63}")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+|00)[1-9]\d{0,2}[ ()./-]{0,2}\d[\d ()./-]{5,14}\d"
    r"|\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4})(?![\w-])"
)
#: A name of a field, in lower case and without other characters → its group.
_BY_NAME: tuple[tuple[re.Pattern[str], Group], ...] = (
    (re.compile(r"email|mailaddress"), "emails"),
    (re.compile(r"phone|mobilenumber"), "phone_numbers"),
    (re.compile(r"beginmessage"), "begin_messages"),
    (re.compile(r"prompt"), "prompts"),
    (re.compile(r"(?:first|last|full|sur|user|owner|contact|display)name"), "names"),
)
#: Objects that are a person.
_PERSONS = ("user", "owner")
#: Groups whose treatment reaches the texts of an object under such a name too.
_WHOLE: tuple[Group, ...] = ("prompts", "begin_messages", "user")
_TOKENS: Mapping[Group, str] = {
    "emails": "email",
    "names": "name",
    "phone_numbers": "phone",
    "prompts": "prompt",
    "begin_messages": "begin_message",
    "user": "user",
}
#: A shorter text is not looked for in others: it would be found everywhere.
_SHORTEST = 3


def treat_record(record: JSONValue, policy: Policy) -> JSONValue:
    """A record as the policy lets it be stored. The record may be any JSON value; the text of one that cannot be read
    is dropped whole, because nobody can tell what it holds."""
    if isinstance(record, str):
        return DROPPED
    if not isinstance(record, dict):
        return _Texts(policy, {}).treat(record)
    treated = _Texts(policy, _own_values(record, policy)).treat_object(record)
    _keep_id(record, treated, "assistant_id")
    voice, treated_voice = record.get("voice"), treated.get("voice")
    if isinstance(voice, dict) and isinstance(treated_voice, dict):
        _keep_id(voice, treated_voice, "voice_id")
    return treated


def treat_config(config: JSONObject, policy: Policy, owner: JSONValue) -> JSONObject:
    """A stored configuration as the policy lets it be stored; `owner` is the user whose id it holds."""
    treated = _Texts(policy, _own_values({**config, "user": owner}, policy)).treat_object(config)
    for name in ("assistant_id", "user_id", "voice_id"):
        _keep_id(config, treated, name)
    return treated


def treat_user(value: JSONValue, policy: Policy) -> JSONValue:
    """The object `user` as the policy lets it be stored; None where nothing of it may."""
    return _Texts(policy, {}).treat_person(value)


def treat_whole(text: str, group: Group, treatment: Treatment, policy: Policy) -> str | None:
    """A text that is of the group as a whole."""
    if treatment == "keep" or not text:
        return text
    if treatment == "hash":
        return f"{_TOKENS[group]}_{policy.mac(f'hash {group}', normalize(text, group))[:24]}"
    return _mask(text, group) if treatment == "mask" else None


def normalize(text: str, group: Group) -> str:
    """The form in which two spellings of one address or number are equal."""
    if group == "emails":
        return text.strip().lower()
    if group == "phone_numbers":
        digits = re.sub(r"\D", "", text)
        return digits.removeprefix("00") or text.strip()
    return text.strip()


def _mask(text: str, group: Group) -> str:
    if group == "emails":
        name, at, domain = text.strip().rpartition("@")
        return f"{name[:1]}***@{domain}" if at else "***"
    if group == "names":
        return " ".join(f"{word[:1]}***" for word in text.split())
    if group == "phone_numbers":
        return f"***{re.sub(r'[^0-9]', '', text)[-2:]}"
    return f"*** ({len(text)} characters)" if group in ("prompts", "begin_messages") else "***"


def find_group(name: str) -> Group | None:
    """The group of a field, by its name."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return next((group for pattern, group in _BY_NAME if pattern.search(plain)), None)


def find_values(texts: Mapping[str, object]) -> re.Pattern[str] | None:
    """Finds these texts, as whole words and in any case; None where there are none."""
    found = sorted((text.strip() for text in texts if len(text.strip()) >= _SHORTEST), key=len, reverse=True)
    if not found:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, found))})(?!\w)", re.IGNORECASE)


def _own_values(record: JSONObject, policy: Policy) -> dict[str, tuple[Group, Treatment]]:
    """Texts of this record that are treated in all its other texts."""
    values: dict[str, tuple[Group, Treatment]] = {}

    def add(value: JSONValue, group: Group, treatment: Treatment) -> None:
        if isinstance(value, str) and treatment != "keep":
            values[value] = (group, treatment)

    for name in _PERSONS:
        person = record.get(name)
        if isinstance(person, dict):
            for field_name, value in person.items():
                group = _group_in_person(field_name)
                add(value, group, policy.of_user(group))
    add(record.get("phone_number"), "phone_numbers", policy.of("phone_numbers"))
    return values


def _group_in_person(name: str) -> Group:
    group = "names" if name == "name" else find_group(name)
    return group if group in ("emails", "names", "phone_numbers") else "user"


def _keep_id(record: JSONObject, treated: JSONObject, name: str) -> None:
    """Ids of the API name rows: they stay as they are."""
    if isinstance(record.get(name), str):
        treated[name] = record[name]


class _Texts:
    """Treats values; `values` are texts that are treated wherever they stand."""

    def __init__(self, policy: Policy, values: Mapping[str, tuple[Group, Treatment]]) -> None:
        self._policy = policy
        self._values = {text.strip().lower(): found for text, found in values.items()}
        self._find_values = find_values(values)
        self._hides = {group: policy.of(group) != "keep" for group in ("emails", "phone_numbers")}

    def treat(self, value: JSONValue, group: Group | None = None, treatment: Treatment = "keep") -> JSONValue:
        """A value of any kind. `group`: what its texts are. One call a level: records may be nested deeply."""
        if isinstance(value, str):
            return self._treat_text(value) if group is None else treat_whole(value, group, treatment, self._policy)
        if isinstance(value, list):
            items: list[JSONValue] = []
            for each in value:
                items.append(self.treat(each, group, treatment))
            return items
        if isinstance(value, dict):
            inherited = group if group in _WHOLE else None
            treated: JSONObject = {}
            for name, each in value.items():
                kept = self._treat_text(name)
                while kept in treated or (kept != name and kept in value):  # two names may become equal
                    kept += "_"
                if name in _PERSONS:
                    treated[kept] = self.treat_person(each)
                    continue
                found = find_group(name)
                found_treatment: Treatment = self._policy.of(found) if found else "keep"
                if found_treatment == "keep":
                    found, found_treatment = inherited, treatment
                treated[kept] = self.treat(each, found, found_treatment)
            return treated
        if group is not None and group not in ("prompts", "begin_messages") and type(value) in (int, float):
            return treat_whole(canonical_json(value), group, treatment, self._policy)
        return value

    def treat_object(self, value: JSONObject) -> JSONObject:
        treated = self.treat(value)
        assert isinstance(treated, dict)
        return treated

    def treat_person(self, value: JSONValue) -> JSONValue:
        policy = self._policy
        if policy.of("user") == "drop":
            return None
        if not isinstance(value, dict):
            hidden = max(policy.of_user("emails"), policy.of_user("names"), key=TREATMENTS.index)
            return self.treat(value, None if hidden == "keep" else "user", hidden)
        treated: JSONObject = {}
        for name, each in value.items():
            group = _group_in_person(name)
            treatment = policy.of_user(group)
            treated[self._treat_text(name)] = self.treat(each, None if treatment == "keep" else group, treatment)
        return treated

    def _treat_text(self, text: str) -> str:
        if self._find_values is not None:
            text = self._find_values.sub(self._replace_value, text)
        if self._hides["emails"] and "@" in text:
            text = EMAIL.sub(lambda match: self._replace(match[0], "emails", self._policy.of("emails")), text)
        if self._hides["phone_numbers"]:
            text = _PHONE.sub(
                lambda match: self._replace(match[0], "phone_numbers", self._policy.of("phone_numbers")), text
            )
        return text

    def _replace_value(self, match: re.Match[str]) -> str:
        # In some languages a text has other letters in lower case than the text that it equals in any case.
        found = self._values.get(match[0].lower()) or next(iter(self._values.values()))
        return self._replace(match[0], *found)

    def _replace(self, text: str, group: Group, treatment: Treatment) -> str:
        treated = treat_whole(text, group, treatment, self._policy)
        return DROPPED if treated is None else treated
