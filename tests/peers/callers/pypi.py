"""A caller on PyPI `mcp`, with the local API token as a fixed header, in either era.

Prints one JSON object with what it saw."""

import asyncio
import json
import os
import sys
import time

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

url, mode, tool, arguments = sys.argv[1:5]


async def main() -> None:
    seen = {"tools": [], "text": None, "progress": [], "version": None, "refused": None}
    started = time.monotonic()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen["progress"].append({"at": int((time.monotonic() - started) * 1000), "progress": progress})

    headers = {"Authorization": f"Bearer {os.environ['CLAVIGER_TOKEN']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        try:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                seen["version"] = client.protocol_version
                seen["tools"] = [each.name for each in (await client.list_tools()).tools]
                result = await client.call_tool(tool, json.loads(arguments), progress_callback=on_progress)
                seen["text"] = result.content[0].text
        except Exception as error:  # what a user of the SDK would see
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            seen["refused"] = repr(error)
    print(json.dumps(seen))


asyncio.run(main())
