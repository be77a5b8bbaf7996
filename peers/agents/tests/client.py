#!/usr/bin/env python3
"""The official Python client lists and calls tools. Prints one line of JSON for each way to connect."""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters


async def tell(name, server, mode):
    async with Client(server, mode=mode) as client:
        tools = await client.list_tools()
        names = sorted(tool.name for tool in tools.tools if tool.name.startswith("calc."))
        added = await client.call_tool("calc.add", {"a": 3, "b": 4})
        failed = await client.call_tool("calc.divide", {"a": 1, "b": 0})
        try:
            await client.call_tool("none", {})
            unknown = "it was called"
        except Exception as error:
            unknown = str(error)
        told = {
            "name": name,
            "version": client.protocol_version,
            "tools": names,
            "sum": added.content[0].text,
            "failed": failed.is_error,
            "unknown": unknown,
        }
        print(json.dumps(told), flush=True)


async def main():
    url, tool, server = sys.argv[1:]
    stdio = StdioServerParameters(command=tool, args=["mcp", server])
    await tell("http", url, "auto")
    await tell("http, before", url, "legacy")
    await tell("stdio", stdio, "auto")
    await tell("stdio, before", stdio, "legacy")


asyncio.run(main())
