"""How many tokens a body's prompt has, without an answer to it. Free."""

from __future__ import annotations

from dataclasses import dataclass

from radixa.gateway.answering import provider_requests
from radixa.gateway.asgi import Header
from radixa.gateway.base import served_by
from radixa.gateway.dialects.base import Asked
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


@dataclass(frozen=True, slots=True)
class Counted:
    tokens: int
    headers: tuple[Header, ...]


async def count_prompt(gateway: Gateway, request: Request, asked: Asked) -> Counted:
    """As the model's provider counts: our engine by its chat template, an upstream by its own means."""
    offer = gateway.offer(request, asked.model)
    provider = gateway.provider(offer)
    request.watch()
    (wanted,) = await provider_requests(gateway, request, asked, offer, provider)
    return Counted(await provider.count_tokens(wanted), served_by(offer.served_by))
