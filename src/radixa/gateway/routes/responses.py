"""`POST /v1/responses` and `/v1/responses/input_tokens`: OpenAI's."""

from __future__ import annotations

from radixa.gateway.answering import begin
from radixa.gateway.base import EventStream, Response, encode
from radixa.gateway.counting import count_prompt
from radixa.gateway.dialects.responses import answer, body
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    asked = await body.read(await request.body(gateway.config.server.max_body_bytes))
    answering = await begin(gateway, request, asked)
    if asked.stream:
        return EventStream(request.owns(answer.events(answering, asked.body)), answering.headers)
    return Response(await answer.whole(answering, asked.body), headers=answering.headers)


async def input_tokens(gateway: Gateway, request: Request) -> Response:
    asked = await body.read(await request.body(gateway.config.server.max_body_bytes))
    found = await count_prompt(gateway, request, asked)
    return Response(encode({"object": "response.input_tokens", "input_tokens": found.tokens}), headers=found.headers)
