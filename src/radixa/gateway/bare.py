"""Answers of an unknown length for clients that know no chunks (HTTP/1.0): bare, and ended with the connection."""

from __future__ import annotations

from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_WITHOUT_A_BODY = (204, 304)


def bare(app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
    """`app`, whose answer to the request of `cycle` has no chunks, and after which the connection is closed.

    Nor is a client of that age told to go on (`100 Continue`), whatever it expects (RFC 9110, 10.1.1).
    """
    cycle.keep_alive = False
    cycle.waiting_for_100_continue = False

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        unbounded = False

        async def sent(message: Any) -> None:
            nonlocal unbounded
            if message["type"] == "http.response.start":
                has_body = message["status"] not in _WITHOUT_A_BODY and scope["method"] != "HEAD"
                unbounded = has_body and all(name != b"content-length" for name, _ in message["headers"])
                if unbounded:
                    cycle.chunked_encoding = False
            elif unbounded:
                # Each part is as long as it is: what the server has to compare it with is the part itself.
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, sent)

    return answered
