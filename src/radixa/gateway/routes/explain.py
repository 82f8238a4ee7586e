"""`POST /v1/cache/explain`: what a prompt would find in the cache now, and where and why it leaves it. Free."""

from __future__ import annotations

import msgspec

from radixa.gateway.base import Response, encode, operation, served_by
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from radixa.gateway.misses import MissBody, VolatileBody, miss_body, volatile_body
from radixa.gateway.request import Request
from radixa.gateway.routes.one_prompt import one_prompt
from radixa.gateway.state import Gateway
from radixa.gateway.usage import Tiers, tiers_of
from radixa.gateway.wishes import cache_policy


class ExplanationBody(msgspec.Struct, frozen=True):
    prompt_tokens: int
    cached_tokens: int
    tiers: Tiers
    miss: MissBody | None
    volatile: VolatileBody | None


@operation(body=(ChatBody, CompletionBody), answer=ExplanationBody, errors=(404,))
async def explain(gateway: Gateway, request: Request) -> Response:
    """For a body of chat completions, or of completions with one prompt, which is checked as those check it."""
    wanted = await one_prompt(gateway, request, await request.body(gateway.config.server.max_body_bytes))
    local = gateway.local
    policy = cache_policy(wanted.asked.wishes, gateway.config.cache.default, wanted.understood.marks)
    asked = wanted.request(gateway, request, policy)
    prompt = await local.prepare(asked)
    found = await local.engine.explain(prompt.token_ids, asked.namespace, read=policy.read)
    miss, volatile = found.miss, found.volatile
    body = ExplanationBody(
        prompt_tokens=found.prompt_tokens,
        cached_tokens=found.cached_tokens,
        tiers=tiers_of(found.cached_tokens, found.disk_tokens),
        miss=None if miss is None else miss_body(miss, prompt, volatile, local.tokenizer),
        volatile=None if volatile is None else volatile_body(volatile, prompt, local.tokenizer),
    )
    return Response(encode(body), headers=served_by(local.name))
