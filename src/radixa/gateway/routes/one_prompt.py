"""Bodies that hold one prompt and want no answer to it: those of explain, warm and flush."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from radixa.core.base import CachePolicy, GenerateRequest
from radixa.core.errors import InvalidRequest
from radixa.gateway.answering import Content, asked
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.generation import GenerationBody
from radixa.gateway.messages import breakpoints, plain_messages
from radixa.gateway.presence import NULL
from radixa.gateway.request import Request
from radixa.gateway.routes import chat, completions
from radixa.gateway.state import Gateway
from radixa.gateway.wishes import Mark


@dataclass(frozen=True, slots=True)
class OnePrompt:
    """A body of chat completions, or of completions with one prompt."""

    body: GenerationBody
    content: Content
    max_tokens: int | None
    logprobs: int | None
    marks: list[Mark] = field(default_factory=list)

    def asked(
        self, gateway: Gateway, request: Request, policy: CachePolicy, *, max_tokens: int | None = None
    ) -> GenerateRequest:
        """What completions would ask a provider for; `max_tokens` in place of the body's own."""
        found = asked(
            gateway,
            request,
            self.body,
            self.content,
            policy,
            max_tokens=self.max_tokens if max_tokens is None else max_tokens,
            logprobs=self.logprobs,
        )
        return msgspec.structs.replace(found, n=1)


class _Kind(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL


_kind = BodyDecoder(_Kind)


async def one_prompt(gateway: Gateway, raw: bytes) -> OnePrompt:
    """Decode and check a body as completions would. InvalidRequest where it holds no prompt, or several."""
    kind = await _kind.read(raw)
    plain = bytes(kind.prompt) != b"null"
    if plain and bytes(kind.messages) != b"null":
        raise InvalidRequest(
            "Expected exactly one of 'messages' and 'prompt', but got both.", param="prompt", code="invalid_value"
        )
    if not plain:
        body = await chat.decode.read(raw)
        return OnePrompt(
            body, plain_messages(body.messages), chat.max_tokens(body), chat.logprobs(body), breakpoints(body.messages)
        )
    text = await completions.decode.read(raw)
    completions.check(text)
    found = completions.prompts(text.prompt, gateway.local.engine.info.vocab_size)
    if len(found) != 1:
        raise InvalidRequest(
            f"Invalid 'prompt': expected one prompt, but got {len(found)}.", param="prompt", code="invalid_value"
        )
    return OnePrompt(text, found[0], text.max_tokens, text.logprobs)
