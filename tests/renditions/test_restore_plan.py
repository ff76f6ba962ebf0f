"""A restore plan leads back: what it says, applied to what is, gives what was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.history import Month

from puretalk.renditions.places import Place, find_place, read_fleet
from puretalk.renditions.restore_plan import PATCH_FIELDS, RestorePlan, describe_plan, plan_restore

MOMENT = datetime(2026, 3, 3, tzinfo=UTC)


def place(config: dict[str, Any]) -> Place:
    return Place("a1", "front-desk-a1", config, MOMENT, None, None)


def apply(plan: RestorePlan) -> dict[str, Any]:
    """What the API would hold after the body was sent and the rest typed in."""
    result = {**plan.now.config}
    for field, value in plan.body.items():
        is_text = field in ("voice_stability", "voice_clarity_similarity") and isinstance(value, str)
        result[field] = json.loads(value) if is_text and isinstance(value, str) else value
    for field, (value, _) in plan.by_hand.items():
        result.pop(field, None)
        if value is not None:
            result[field] = json.loads(value)
    return result


_CONFIGS = st.dictionaries(
    st.sampled_from(["prompt", "voice_boost", "tools", "llm_states", "voice_id", "variables", "name"]),
    st.sampled_from([None, False, True, 0, 1, 0.5, "", "a", "0", [], [0], {"a": 1}]),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(_CONFIGS, _CONFIGS)
def test_a_plan_leads_from_any_version_to_any_other(now: dict[str, Any], then: dict[str, Any]) -> None:
    assert json.dumps(apply(plan_restore(place(now), place(then))), sort_keys=True) == json.dumps(then, sort_keys=True)


def test_every_plan_of_a_month_leads_back(month: Month) -> None:
    first = month.seen[0][0]
    with duckdb.connect(str(month.path), read_only=True) as connection:
        fleet = read_fleet(connection, first)
        for assistant_id, then in fleet.items():
            now = find_place(connection, assistant_id)
            plan = plan_restore(now, then)
            assert apply(plan) == then.config
            assert plan.body.keys() <= set(PATCH_FIELDS)
            assert plan.is_deleted == (assistant_id not in month.seen[-1][1])


def test_a_plan_says_what_to_type_and_what_the_api_cannot_set() -> None:
    now = place({"prompt": "New", "voice_stability": 0.7, "voice_id": "v2", "tools": "[]", "variables": ["x"]})
    then = place({"prompt": "Old", "voice_stability": 0.5, "voice_id": "v1", "tools": "[1]"})
    text = "\n".join(describe_plan(plan_restore(now, then), MOMENT))
    assert 'PATCH /ai-assistants/a1\n{\n  "prompt": "Old",\n  "voice_stability": "0.5"\n}' in text
    assert '- tools: the API documents no way to set it; set it in PureTalk\n  then: "[1]"' in text
    assert "- variables: the API documents no way to set it; set it in PureTalk\n  then: (no such field)" in text
    assert "- voice_id: PATCH takes `voice` as a number" in text
    assert "Nothing differs." in "\n".join(describe_plan(plan_restore(now, now), MOMENT))
    gone = replace(now, ended_at=MOMENT)
    assert "The assistant is deleted" in "\n".join(describe_plan(plan_restore(gone, then), MOMENT))
