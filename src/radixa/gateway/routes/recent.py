"""`/v1/cache/recent`: the account's last requests as they were answered, each explained. For nobody but the account."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from radixa.core.errors import NotFound, shown
from radixa.gateway.base import Response, encode, json_response, operation
from radixa.gateway.explaining import ExplanationBody, explanation
from radixa.gateway.misses import text_of
from radixa.gateway.recent import Answered
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.models.base import Tokenizer

_BEGINNING_TOKENS = 32
"""Of a prompt's last turn, by which its author knows it again."""


class RecentBody(msgspec.Struct, frozen=True):
    request_id: str
    created: float
    """Unix seconds."""
    model: str
    api: str
    session_id: str | None
    prompt_tokens: int
    cached_tokens: int
    text: str
    """How the prompt's last message begins."""


class RecentListBody(msgspec.Struct, frozen=True):
    object: Literal["list"]
    data: list[RecentBody]


@operation(answer=RecentListBody, errors=(400,))
async def index(gateway: Gateway, request: Request) -> Response:
    """Newest first; of prompts that the cache may keep, since this server started."""
    tokenizer = gateway.local.tokenizer
    known = gateway.accounting.recent.of(request.identity.account_id)
    data = await asyncio.to_thread(lambda: [_listed(one, tokenizer) for one in known])
    return json_response(RecentListBody("list", data))


@operation(answer=ExplanationBody, errors=(400, 404))
async def show(gateway: Gateway, request: Request) -> Response:
    """What hit and what missed when this request was answered, with its text."""
    wanted = request.argument
    known = gateway.accounting.recent.of(request.identity.account_id)
    found = next((one for one in known if one.request_id == wanted), None)
    if found is None:
        raise NotFound(f"There is no request '{shown(wanted)}' among the last ones.", param="id")
    body = await asyncio.to_thread(
        explanation,
        found.prompt,
        gateway.local.tokenizer,
        found.usage,
        text=True,
    )
    return Response(encode(body))


def _listed(one: Answered, tokenizer: Tokenizer) -> RecentBody:
    last = one.prompt.turns[-1].start if one.prompt.turns else 0
    return RecentBody(
        request_id=one.request_id,
        created=round(one.created, 3),
        model=one.model,
        api=one.api,
        session_id=one.session or None,
        prompt_tokens=one.usage.prompt_tokens,
        cached_tokens=one.usage.cached_tokens,
        text=text_of(one.prompt, last, last + _BEGINNING_TOKENS, tokenizer),
    )
