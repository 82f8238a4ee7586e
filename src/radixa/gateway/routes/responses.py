"""`POST /v1/responses` and `/v1/responses/input_tokens`: OpenAI's."""

from __future__ import annotations

from typing import Literal

import msgspec

from radixa.gateway.answering import begin
from radixa.gateway.base import EventStream, Response, encode, operation
from radixa.gateway.counting import count_prompt
from radixa.gateway.dialects.responses import answer, body
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


class InputTokens(msgspec.Struct, frozen=True):
    object: Literal["response.input_tokens"]
    input_tokens: int


@operation(body=(body.ResponsesBody,), streams=True, forwards=True)
async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    """A response, whole or as numbered events."""
    asked = await body.read(await request.body(gateway.config.server.max_body_bytes))
    answering = await begin(gateway, request, asked)
    if asked.stream:
        return EventStream(request.owns(answer.events(answering, asked.body)), answering.headers)
    return Response(await answer.whole(answering, asked.body), headers=answering.headers)


@operation(body=(body.ResponsesBody,), answer=InputTokens, forwards=True)
async def input_tokens(gateway: Gateway, request: Request) -> Response:
    """The tokens of a prompt. Free."""
    asked = await body.read(await request.body(gateway.config.server.max_body_bytes))
    found = await count_prompt(gateway, request, asked)
    return Response(encode(InputTokens("response.input_tokens", found.tokens)), headers=found.headers)
