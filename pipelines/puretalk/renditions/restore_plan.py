"""What to type back into PureTalk so that an assistant is again what it was. It sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from puretalk.json_values import JSONObject, JSONValue, canonical_json
from puretalk.renditions.places import Place

#: The fields that `PATCH /ai-assistants/{assistant_id}` is documented to take, beside `voice`, whose number the list
#: does not show.
PATCH_FIELDS = (
    "name",
    "prompt",
    "begin_message",
    "who_speaks_first",
    "model",
    "call_recording_enabled",
    "assistant_type",
    "avatar",
    "custom_knowledge_base",
    "timezone",
    "reminder_message_frequency",
    "max_reminder_messages",
    "voice_stability",
    "voice_clarity_similarity",
    "voice_stream_latency_optimization",
    "voice_boost",
    "chatbot_logo",
    "chatbot_accent_color",
    "chatbot_faq",
)
#: Fields that PATCH takes as text, whatever the list shows.
_AS_TEXT = frozenset({"voice_stability", "voice_clarity_similarity"})
_MISSING = "(no such field)"
#: Why a field is not in the body, and what a person can do.
_BY_HAND = {
    "voice_id": "PATCH takes `voice` as a number that the list does not show; choose the voice in PureTalk",
    "llm_states": "states are written one by one: POST /ai-assistants/llm-states/{id}, and removed with "
    "DELETE /ai-assistants/delete-llm-states",
    "user_id": "the API documents no way to give an assistant another owner",
}
_NO_WAY = "the API documents no way to set it; set it in PureTalk"


@dataclass(frozen=True)
class RestorePlan:
    """`body`: what PATCH would take. `by_hand`: field → (its value then or None where it had none, why by hand)."""

    now: Place
    then: Place
    is_deleted: bool
    body: JSONObject
    by_hand: dict[str, tuple[str | None, str]]


def plan_restore(now: Place, then: Place) -> RestorePlan:
    """What differs between the last version and the one to return to. Pure."""
    body: JSONObject = {}
    by_hand: dict[str, tuple[str | None, str]] = {}
    for field in sorted(now.config.keys() | then.config.keys()):
        if _text(now.config, field) == _text(then.config, field):
            continue
        if field in PATCH_FIELDS and field in then.config:
            body[field] = _as_patch_takes_it(field, then.config[field])
        else:
            by_hand[field] = (_text(then.config, field), _BY_HAND.get(field, _NO_WAY))
    return RestorePlan(now, then, now.ended_at is not None, body, by_hand)


def describe_plan(plan: RestorePlan, moment: datetime) -> Iterator[str]:
    """The plan in lines of text."""
    assistant_id = plan.now.assistant_id
    yield f"To return {assistant_id} to what it was at {moment:%Y-%m-%d %H:%M:%S}Z"
    yield f"(observed {plan.then.observed_at:%Y-%m-%d %H:%M:%S}Z). puretalk sends nothing."
    if plan.is_deleted:
        yield ""
        yield "The assistant is deleted: create a new one in PureTalk, which gets another id."
        yield "What follows is only what differs from its last version; `puretalk show` prints all of it."
    if not plan.body and not plan.by_hand:
        yield ""
        yield "Nothing differs."
    if plan.body:
        yield ""
        yield f"PATCH /ai-assistants/{assistant_id}"
        yield msgspec.json.format(canonical_json(plan.body), indent=2)
    if plan.by_hand:
        yield ""
        yield "By hand:"
        for field, (value, reason) in plan.by_hand.items():
            yield f"- {field}: {reason}"
            yield f"  then: {_MISSING if value is None else value}"


def _as_patch_takes_it(field: str, value: JSONValue) -> JSONValue:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return canonical_json(value) if field in _AS_TEXT and is_number else value


def _text(config: JSONObject, field: str) -> str | None:
    """The value as canonical JSON, for which 0 and false differ; None where there is no such field."""
    return canonical_json(config[field]) if field in config else None
