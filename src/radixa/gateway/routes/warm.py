"""`POST /v1/cache/warm`: compute a prompt and keep it, for those that will begin with it. Billed as a prompt."""

from __future__ import annotations

from typing import Literal

import msgspec

from radixa.core.base import CachePolicy
from radixa.gateway.accounting import Use
from radixa.gateway.base import Response, encode, operation, served_by
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from radixa.gateway.errors import contradiction
from radixa.gateway.meter import Meter
from radixa.gateway.request import Request
from radixa.gateway.routes.one_prompt import OnePrompt, one_prompt
from radixa.gateway.state import Gateway
from radixa.gateway.usage import UsageBody
from radixa.gateway.wishes import cache_policy


class WarmedBody(msgspec.Struct, frozen=True):
    object: Literal["cache.warmed"]
    model: str
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    usage: UsageBody


@operation(body=(ChatBody, CompletionBody), answer=WarmedBody, errors=(404, 429))
async def warm(gateway: Gateway, request: Request) -> Response:
    """Messages are kept up to where the template would open the answer, so whatever they are followed by hits them.

    What is warmed is pinned, unless the body says otherwise.
    """
    wanted = await one_prompt(gateway, request, await request.body(gateway.config.server.max_body_bytes))
    offer, local = wanted.offer, gateway.local
    asked = wanted.request(gateway, request, _policy(wanted), max_tokens=0)
    request.watch()
    use = Use("warm", len(wanted.asked.body), session=asked.cache.session, namespace=asked.namespace, keeps=True)
    account = await gateway.accounting.open(request, offer, use)
    with account:
        prompt = await local.prepare(asked, add_generation_prompt=False)
        meter = Meter(offer, request.started, 1, [prompt], local.tokenizer)
        async for chunk in request.owns(local.generate(asked, prompt)):
            meter.note(chunk)
    account.settle(meter, 200)
    usage = meter.body()
    body = WarmedBody(
        object="cache.warmed",
        model=offer.id,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.prompt_tokens_details.cache_write_tokens,
        usage=usage,
    )
    return Response(encode(body), headers=(*served_by(local.name), *account.headers()))


def _policy(wanted: OnePrompt) -> CachePolicy:
    """Whoever warms asks for the cache, wherever it is opt-in."""
    body = wanted.asked.wishes
    policy = cache_policy(body, "auto", wanted.understood.marks)
    if not policy.write:
        field = "cache_control" if body.cache_control in ("no-store", "no-cache") else "prompt_cache"
        if field == "prompt_cache" and body.prompt_cache is None:
            field = "prefix_caching"
        raise contradiction(field, f"'{field}' says not to keep the prompt, and warming is to keep it: leave it out.")
    named = policy.ttl is not None or policy.priority or body.pin is not None
    return policy if named else msgspec.structs.replace(policy, pin=True)
