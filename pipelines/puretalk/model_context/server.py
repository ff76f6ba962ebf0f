"""The tools on the official SDK of the Model Context Protocol, on stdin and stdout."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from puretalk.errors import PuretalkError
from puretalk.model_context.tools import DATA_NOTE, Tools
from puretalk.release import VERSION

DICTIONARY_URI = "puretalk://data-dictionary"

_INSTRUCTIONS = (
    "The configuration warehouse of an account of voice assistants on PureTalk. Nothing here can change anything. "
    f"Read the resource {DICTIONARY_URI} before you write SQL. Times are UTC. {DATA_NOTE}"
)


def serve(tools: Tools) -> None:
    """Answer one client until it closes stdin."""
    server = MCPServer("puretalk", version=VERSION, instructions=_INSTRUCTIONS, log_level="WARNING")
    hints = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    for tool in (tools.findings, tools.changes, tools.show, tools.query):
        server.add_tool(_explained(tool), annotations=hints, structured_output=False)

    def dictionary() -> str:
        return tools.dictionary

    server.resource(
        DICTIONARY_URI,
        name="data-dictionary",
        description="Every table, view and column, with type and meaning.",
        mime_type="text/markdown",
    )(dictionary)
    server.run("stdio")


def _explained(tool: Callable[..., str]) -> Callable[..., str]:
    """The tool, with the errors that puretalk raises on purpose as answers; the SDK hides what other errors say."""

    @wraps(tool)
    def call(*arguments: object, **named: object) -> str:
        try:
            return tool(*arguments, **named)
        except PuretalkError as error:
            raise ToolError(f"{error.message}. {error.action}".strip()) from error

    return call
