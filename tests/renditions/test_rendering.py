"""A rendition holds all of a configuration, and is the same everywhere."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.files import parse_files

from puretalk.demo import Account
from puretalk.endpoints.assistants.flatten import flatten_assistant
from puretalk.json_values import canonical_json
from puretalk.renditions.rendering import make_slug, name_folder, render_files

_TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    st.sampled_from("a \n\t-:#|'\"\\\r\x85\u2028\ufeff")
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)
_STATES = st.recursive(
    _VALUES,
    lambda inner: st.dictionaries(
        st.sampled_from(["state_id", "name", "prompt", "tools", "x"]), _VALUES, max_size=4
    ).flatmap(lambda state: st.lists(inner, max_size=3).map(lambda children: {**state, "children": children})),
    max_leaves=8,
)
_CONFIGS = st.fixed_dictionaries(
    {"assistant_id": st.just("a")},
    optional={
        "prompt": _VALUES,
        "begin_message": _VALUES,
        "llm_states": st.lists(_STATES, max_size=3) | _VALUES,
        "k": _VALUES,
    },
).flatmap(lambda config: st.dictionaries(_TEXTS, _VALUES, max_size=3).map(lambda more: {**more, **config}))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(_CONFIGS)
def test_the_files_give_back_the_configuration(config: dict[str, Any]) -> None:
    before = canonical_json(config)
    files = render_files(config)
    assert canonical_json(parse_files(files)) == before
    assert canonical_json(config) == before, "the input is not changed"
    assert render_files(json.loads(before)) == files


def test_every_assistant_of_the_demo_comes_back_from_its_files() -> None:
    for record in Account(assistants=60).records():
        config = json.loads(flatten_assistant(record).config)
        assert parse_files(render_files(config)) == config


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("yes", 'k: "yes"'),
        (1e16, "k: 1.0e+16"),
        (2.5e-7, "k: 2.5e-7"),
        (0.5, "k: 0.5"),
        (None, "k: null"),
        ("a\nb", "k: |2-\n  a\n  b"),
        ("a\nb\n", "k: |2\n  a\n  b"),
        ("a\nb\n\n", "k: |2+\n  a\n  b\n"),
        (["a", {"n": 1}], 'k:\n  - "a"\n  -\n    "n": 1'),
        ("\U0001f600\x7f", 'k: "\U0001f600\\u007f"'),
    ],
)
def test_a_value_has_one_form(value: Any, line: str) -> None:
    assert render_files({"k": value})["config.yml"].decode().replace('"k"', "k") == f"{line}\n"


def test_prompt_md_is_exactly_the_prompt() -> None:
    for prompt in ("", "no end of line", "two\r\nlines\n\n", "---\n"):
        files = render_files({"prompt": prompt})
        assert files["prompt.md"] == prompt.encode()
    assert "prompt.md" not in render_files({"prompt": None})


def test_a_state_is_a_file_and_the_outline_holds_the_order() -> None:
    tree: list[Any] = [
        {"name": "Hi", "prompt": "P\n", "children": [{"name": "hi"}, {"state_id": "s9", "children": []}, 7]},
        {},
    ]
    files = render_files({"llm_states": tree})
    assert list(files) == ["config.yml", "states/hi-2.md", "states/hi.md", "states/s9.md", "states/state.md"]
    assert files["states/hi.md"] == b'---\nname: "Hi"\n---\nP\n'
    assert parse_files(files) == {"llm_states": tree}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Hôtel du Vieux Port: accueil", "hotel-du-vieux-port-accueil"),
        ("../../etc/passwd", "etc-passwd"),
        ("-o --upload-pack=x", "o-upload-pack-x"),
        ("Straße Ærø", "strasse-aero"),
        ("e\u0301te\u0301", "ete"),
        ("\U0001f600", ""),
        ("日本", ""),
        ("x" * 200, "x" * 40),
        (None, ""),
    ],
)
def test_a_slug_is_made_of_letters_digits_and_dashes(name: Any, slug: str) -> None:
    assert make_slug(name) == slug


def test_a_folder_ends_with_the_id_and_no_two_are_the_same_on_any_file_system() -> None:
    uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
    assert name_folder("Front Desk", uuid) == f"front-desk-{uuid}"
    assert name_folder("\U0001f600", uuid) == f"assistant-{uuid}"
    odd = ["a", "A", "a.", "a/b", "..", "a\n", " a", "é", "e\u0301", "x" * 300, "x" * 301, "CON", "%41", "-x"]
    names = [name_folder("n", each) for each in odd]
    assert len({name.lower() for name in names}) == len(odd)
    assert all(re.fullmatch(r"[A-Za-z0-9%_~-]{1,160}", name) for name in names)
