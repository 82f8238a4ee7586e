"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's."""

from __future__ import annotations

import msgspec

from radixa.gateway.answering import begin
from radixa.gateway.base import EventStream, Response, encode, operation
from radixa.gateway.counting import count_prompt
from radixa.gateway.dialects.messages import answer, body
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


class InputTokens(msgspec.Struct, frozen=True):
    input_tokens: int


@operation(body=(body.CreateBody,), streams=True, forwards=True)
async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    """A message, whole or as Anthropic's events."""
    raw = await request.body(gateway.config.server.max_body_bytes)
    asked = await body.read(request, raw, normalise=gateway.config.cache.normalise_billing_line)
    answering = await begin(gateway, request, asked)
    if asked.stream:
        return EventStream(request.owns(answer.events(answering)), answering.headers)
    return Response(await answer.whole(answering), headers=answering.headers)


@operation(body=(body.MessagesBody,), answer=InputTokens, forwards=True)
async def count_tokens(gateway: Gateway, request: Request) -> Response:
    """The tokens of a prompt. Free."""
    raw = await request.body(gateway.config.server.max_body_bytes)
    asked = await body.read_count(request, raw, normalise=gateway.config.cache.normalise_billing_line)
    found = await count_prompt(gateway, request, asked)
    return Response(encode(InputTokens(found.tokens)), headers=found.headers)
