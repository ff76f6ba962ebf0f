"""Claims about the audit under a policy: a rule that cannot read what it needs says so, and reports nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.storm import select, settings_for

from puretalk.demo import Account, DemoApi
from puretalk.models.audit import read_audit
from puretalk.models.withheld import find_withheld
from puretalk.privacy.policy import GROUPS, read_treatments
from puretalk.settings import PrivacySettings, Settings
from puretalk.sync.run import run_sync

pytestmark = pytest.mark.slow

_RULES = "SELECT rule, is_run, withheld_reason FROM marts.dim_finding_rules WHERE withheld_reason IS NOT NULL"


def _assistant(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "assistant_id": f"a{number}",
        "name": f"Desk {number}",
        "voice": {"voice_id": "v", "name": "Ann"},
        "timezone": "UTC",
        "prompt": "Be brief.",
        "begin_message": "Hello, this call is recorded.",
        "updated_at": "2026-03-01T10:00:00Z",
        **fields,
    }


ASSISTANTS = [
    _assistant(1, prompt=""),
    _assistant(2, begin_message="Hello.", call_recording_enabled=True),
    _assistant(3, variables=["city"]),
    _assistant(4, knowledge_base="The password: hunter2Hunter2"),
    _assistant(5, voice=None),
    _assistant(6, prompt="Be brief in {{city}}.", variables=["city"]),
]


def test_rules_that_cannot_read_do_not_run_and_their_findings_stay_unresolved(tmp_path: Path) -> None:
    with DemoApi(Account.of(ASSISTANTS)) as api:
        _check_rules(settings_for(tmp_path, api.base_url))


def _check_rules(settings: Settings) -> None:
    run_sync(settings)
    before = _findings(settings)
    assert before.keys() >= {
        "empty_prompt",
        "recording_without_notice",
        "unused_variable",
        "secret_in_text",
        "missing_voice",
    }
    private = PrivacySettings(privacy_prompts="drop", privacy_begin_messages="mask", privacy_phone_numbers="hash")
    hidden = replace(settings, privacy=private)
    run_sync(hidden)
    after = _findings(hidden)
    published = settings.data_dir / "puretalk.duckdb"
    rules = {rule: (is_run, reason) for rule, is_run, reason in select(published, _RULES)}
    not_run = {rule for rule, (is_run, _) in rules.items() if not is_run}
    assert not_run.isdisjoint(after)
    assert not_run >= {"empty_prompt", "empty_state", "recording_without_notice", "unused_variable", "oversize_prompt"}
    assert rules["empty_prompt"] == (False, "The rule did not run: privacy_prompts = drop.")
    assert rules["secret_in_text"] == (True, "The rule searched the other fields only: privacy_prompts = drop.")
    others = {rule: count for rule, count in before.items() if rule not in rules}
    assert others == {rule: count for rule, count in after.items() if rule not in rules}
    resolved = "SELECT DISTINCT rule FROM marts.fct_finding_history WHERE resolved_at IS NOT NULL"
    assert {rule for (rule,) in select(published, resolved)}.isdisjoint(not_run)
    run_sync(settings)
    assert _findings(settings) == before
    assert select(published, _RULES) == []


def _findings(settings: Settings) -> dict[str, Any]:
    query = "SELECT rule, count(*) FROM marts.rpt_config_findings GROUP BY rule ORDER BY rule"
    return dict(select(settings.data_dir / "puretalk.duckdb", query))


@pytest.mark.usefixtures("account")
def test_every_rule_that_is_withheld_exists(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path)
    assert read_audit(settings).withheld == ()
    known = (Path(__file__).parents[2] / "sql" / "marts" / "dim_finding_rules.sql").read_text()
    for group in GROUPS:
        for treatment in ("hash", "mask", "drop"):
            withheld = find_withheld(read_treatments({**dict.fromkeys(GROUPS, "keep"), group: treatment}))
            assert [each.rule for each in withheld if f"'{each.rule}'" not in known] == []
    assert find_withheld(read_treatments(dict.fromkeys(GROUPS, "keep"))) == ()
