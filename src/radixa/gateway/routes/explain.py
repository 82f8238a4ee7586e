"""`POST /v1/cache/explain`: what a prompt would find in the cache now, and where and why it leaves it. Free."""

from __future__ import annotations

import asyncio
from typing import Literal

from radixa.core.errors import InvalidRequest, shown
from radixa.gateway.base import Parameter, Response, encode, operation, served_by
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from radixa.gateway.explaining import ExplanationBody, explanation
from radixa.gateway.request import Request
from radixa.gateway.routes.one_prompt import one_prompt
from radixa.gateway.state import Gateway
from radixa.gateway.wishes import cache_policy

_QUERY = (Parameter("include", "The prompt's text too, by where it lies: `parts`.", Literal["text"]),)


@operation(body=(ChatBody, CompletionBody), query=_QUERY, answer=ExplanationBody, errors=(404,))
async def explain(gateway: Gateway, request: Request) -> Response:
    """For a body of chat completions, or of completions with one prompt, which is checked as those check it."""
    include = request.query().get("include")
    if include not in (None, "text"):
        raise InvalidRequest(f"Invalid 'include': '{shown(include)}'. Expected text.", param="include")
    wanted = await one_prompt(gateway, request, await request.body(gateway.config.server.max_body_bytes))
    local = gateway.local
    policy = cache_policy(wanted.asked.wishes, gateway.config.cache.default, wanted.understood.marks)
    asked = wanted.request(gateway, request, policy)
    prompt = await local.prepare(asked)
    found = await local.engine.explain(prompt.token_ids, asked.namespace, read=policy.read)
    body = await asyncio.to_thread(
        explanation,
        prompt,
        local.tokenizer,
        found,
        text=include is not None,
    )
    return Response(encode(body), headers=served_by(local.name))
