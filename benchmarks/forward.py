"""The least that a gateway in Python can be: our HTTP server, raw ASGI and aiohttp, no keys, limits, ledger or reading.

    python benchmarks/forward.py PORT UPSTREAM_URL

`benchmarks/gateway.py` measures it beside ours: what it does is the bound.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import uvloop

from radixa.core.config import ServerConfig
from radixa.gateway.address import take
from radixa.gateway.http1 import HttpServer


class Forwarder:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        message = await receive()
        url = self._upstream + scope["path"]
        headers = {"content-type": "application/json"}
        async with self._session.post(url, data=message["body"], headers=headers) as answer:
            body = await answer.read()
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def main() -> None:
    address = take("127.0.0.1", int(sys.argv[1]), auth=True)
    await HttpServer(Forwarder(sys.argv[2]), address.listener, ServerConfig(), connections=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
