"""The state tree of an assistant as rows: one for each state at any depth, one for each tool of a state."""

from __future__ import annotations

from puretalk.endpoints.values import Notes, fit, take_list
from puretalk.json_values import JSONValue, canonical_json
from puretalk.schema import Row


def flatten_states(assistant_id: str, items: list[JSONValue], notes: Notes) -> tuple[list[Row], list[Row]]:
    """Rows of states and of their tools, in reading order (a state, then its children), for any depth: no recursion."""
    states: list[Row] = []
    tools: list[Row] = []
    stack: list[tuple[JSONValue, int | None, int, int]] = [(item, None, 0, at) for at, item in _backwards(items)]
    while stack:
        item, parent_node, depth, sibling_position = stack.pop()
        node, parent = len(states), {} if parent_node is None else states[parent_node]
        state: Row = {
            "assistant_id": assistant_id,
            "node": node,
            "parent_node": parent_node,
            "parent_state_id": parent.get("state_id"),
            "depth": depth,
            "path": f"{parent['path']}/{sibling_position}" if parent else str(sibling_position),
            "sibling_position": sibling_position,
            "state_id": None,
        }
        states.append(state)
        if not isinstance(item, dict):
            notes.drift.append("no object llm_states[]")
            state["extra"] = canonical_json(item)
            continue
        inner = Notes(where="llm_states[].")
        rest = dict(item)
        for name in ("state_id", "name", "description", "prompt"):
            state[name] = fit(rest.pop(name, None), "text", name, inner)
        state["parameters"] = fit(rest.pop("parameters", None), "json", "parameters", inner)
        _place_state(rest.pop("position", None), state, inner)
        tools += _tools(assistant_id, node, take_list(rest, "tools", inner), inner)
        stack.extend((child, node, depth + 1, at) for at, child in _backwards(take_list(rest, "children", inner)))
        for name, value in rest.items():
            inner.keep("unknown field", name, value)
        state["extra"] = canonical_json(inner.extra) if inner.extra else None
        notes.drift += inner.drift
    return states, tools


def _backwards(items: list[JSONValue]) -> list[tuple[int, JSONValue]]:
    return list(enumerate(items))[::-1]


def _place_state(position: JSONValue, state: Row, notes: Notes) -> None:
    """Write x and y of a state's position into its row; everything else in it goes to `extra`."""
    if position is None:
        return
    if not isinstance(position, dict):
        notes.keep("no object", "position", position)
        return
    inner = Notes(where=f"{notes.where}position.")
    rest = dict(position)
    for name in ("x", "y"):
        state[name] = fit(rest.pop(name, None), "double", name, inner)
    for name, value in rest.items():
        inner.keep("unknown field", name, value)
    if inner.extra:
        notes.extra["position"] = inner.extra
    notes.drift += inner.drift


def _tools(assistant_id: str, node: int, items: list[JSONValue], notes: Notes) -> list[Row]:
    rows: list[Row] = []
    for position, item in enumerate(items):
        row: Row = {"assistant_id": assistant_id, "node": node, "position": position, "item": canonical_json(item)}
        tool = item if isinstance(item, dict) else {}
        value = tool.get("function")
        function = value if isinstance(value, dict) else {}
        if not isinstance(item, dict):
            notes.drift.append(f"no object {notes.where}tools[]")
        for column, found in (
            ("type", tool.get("type")),
            ("function_id", tool.get("functionId")),
            ("function_name", function.get("name")),
            ("function_description", function.get("description")),
        ):
            row[column] = found if isinstance(found, str) else None
        parameters = function.get("parameters")
        row["parameters"] = None if parameters is None else canonical_json(parameters)
        rows.append(row)
    return rows
