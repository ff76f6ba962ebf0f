"""A client of the protocol's own SDK, in a process that has it: a request a line on stdin, an answer a line on stdout.

Arguments: the command of the server. A request is `["tool", NAME, ARGUMENTS]`, `["resource", URI]` or `["tools"]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client


async def answer(client: Any, kind: str, *asked: Any) -> Any:
    if kind == "tools":
        return {tool.name: tool.annotations.read_only_hint for tool in (await client.list_tools()).tools}
    if kind == "resource":
        return (await client.read_resource(asked[0])).contents[0].text
    result = await client.call_tool(asked[0], asked[1])
    return [result.is_error, "".join(part.text for part in result.content)]


async def main() -> None:
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        while request := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(await answer(client, *json.loads(request))) + "\n")
            sys.stdout.flush()


asyncio.run(main())
