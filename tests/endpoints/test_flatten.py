"""Claims about flattening: one record in, rows out, nothing lost on the way and nothing else touched."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import oracle
from support.warehouses import observe, open_warehouse

from puretalk.catalogue import TABLES
from puretalk.demo import Account
from puretalk.endpoints.assistants.flatten import (
    Flattened,
    RejectedRecordError,
    find_deviation,
    flatten_assistant,
    flatten_shared,
)
from puretalk.endpoints.assistants.stored import flatten_config, restate_config
from puretalk.endpoints.assistants.tables import ASSISTANTS, CHILD_TABLES, USERS, VOICES
from puretalk.endpoints.assistants.versions import CONTENT_HASHES
from puretalk.json_values import JSONObject, JSONValue, canonical_json, clean_record, hash_json, parse_json
from puretalk.schema import text_of

STATES = "assistant_llm_states"
TOOLS = "assistant_llm_state_tools"


def flatten(**fields: Any) -> Flattened:
    return flatten_assistant({"assistant_id": "a", **fields})


def rows(flat: Flattened, table: str) -> list[dict[str, Any]]:
    """Rows with every column of the table, as they land in the warehouse."""
    return [{column.name: row.get(column.name) for column in TABLES[table].columns} for row in flat.rows[table]]


def deep_tree(depth: int, **fields: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {"state_id": f"s{depth - 1}", **fields}
    for number in reversed(range(depth - 1)):
        tree = {"state_id": f"s{number}", "children": [tree]}
    return tree


# The shape


def test_a_record_becomes_these_rows() -> None:
    voice: JSONValue = {"voice_id": "v1", "name": "Anna", "is_cloned": False}
    user: JSONValue = {"name": "Ada", "dp": None, "email": " Ada@Example.com "}
    record: dict[str, JSONValue] = {
        "assistant_id": "a",
        "name": "Front desk",
        "user": user,
        "voice": voice,
        "variables": ["city", {"name": "zip", "value": 7}],
        "voice_emotion": ["calm"],
        "chatbot_whitelisted_domains": ["a.example"],
        "llm_states": [],
        "voice_speed": 1,
        "behavior": 3,
        "updated_at": "2026-01-02T03:04:05.6Z",
    }
    flat = flatten_assistant(record)
    assert flat.assistant == {
        "assistant_id": "a",
        "name": "Front desk",
        "user_id": "95194ccf-f52f-5088-9312-394778f51fa2",
        "voice_id": "v1",
        "voice_speed": 1.0,
        "behavior": 3,
        "updated_at": datetime(2026, 1, 2, 3, 4, 5, 600_000, UTC),
        "content_hash": flat.content_hash,
    }
    assert flat.rows == {
        "assistant_variables": [
            {"assistant_id": "a", "position": 0, "name": "city", "value": None, "item": '"city"'},
            {"assistant_id": "a", "position": 1, "name": "zip", "value": "7", "item": '{"name":"zip","value":7}'},
        ],
        "assistant_voice_emotions": [{"assistant_id": "a", "position": 0, "emotion": "calm", "item": '"calm"'}],
        "assistant_chatbot_domains": [
            {"assistant_id": "a", "position": 0, "domain": "a.example", "item": '"a.example"'}
        ],
        STATES: [],
        TOOLS: [],
    }
    assert flat.user is not None
    assert flat.voice is not None
    assert flatten_shared(flat.user) == {
        "user_id": flat.assistant["user_id"],
        "name": "Ada",
        "dp": None,
        "email": " Ada@Example.com ",
        "content_hash": flat.user.content_hash,
        "extra": None,
    }
    assert flatten_shared(flat.voice) == {
        "voice_id": "v1",
        "name": "Anna",
        "is_cloned": False,
        "content_hash": hashlib.sha256(b'{"is_cloned":false,"name":"Anna","voice_id":"v1"}').hexdigest(),
        "extra": None,
    }
    assert (flat.extra, flat.drift) == ({}, ())


def test_a_tree_is_numbered_in_reading_order() -> None:
    function: JSONValue = {"name": "n", "description": "d", "parameters": {}}
    tool: JSONValue = {"type": "function", "functionId": "f", "function": function}
    tree = [
        {
            "state_id": "root",
            "name": "Root",
            "description": "d",
            "prompt": "p",
            "parameters": {"b": 1, "a": [2]},
            "position": {"x": 1, "y": "2.5"},
            "children": [{"state_id": "left", "children": [{"state_id": "leaf"}]}, {"state_id": "right"}],
            "tools": [tool, "a string"],
        },
        {"state_id": "second"},
    ]
    flat = flatten(llm_states=tree)
    empty = dict.fromkeys(column.name for column in TABLES[STATES].columns) | {"assistant_id": "a"}

    def state(node: int, parent: int | None, state_id: str, above: str | None, path: str, **fields: Any) -> Any:
        place = {"node": node, "parent_node": parent, "state_id": state_id, "parent_state_id": above, "path": path}
        steps = path.split("/")
        return {**empty, **place, "depth": len(steps) - 1, "sibling_position": int(steps[-1]), **fields}

    root = {"name": "Root", "description": "d", "prompt": "p", "parameters": '{"a":[2],"b":1}', "x": 1.0, "y": 2.5}
    assert rows(flat, STATES) == [
        state(0, None, "root", None, "0", **root),
        state(1, 0, "left", "root", "0/0"),
        state(2, 1, "leaf", "left", "0/0/0"),
        state(3, 0, "right", "root", "0/1"),
        state(4, None, "second", None, "1"),
    ]
    assert rows(flat, TOOLS) == [
        {
            "assistant_id": "a",
            "node": 0,
            "position": 0,
            "type": "function",
            "function_id": "f",
            "function_name": "n",
            "function_description": "d",
            "parameters": "{}",
            "item": canonical_json(tool),
        },
        {
            **dict.fromkeys(column.name for column in TABLES[TOOLS].columns),
            "assistant_id": "a",
            "node": 0,
            "position": 1,
            "item": '"a string"',
        },
    ]
    assert flat.drift == ("no object llm_states[].tools[]",)


@pytest.mark.parametrize("depth", [1, 6, 40, 200])
def test_a_tree_of_any_depth_keeps_every_parent(depth: int) -> None:
    flat = flatten(llm_states=[deep_tree(depth, tools=[{"type": "t"}])])
    found = [(row["node"], row["parent_node"], row["depth"], row["state_id"]) for row in flat.rows[STATES]]
    assert found == [(number, number - 1 if number else None, number, f"s{number}") for number in range(depth)]
    assert flat.rows[STATES][-1]["path"] == "/".join(["0"] * depth)
    assert [row["node"] for row in flat.rows[TOOLS]] == [depth - 1]
    assert flat.extra == {}


def test_a_deep_tree_with_half_characters_is_kept_too() -> None:
    flat = flatten(llm_states=[deep_tree(200, prompt="\ud800")])
    assert flat.rows[STATES][-1]["prompt"] == "\ufffd"
    assert list(flat.extra["_unencodable"].values()) == ["\\ud800"]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["variables", "voice_emotion", "chatbot_whitelisted_domains", "llm_states"])
@pytest.mark.parametrize("value", [None, []])
def test_an_empty_list_and_null_have_no_rows_and_no_extra(name: str, value: Any) -> None:
    flat = flatten(**{name: value})
    assert (set(map(len, flat.rows.values())), flat.extra, flat.drift) == ({0}, {}, ())


@pytest.mark.parametrize("name", ["variables", "voice_emotion", "chatbot_whitelisted_domains", "llm_states"])
@pytest.mark.parametrize("value", ["[]", {}, {"0": "x"}, 7, False])
def test_a_list_that_is_none_stays_in_extra(name: str, value: Any) -> None:
    flat = flatten(**{name: value})
    assert (set(map(len, flat.rows.values())), flat.extra, flat.drift) == ({0}, {name: value}, (f"no list {name}",))


@pytest.mark.parametrize("item", ["a state", None, 7, ["x"], True])
def test_a_state_that_is_no_object_keeps_its_place(item: Any) -> None:
    flat = flatten(llm_states=[{"state_id": "s", "children": [item, {"state_id": "t"}]}])
    assert [(row["path"], row["state_id"], row.get("extra")) for row in flat.rows[STATES]] == [
        ("0", "s", None),
        ("0/0", None, canonical_json(item)),
        ("0/1", "t", None),
    ]
    assert flat.drift == ("no object llm_states[]",)


@pytest.mark.parametrize(
    ("fields", "extra", "drift"),
    [
        ({"children": "none"}, {"children": "none"}, "no list llm_states[].children"),
        ({"children": {"a": 1}}, {"children": {"a": 1}}, "no list llm_states[].children"),
        ({"tools": "[]"}, {"tools": "[]"}, "no list llm_states[].tools"),
        ({"position": [1, 2]}, {"position": [1, 2]}, "no object llm_states[].position"),
        ({"position": {"x": "left"}}, {"position": {"x": "left"}}, "no double llm_states[].position.x"),
        ({"position": {"z": 1}}, {"position": {"z": 1}}, "unknown field llm_states[].position.z"),
        ({"state_id": 7}, {"state_id": 7}, "no text llm_states[].state_id"),
        ({"colour": None}, {"colour": None}, "unknown field llm_states[].colour"),
    ],
)
def test_what_a_state_has_no_column_for_stays_in_its_extra(fields: Any, extra: Any, drift: str) -> None:
    flat = flatten(llm_states=[fields])
    assert [json.loads(text_of(row, "extra") or "") for row in flat.rows[STATES]] == [extra]
    assert flat.drift == (drift,)


# Values and types


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("voice_stability", "0.50", 0.5),
        ("voice_stability", "5e-1", 0.5),
        ("voice_stability", 1, 1.0),
        ("voice_stability", "-0", -0.0),
        ("max_reminder_messages", "3", 3.0),
        ("behavior", "3", 3),
        ("behavior", "3.0", 3),
        ("behavior", 3.0, 3),
        ("behavior", 2**63 - 1, 2**63 - 1),
        ("behavior", str(-(2**63)), -(2**63)),
        ("behavior", str(2**63 - 1), 2**63 - 1),
        ("voice_boost", True, True),
        ("name", "", ""),
        ("name", "\x00 NUL", "\x00 NUL"),
        ("tools", '[{"a": 1}]', '[{"a": 1}]'),
        ("created_at", "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("created_at", "2026-01-02T03:04:05.123456Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, UTC)),
        ("created_at", "2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, UTC)),
        ("created_at", "2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("created_at", "2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
        ("updated_at", "2026-01-02T03:04:05+0000", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_value_that_fits_becomes_its_column(name: str, value: Any, column: Any) -> None:
    flat = flatten(**{name: value})
    assert flat.assistant[name] == column
    assert type(flat.assistant[name]) is type(column)
    assert (flat.extra, flat.drift) == ({}, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voice_stability", "half"),
        ("voice_stability", ""),
        ("voice_stability", " 0.5"),
        ("voice_stability", "0.5\n"),
        ("voice_stability", "1_000"),
        ("voice_stability", True),
        ("voice_stability", "1e999"),
        ("voice_stability", "NaN"),
        ("voice_stability", 10**400),
        ("voice_stability", 2**53 + 1),
        ("voice_stability", {"value": 0.5}),
        ("behavior", 3.5),
        ("behavior", "3.5"),
        ("behavior", 2**63),
        ("behavior", -(2**63) - 1),
        ("behavior", str(2**63)),
        ("behavior", "9" * 5000),
        ("behavior", "1e999"),
        ("behavior", False),
        ("behavior", "3c90c3cc-0d44-4b50-8888-8dd25736052a"),
        ("voice_boost", "true"),
        ("voice_boost", 1),
        ("name", 7),
        ("name", ["a"]),
        ("prompt", {"text": "p"}),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-02"),
        ("created_at", "2026-13-02T00:00:00Z"),
        ("created_at", "0001-01-01T00:00:00+05:00"),
        ("created_at", 1_767_322_800),
        ("updated_at", "soon"),
        ("updated_at", ""),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_stays_in_extra(name: str, value: Any) -> None:
    flat = flatten(**{name: value})
    assert flat.assistant[name] is None
    assert flat.extra == {name: value}
    assert flat.drift == (f"no {ASSISTANTS.column(name).type} {name}",)
    assert json.loads(flat.config)[name] == value


@pytest.mark.parametrize("column", [column for column in ASSISTANTS.columns if column.api_field], ids=lambda c: c.name)
@pytest.mark.parametrize("wrong", [{"a": 1}, [1], [], {}])
def test_no_column_takes_an_object_or_a_list(column: Any, wrong: Any) -> None:
    if column.name == "assistant_id":
        with pytest.raises(RejectedRecordError):
            flatten_assistant({"assistant_id": wrong})
    else:
        assert flatten(**{column.api_field: wrong}).extra == {column.api_field: wrong}


@pytest.mark.parametrize("column", [column for column in ASSISTANTS.columns if column.api_field], ids=lambda c: c.name)
def test_null_and_missing_are_both_null(column: Any) -> None:
    if column.name != "assistant_id":
        assert flatten(**{column.api_field: None}).assistant[column.name] is None
        assert flatten().assistant.get(column.name) is None
        assert flatten(**{column.api_field: None}).extra == {}


def test_an_unknown_field_is_kept_even_when_it_is_null() -> None:
    flat = flatten(surprise=None, other={"deep": [1]})
    assert flat.extra == {"surprise": None, "other": {"deep": [1]}}
    assert flat.drift == ("unknown field surprise", "unknown field other")


@pytest.mark.parametrize("name", ["user_id", "voice_id", "extra", "content_hash", "first_seen_at", "deleted_at"])
def test_an_api_field_named_as_one_of_our_columns_is_not_taken_for_it(name: str) -> None:
    flat = flatten(**{name: "theirs"})
    assert flat.assistant.get(name) != "theirs"
    assert flat.extra == {name: "theirs"}
    assert "theirs" in json.loads(flat.config).values()
    assert flat.content_hash != flatten().content_hash


# Voices and users


ADA = {"name": "Ada", "dp": None, "email": None}


@pytest.mark.parametrize("user", [ADA, {"name": "Ada"}, {"name": " ", "dp": "a.png"}, {"name": "Ada", "email": " "}])
def test_a_user_without_an_email_has_a_row_too(user: Any) -> None:
    flat = flatten(user=user)
    assert flat.user is not None
    row = flatten_shared(flat.user)
    assert {name: row.get(name) for name in ("name", "dp", "email")} == {"name": None, "dp": None, "email": None} | user
    assert flat.assistant["user_id"] == row["user_id"] == json.loads(flat.config)["user_id"]
    assert (flat.extra, flat.drift, "user" in json.loads(flat.config)) == ({}, (), False)


def test_without_an_email_name_and_picture_say_which_user_it_is() -> None:
    ids = [
        flatten(user=user).assistant["user_id"]
        for user in (
            ADA,
            {"name": "Ada", "dp": "a.png"},
            {"name": "Eve"},
            {"dp": "Ada"},
            {"email": "Ada"},
            {"email": '["Ada",null]'},
            {"email": ' ["Ada",null]'},
        )
    ]
    assert ids[0] == "0c8ed482-1086-5386-930d-23fb2076c06b", "a key that is stored must stay"
    assert len(set(ids)) == len(ids) - 1, "the last two are the same e-mail, and no other two are the same user"
    assert flatten(user={"name": "Ada", "email": "", "role": 1}).assistant["user_id"] == ids[0]


@pytest.mark.parametrize(
    "user", [{"email": None}, {"email": "  "}, {"email": 7, "name": 7}, {"role": "owner", "dp": ""}, "ada", ["ada"], 0]
)
def test_a_user_without_email_name_and_picture_stays_with_its_assistant(user: Any) -> None:
    flat = flatten(user=user)
    assert (flat.user, flat.assistant["user_id"], flat.extra) == (None, None, {"user": user})
    assert json.loads(flat.config)["user"] == user


@pytest.mark.parametrize("voice", [{"name": "Anna"}, {"voice_id": None}, {"voice_id": ""}, {"voice_id": 7}, "anna"])
def test_a_voice_without_an_id_stays_with_its_assistant(voice: Any) -> None:
    flat = flatten(voice=voice)
    assert (flat.voice, flat.assistant["voice_id"], flat.extra) == (None, None, {"voice": voice})
    assert json.loads(flat.config)["voice"] == voice


def test_no_voice_and_no_user_are_null_and_nothing_else() -> None:
    assert flatten(user=None, voice=None).content_hash == flatten().content_hash
    assert flatten(user=None, voice=None).extra == {}


def test_an_email_in_other_letters_is_the_same_user() -> None:
    one, other = flatten(user={"email": "Ada@Example.com"}), flatten(user={"email": " ada@example.COM "})
    assert one.assistant["user_id"] == other.assistant["user_id"]
    assert one.content_hash == other.content_hash


def test_a_renamed_voice_is_no_change_of_the_assistant() -> None:
    one, other = (flatten(voice={"voice_id": "v", "name": name}) for name in ("Anna", "Anne"))
    assert one.content_hash == other.content_hash
    assert one.voice is not None
    assert other.voice is not None
    assert one.voice.content_hash != other.voice.content_hash
    assert find_deviation(one.voice, other.voice) == {"name": "Anna"}


@pytest.mark.parametrize("odd", [0, 0.0, -0.0])
def test_a_zero_deviates_from_false(odd: float) -> None:
    one = flatten(voice={"voice_id": "v", "is_cloned": odd}).voice
    other = flatten(voice={"voice_id": "v", "is_cloned": False}).voice
    assert one is not None
    assert other is not None
    assert repr(find_deviation(one, other)) == repr({"is_cloned": odd})


@pytest.mark.parametrize(
    ("table", "value", "extra", "drift"),
    [
        ("voice", {"voice_id": "v", "tier": 2}, {"tier": 2}, "unknown field voice.tier"),
        ("voice", {"voice_id": "v", "is_cloned": "no"}, {"is_cloned": "no"}, "no bool voice.is_cloned"),
        ("user", {"email": "a@b.example", "role": None}, {"role": None}, "unknown field user.role"),
        ("user", {"email": "a@b.example", "name": 7}, {"name": 7}, "no text user.name"),
    ],
)
def test_what_a_voice_or_user_has_no_column_for_stays_in_its_extra(
    table: str, value: Any, extra: Any, drift: str
) -> None:
    flat = flatten(**{table: value})
    shared = flat.voice if table == "voice" else flat.user
    assert shared is not None
    assert json.loads(text_of(flatten_shared(shared), "extra") or "") == extra
    assert (flat.extra, flat.drift) == ({}, (drift,))


# Half characters


@pytest.mark.parametrize(
    ("text", "stored", "escaped"),
    [
        ("a\ud800b", "a\ufffdb", "a\\ud800b"),
        ("\udc00", "\ufffd", "\\udc00"),
        ("end\ud83d", "end\ufffd", "end\\ud83d"),
        ("\ud800\ud800", "\ufffd\ufffd", "\\ud800\\ud800"),
        ("\ufeff\ud800 🙂 \x00", "\ufeff\ufffd 🙂 \x00", "\\ufeff\\ud800 \\ud83d\\ude42 \\u0000"),
    ],
)
def test_half_a_character_is_replaced_and_its_text_kept(text: str, stored: str, escaped: str) -> None:
    flat = flatten(prompt=text)
    assert flat.assistant["prompt"] == stored
    assert flat.extra == {"_unencodable": {"prompt": escaped}}
    assert json.loads(f'"{escaped}"') == text
    flat.config.encode("utf-8")


def test_where_half_a_character_stood_is_kept() -> None:
    flat = flatten(variables=["fine", {"name": "\ud800", "value": "v"}], voice={"voice_id": "v", "name": "\ud801"})
    assert flat.extra == {"_unencodable": {"variables[1].name": "\\ud800", "voice.name": "\\ud801"}}
    assert flat.rows["assistant_variables"][1]["name"] == "\ufffd"


def test_two_texts_that_differ_in_half_a_character_have_different_hashes() -> None:
    assert flatten(prompt="\ud800").content_hash != flatten(prompt="\ud801").content_hash


def test_two_fields_whose_names_differ_in_half_a_character_are_both_kept() -> None:
    flat = flatten(**dict(zip(("\ud800", "\ud801", "\ufffd"), (1, 2, 3), strict=True)))
    kept = dict(flat.extra)
    originals = kept.pop("_unencodable")
    assert sorted(kept.values(), key=str) == [1, 2, 3]
    assert sorted(originals.values()) == ["\\ud800", "\\ud801"]  # type: ignore[union-attr]


def test_a_number_that_json_does_not_know_is_kept_as_text() -> None:
    flat = flatten_assistant(parse_json(b'{"assistant_id": "a", "voice_speed": NaN, "behavior": 1e999}'))
    assert flat.extra == {"voice_speed": "NaN", "behavior": "1e999"}
    assert clean_record({"a": float("inf"), "b": [float("nan")]}) == {"a": "inf", "b": ["nan"]}


# Hashes and configurations


def test_the_hash_is_that_of_the_config() -> None:
    flat = flatten(prompt="é", surprise=[1])
    assert flat.config == ('{"assistant_id":"a","prompt":"é","surprise":[1],"user_id":null,"voice_id":null}')
    assert flat.content_hash == hashlib.sha256(flat.config.encode()).hexdigest()


def test_the_order_of_fields_does_not_move_the_hash_but_the_order_of_items_does() -> None:
    assert flatten(name="n", model="m").content_hash == flatten(model="m", name="n").content_hash
    assert flatten(variables=["a", "b"]).content_hash != flatten(variables=["b", "a"]).content_hash


def test_updated_at_is_a_claim_about_the_configuration_and_no_part_of_it() -> None:
    one, other = flatten(updated_at="2026-01-01T00:00:00Z"), flatten(updated_at="2026-01-02T00:00:00Z")
    assert one.content_hash == other.content_hash
    assert "updated_at" not in json.loads(one.config)


def test_an_updated_at_that_is_no_time_is_part_of_the_configuration() -> None:
    one, other = flatten(updated_at="soon"), flatten(updated_at="later")
    assert one.content_hash != other.content_hash
    assert (one.updated_at, one.extra) == (None, {"updated_at": "soon"})


@pytest.mark.parametrize("user", [ADA, {"dp": "a.png"}])
def test_a_hash_of_releases_that_kept_such_a_user_in_the_configuration_is_known_again(user: Any) -> None:
    flat = flatten(user=user, prompt="é")
    earlier: JSONObject = {"assistant_id": "a", "prompt": "é", "user": user, "user_id": None, "voice_id": None}
    other: JSONObject = {**earlier, "user": {"name": "Eve"}}
    for hash_value in CONTENT_HASHES.values():
        assert flat.is_earlier(hash_value(earlier))
        assert not flat.is_earlier(hash_value(other))
    config, shared = restate_config(earlier, {})
    assert (canonical_json(config), shared) == (flat.config, flat.user)
    assert not flatten(user={"email": "a@b.example"}).is_earlier(flat.content_hash)


def test_addresses_are_equal_but_for_upper_case_and_blanks_and_not_where_only_unicode_folds_them() -> None:
    keys = [
        flatten(user={"email": email}).user for email in ("Straße@x.example", " straße@X.example ", "strasse@x.example")
    ]
    one, same, other = (shared.key for shared in keys if shared is not None)
    assert one == same != other


def test_a_hash_of_releases_that_folded_addresses_is_known_again() -> None:
    flat, folded = flatten(user={"email": "straße@x.example"}), flatten(user={"email": "strasse@x.example"})
    assert flat.user is not None
    assert folded.user is not None
    earlier = {**json.loads(flat.config), "user_id": folded.user.key}
    assert flat.is_earlier(hash_json(earlier))
    assert not folded.is_earlier(flat.content_hash)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "the record is null, not an object"),
        ([], "the record is a list, not an object"),
        ("text", "the record is a string, not an object"),
        (True, "the record is a boolean, not an object"),
        (1.5, "the record is a number, not an object"),
        ({}, "the record has no assistant_id"),
        ({"assistant_id": None}, "the record's assistant_id is null"),
        ({"assistant_id": " "}, "the record's assistant_id is an empty string"),
        ({"assistant_id": 7}, "the record's assistant_id is a number"),
    ],
)
def test_a_record_that_cannot_be_used_is_rejected_with_the_reason(record: Any, reason: str) -> None:
    with pytest.raises(RejectedRecordError) as caught:
        flatten_assistant(record)
    assert str(caught.value) == reason


# Whatever comes

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=8) | st.sampled_from(
    ["", " ", "0.50", "\x00", "\ud800", "\ud801"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TREES = st.recursive(
    st.fixed_dictionaries({}, optional={"state_id": TEXTS, "position": st.fixed_dictionaries({"x": VALUES})}) | VALUES,
    lambda inner: st.fixed_dictionaries(
        {"children": st.lists(inner, max_size=3) | VALUES},
        optional={"state_id": TEXTS, "tools": st.lists(VALUES, max_size=2), "colour": VALUES},
    ),
    max_leaves=6,
)
FIELDS = [column.api_field for column in ASSISTANTS.columns if column.api_field not in (None, "assistant_id")]
RECORDS = st.fixed_dictionaries(
    {"assistant_id": st.sampled_from(["a", "b"])},
    optional={
        **dict.fromkeys(FIELDS, VALUES),
        "updated_at": st.datetimes().map(datetime.isoformat) | VALUES,
        "user": st.fixed_dictionaries({}, optional={"email": TEXTS, "name": VALUES, "dp": TEXTS, "role": VALUES})
        | VALUES,
        "voice": st.fixed_dictionaries({"voice_id": TEXTS}, optional={"name": VALUES, "is_cloned": VALUES}) | VALUES,
        "variables": st.lists(st.fixed_dictionaries({"name": TEXTS, "value": VALUES}) | VALUES, max_size=3) | VALUES,
        "voice_emotion": st.lists(VALUES, max_size=3) | VALUES,
        "chatbot_whitelisted_domains": st.lists(VALUES, max_size=3) | VALUES,
        "llm_states": st.lists(TREES, max_size=3) | VALUES,
        "surprise": VALUES,
        "user_id": VALUES,
    },
)
anything = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@anything
@given(RECORDS)
def test_the_record_is_never_changed(record: Any) -> None:
    before = copy.deepcopy(record)
    flatten_assistant(record)
    assert record == before


@anything
@given(RECORDS)
def test_no_row_loses_its_parent(record: Any) -> None:
    flat = flatten_assistant(record)
    states: dict[Any, dict[str, Any]] = {row["node"]: row for row in flat.rows[STATES]}
    assert list(states) == list(range(len(states)))
    for row in states.values():
        parent = states.get(row["parent_node"])
        assert (parent is None) == (row["depth"] == 0)
        if parent is not None:
            assert parent["node"] < row["node"]
            assert row["path"] == f"{parent['path']}/{row['sibling_position']}"
            assert row["parent_state_id"] == parent["state_id"]
    assert {row["node"] for row in flat.rows[TOOLS]} <= states.keys()
    assert {row["assistant_id"] for table in flat.rows.values() for row in table} <= {flat.assistant_id}


@anything
@given(RECORDS)
@example({"assistant_id": "a", "user_id": "theirs", "user": {"email": "a@b.example"}})
def test_nothing_is_dropped(record: Any) -> None:
    flat = flatten_assistant(record)
    rebuilt = json.loads(flat.config)
    for name, shared in (("user", flat.user), ("voice", flat.voice)):
        key = rebuilt.pop(f"{name}_id")
        assert key == (shared.key if shared else None)
        if f"api.{name}_id" in rebuilt:
            rebuilt[f"{name}_id"] = rebuilt.pop(f"api.{name}_id")
        if shared:
            rebuilt[name] = shared.value
        elif name in record:
            rebuilt.setdefault(name, None)
    if flat.updated_at is not None:
        rebuilt["updated_at"] = record["updated_at"]
    assert rebuilt == clean_record(record)


@anything
@given(RECORDS)
@example(
    {"assistant_id": "a", "user_id": "theirs", "user": {"email": "a@b.example"}, "updated_at": "2026-01-01T00:00Z"}
)
def test_a_stored_configuration_gives_the_same_rows_as_its_record(record: Any) -> None:
    flat = flatten_assistant(record)
    again = flatten_config(json.loads(flat.config), flat.updated_at)
    assert (again.assistant, again.rows, again.extra) == (flat.assistant, flat.rows, flat.extra)
    assert (again.config, again.content_hash) == (flat.config, flat.content_hash)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_warehouse()
    yield connection
    connection.close()


@settings(anything, max_examples=30)
@given(record=RECORDS)
def test_an_independent_judge_agrees(warehouse: duckdb.DuckDBPyConnection, record: Any) -> None:
    warehouse.execute("BEGIN")
    observe(warehouse, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1), [record])
    found = oracle.compare([record], warehouse, schema="main")
    found += oracle.compare_history([record], warehouse, schema="main")
    warehouse.execute("ROLLBACK")
    assert found == []


def test_every_row_has_only_columns_of_its_table() -> None:
    for record in Account(assistants=30).records():
        flat = flatten_assistant(record)
        assert flat.assistant.keys() <= {column.name for column in ASSISTANTS.columns}
        for table in CHILD_TABLES:
            for row in flat.rows[table.name]:
                assert row.keys() <= {column.name for column in table.columns}
        for shared, table in ((flat.user, USERS), (flat.voice, VOICES)):
            if shared:
                assert flatten_shared(shared).keys() <= {column.name for column in table.columns}
        assert flat.drift == ()


def test_a_field_that_is_called_like_one_of_ours_is_kept_beside_it() -> None:
    flat = flatten_assistant({"assistant_id": "a", "_deviates": 1, "_unencodable": 2, "name": "\ud800"})
    assert flat.extra == {"api._deviates": 1, "api._unencodable": 2, "_unencodable": {"name": "\\ud800"}}
