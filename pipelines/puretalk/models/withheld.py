"""The rules of the audit that cannot judge, because the policy (docs/privacy.md) withholds what they read.

Without this, a rule would report of the whole fleet that its prompts are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from puretalk.database import quote_literal
from puretalk.privacy.policy import Group, Treatments

#: Rules that search in all texts: they search in what is left.
_TEXT_RULES = (
    "no_variables_declared",
    "private_url_in_text",
    "secret_in_text",
    "undeclared_variable",
    "variable_case_mismatch",
)
#: Rules that need the texts of a group.
_NEED: Mapping[Group, tuple[str, ...]] = {
    "emails": ("email_in_prompt",),
    "phone_numbers": ("phone_number_in_prompt", "shared_phone_number"),
    "prompts": (
        "email_in_prompt",
        "empty_prompt",
        "empty_state",
        "oversize_prompt",
        "phone_number_in_prompt",
        "unused_variable",
    ),
    "begin_messages": ("empty_begin_message", "recording_without_notice", "unused_variable"),
}
#: Rules that need to know whether two users are the same; they do not under `drop` alone.
_NEED_USERS = ("cloned_voice_of_another_owner",)


@dataclass(frozen=True)
class WithheldRule:
    """A rule that does not judge, or does so in part (`is_run`), and why."""

    rule: str
    is_run: bool
    reason: str


def find_withheld(treatments: Treatments) -> tuple[WithheldRule, ...]:
    """The rules to which a policy leaves nothing, or not all, to read; each once, sorted."""
    found: dict[str, WithheldRule] = {}
    for group, rules in _NEED.items():
        treatment = treatments.get(group, "keep")
        if treatment == "keep":
            continue
        setting = f"privacy_{group} = {treatment}"
        for rule in rules:
            found.setdefault(rule, WithheldRule(rule, False, f"The rule did not run: {setting}."))
        if group in ("prompts", "begin_messages"):
            for rule in _TEXT_RULES:
                found.setdefault(rule, WithheldRule(rule, True, f"The rule searched the other fields only: {setting}."))
    if treatments.get("user") == "drop":
        for rule in _NEED_USERS:
            found[rule] = WithheldRule(rule, False, "The rule did not run: privacy_user = drop.")
    return tuple(found[rule] for rule in sorted(found))


def select_withheld(rules: tuple[WithheldRule, ...]) -> str:
    """The SELECT of `intermediate.int_withheld_rules`."""
    rows = ",\n    ".join(
        f"({quote_literal(each.rule)}, {str(each.is_run).lower()}, {quote_literal(each.reason)})" for each in rules
    )
    return f"select rule, is_run, reason\nfrom (values\n    {rows}\n) as rules (rule, is_run, reason)"
