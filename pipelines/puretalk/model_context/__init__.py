"""The warehouse for an AI assistant, over the Model Context Protocol: `puretalk mcp`.

answers  one sealed query, capped in rows, bytes and time
tools    what the assistant can ask: findings, changes, show, query, and the data dictionary
server   the tools on the protocol's SDK, which only `puretalk[mcp]` installs
"""

from puretalk.model_context.answers import Caps
from puretalk.model_context.tools import Tools

__all__ = ["Caps", "Tools"]
