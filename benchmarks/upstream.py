"""An upstream that answers at once: what is left of a request's time is the gateway's.

    python benchmarks/upstream.py PORT

OpenAI's chat completions, whole or as a stream of eight pieces; usage says that half of the prompt was cached.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

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


HEAD_OF_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
HEAD_OF_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Answering(asyncio.Protocol):
    """One connection: reads no more of HTTP than clients here write, so that it costs next to nothing."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = LENGTH.search(head)
        if length is not None and len(body) < int(length[1]):
            return
        self._buffer = b""
        assert self._transport is not None
        if b'"stream":true' in body or b'"stream": true' in body:
            self._transport.write(HEAD_OF_STREAM)
            for event in STREAM:
                self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            self._transport.write(b"0\r\n\r\n")
        else:
            self._transport.write(HEAD_OF_WHOLE + WHOLE)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
