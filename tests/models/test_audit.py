"""The file accepted_findings: what it may say, and what is said about a wrong one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from puretalk.errors import ConfigurationError
from puretalk.models.audit import Acceptance, read_accepted


def test_an_entry_has_a_rule_and_a_reason_and_may_have_more(tmp_path: Path) -> None:
    path = tmp_path / "accepted.yml"
    path.write_text(
        """
- {rule: missing_voice, reason: It only writes.}
- rule: email_in_prompt
  assistant: 42
  place: llm_states *
  reason: "Ada's own: she may be written to."
  until: 2027-01-31
"""
    )
    assert read_accepted(path) == (
        Acceptance("missing_voice", "It only writes."),
        Acceptance("email_in_prompt", "Ada's own: she may be written to.", "42", "llm_states *", date(2027, 1, 31)),
    )
    path.write_text("# nothing yet\n")
    assert read_accepted(path) == ()


@pytest.mark.parametrize(
    ("text", "message", "action"),
    [
        ("rule: [", "accepted.yml is not readable as YAML: ", ""),
        ("rule: missing_voice", "accepted.yml is not a list of entries", "- {rule: missing_voice,"),
        ("- missing_voice", "accepted.yml: entry 1 has no keys", "- {rule: missing_voice,"),
        ("- {reason: r}", "accepted.yml: entry 1 has no rule", "- {rule: missing_voice,"),
        ("- {rule: missing_voice}", "accepted.yml: entry 1 has no reason", "reason: "),
        (
            "- {rule: missing_voice, reason: r}\n- {rule: missing_vioce, reason: r}",
            "accepted.yml: entry 2 names the rule 'missing_vioce', which does not exist",
            "missing_voice",
        ),
        ("- {rule: missing_voice, reason: ' '}", "accepted.yml: entry 1: reason is not a text", "Write reason"),
        ("- {rule: missing_voice, reason: r, assistant: [a]}", "entry 1: assistant is not a text", "leave it out"),
        ("- {rule: missing_voice, reason: r, till: 2027-01-01}", "entry 1 has the unknown key till", "until"),
        ("- {rule: missing_voice, reason: r, until: soon}", "until is 'soon', which is not a date", "2027-01-31"),
        ("- {rule: missing_voice, reason: r, until: 2027-01-01 10:00}", "which is not a date", "2027-01-31"),
    ],
)
def test_a_wrong_file_is_named_with_the_entry_and_what_to_do(
    tmp_path: Path, text: str, message: str, action: str
) -> None:
    path = tmp_path / "accepted.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_accepted(path)
    assert str(path) in raised.value.message
    assert message in raised.value.message
    assert action in raised.value.action
