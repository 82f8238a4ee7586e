"""An upstream that answers at once: what is left of a request's time is the gateway's.

    python benchmarks/upstream.py PORT

OpenAI's chat completions, whole or as a stream of eight pieces; usage says that half of the prompt was cached.
"""

from __future__ import annotations

import sys
from typing import Any

USAGE = (
    b'"usage":{"prompt_tokens":1024,"completion_tokens":8,"total_tokens":1032,'
    b'"prompt_tokens_details":{"cached_tokens":512}}'
)
HEAD = b'"id":"chatcmpl-1","created":1790000000,"model":"mock"'
WHOLE = (
    b'{"object":"chat.completion",' + HEAD + b',"choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"one two three four five six seven eight"},"logprobs":null,"finish_reason":"stop"}],' + USAGE + b"}"
)


def piece(delta: bytes, reason: bytes = b"null") -> bytes:
    choice = b'{"index":0,"delta":' + delta + b',"logprobs":null,"finish_reason":' + reason + b"}"
    return b'data: {"object":"chat.completion.chunk",' + HEAD + b',"choices":[' + choice + b'],"usage":null}\n\n'


STREAM = [
    piece(b'{"role":"assistant","content":""}'),
    *(piece(b'{"content":"word "}') for _ in range(8)),
    piece(b"{}", b'"stop"'),
    b'data: {"object":"chat.completion.chunk",' + HEAD + b',"choices":[],' + USAGE + b"}\n\ndata: [DONE]\n\n",
]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    stream = b'"stream":true' in body or b'"stream": true' in body
    kind = b"text/event-stream" if stream else b"application/json"
    headers = [(b"content-type", kind)]
    if not stream:
        headers.append((b"content-length", str(len(WHOLE)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if stream:
        for event in STREAM[:-1]:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": STREAM[-1], "more_body": False})
    else:
        await send({"type": "http.response.body", "body": WHOLE, "more_body": False})


def main() -> None:

    import uvloop
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    async def serve() -> None:
        server = Server(
            app,
            address="127.0.0.1",
            port=int(sys.argv[1]),
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        )
        await server.serve()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
