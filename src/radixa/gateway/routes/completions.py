"""`POST /v1/completions`: text, or token ids, continued."""

from __future__ import annotations

from radixa.gateway.answering import begin
from radixa.gateway.base import EventStream, Response, operation
from radixa.gateway.dialects.completions import answer, body
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


@operation(body=(body.CompletionBody,), answer=answer.Completion, streams=True, forwards=True)
async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    """Prompts continued, whole or as events that end with `[DONE]`."""
    asked, envelope = await body.read(await request.body(gateway.config.server.max_body_bytes))
    answering = await begin(gateway, request, asked)
    if asked.stream:
        with_usage = envelope.include_usage or request.identity.terms.force_include_usage
        return EventStream(request.owns(answer.events(answering, envelope.logprobs, with_usage)), answering.headers)
    return Response(await answer.whole(answering, envelope.logprobs), headers=answering.headers)
