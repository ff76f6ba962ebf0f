"""Reads the files of a rendition back. Shares no code with what wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def parse_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The configuration that the files of a folder hold."""
    config: dict[str, Any] = yaml.load(files["config.yml"], Loader=yaml.CSafeLoader)
    for field, path in (("prompt", "prompt.md"), ("begin_message", "begin_message.md")):
        if path in files:
            assert field not in config, f"{field} is there twice"
            config[field] = files[path].decode()
    if isinstance(config.get("llm_states"), list):
        config["llm_states"] = _parse_tree(config["llm_states"], files)
    return config


def _parse_tree(outline: list[dict[str, Any]], files: Mapping[str, bytes]) -> list[Any]:
    top: list[Any] = []
    path: list[Any] = []
    for entry in outline:
        state = _parse_state(files[entry["file"]]) if "file" in entry else entry["value"]
        depth = entry["depth"]
        del path[depth:]
        siblings = path[-1].setdefault("children", []) if depth else top
        siblings.append(state)
        path.append(state)
    return top


def _parse_state(content: bytes) -> dict[str, Any]:
    assert content.startswith(b"---\n")
    head, text = content[4:].decode().split("\n---\n", 1)
    state: dict[str, Any] = yaml.load(head, Loader=yaml.CSafeLoader)
    if text:
        assert "prompt" not in state
        state["prompt"] = text
    return state
