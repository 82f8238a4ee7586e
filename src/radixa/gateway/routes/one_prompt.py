"""Bodies that hold one prompt and want no answer to it: those of explain, warm and flush, for the embedded engine."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from radixa.core.base import CachePolicy, GenerateRequest
from radixa.core.errors import InvalidRequest
from radixa.gateway.answering import prompt_request
from radixa.gateway.catalogue import Offer
from radixa.gateway.decode import BodyDecoder, decoded
from radixa.gateway.dialects.base import Asked, Understood
from radixa.gateway.dialects.chat import body as chat
from radixa.gateway.dialects.completions import body as completions
from radixa.gateway.presence import NULL
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


@dataclass(frozen=True, slots=True)
class OnePrompt:
    """A body of chat completions, or of completions with one prompt."""

    asked: Asked
    understood: Understood
    offer: Offer

    def request(
        self, gateway: Gateway, request: Request, policy: CachePolicy, *, max_tokens: int | None = None
    ) -> GenerateRequest:
        """What completions would ask a provider for; `max_tokens` in place of the body's own."""
        (prompt,), params = self.understood.prompts, self.understood.sampling
        found = prompt_request(gateway, request, self.asked, self.offer, prompt, params, policy)
        if max_tokens is not None:
            params = msgspec.structs.replace(found.sampling, max_tokens=max_tokens)
            found = msgspec.structs.replace(found, sampling=params, open_ended=False)
        return msgspec.structs.replace(found, n=1)


class _Kind(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL


_kind = BodyDecoder(_Kind)


async def one_prompt(gateway: Gateway, request: Request, raw: bytes) -> OnePrompt:
    """Decode and check a body as completions would. InvalidRequest where it holds no prompt, or several."""
    kind = await _kind.read(raw)
    plain = bytes(kind.prompt) != b"null"
    if plain and bytes(kind.messages) != b"null":
        raise InvalidRequest(
            "Expected exactly one of 'messages' and 'prompt', but got both.", param="prompt", code="invalid_value"
        )
    asked, _ = await (completions.read(raw) if plain else chat.read(raw))
    offer = gateway.offer(request, asked.model)
    vocab_size = gateway.local.engine.info.vocab_size
    understood = await decoded(raw, lambda: asked.understand(vocab_size))
    if len(understood.prompts) != 1:
        raise InvalidRequest(
            f"Invalid 'prompt': expected one prompt, but got {len(understood.prompts)}.",
            param="prompt",
            code="invalid_value",
        )
    return OnePrompt(asked, understood, offer)
