"""The body of `POST /v1/completions`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from radixa.core import tokens
from radixa.core.errors import InvalidRequest, unsupported
from radixa.gateway.constraints import ConstrainedBody, grammar
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.base import Asked, Content, Understood
from radixa.gateway.generation import MAX_TOKEN_IDS, Envelope, check_token_id, sampling

MAX_PROMPTS = 128

TokenIds = Annotated[list[int], Meta(max_length=MAX_TOKEN_IDS)]


class CompletionEnvelope(Envelope, frozen=True, kw_only=True):
    prompt: msgspec.Raw
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None

    @property
    def prompts(self) -> int:
        """How many prompts there are at most."""
        raw = bytes(self.prompt)
        return 1 if raw[:1] != b"[" else raw.count(b",") + 1


class CompletionBody(ConstrainedBody, frozen=True, kw_only=True):
    prompt: str | Annotated[list[str | int | TokenIds], Meta(min_length=1, max_length=MAX_TOKEN_IDS)]
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


_envelope = BodyDecoder(CompletionEnvelope)
_body = BodyDecoder(CompletionBody)


async def read(raw: bytes) -> tuple[Asked, CompletionEnvelope]:
    """What the gateway must know of a body. InvalidRequest names the field that cannot be."""
    envelope = await _envelope.read(raw)
    asked = Asked(
        dialect="completions",
        body=raw,
        model=envelope.model,
        stream=bool(envelope.stream),
        max_tokens=envelope.max_tokens,
        wishes=envelope,
        understand=partial(understand, raw),
        n=envelope.n or 1,
    )
    return asked, envelope


def understand(raw: bytes, vocab_size: int) -> Understood:
    body = _body(raw)
    if body.echo:
        raise unsupported("echo", "the prompt is not sent back with its answer.")
    if body.suffix:
        raise unsupported("suffix", "nothing is inserted before a suffix; the prompt is continued.")
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise unsupported("best_of", f"answers are not ranked. Expected it to equal 'n' ({body.n or 1}), or nothing.")
    params = sampling(
        body,
        max_tokens=body.max_tokens or 0,
        logprobs=body.logprobs,
        vocab_size=vocab_size,
        grammar=grammar(body),
    )
    return Understood(_prompts(body.prompt, vocab_size), params)


def _prompts(prompt: str | list[Any], vocab_size: int) -> Sequence[Content]:
    """One prompt or several: a string, strings, token ids, lists of token ids."""
    if isinstance(prompt, str):
        return [prompt]
    kinds = {type(part) for part in prompt}
    if kinds == {int}:
        return [_packed(prompt, "prompt", vocab_size)]
    if len(prompt) > MAX_PROMPTS:
        raise InvalidRequest(
            f"Invalid 'prompt': array too long. Expected an array with maximum length {MAX_PROMPTS}, "
            f"but got an array with length {len(prompt)} instead.",
            param="prompt",
            code="array_above_max_length",
        )
    if kinds == {str}:
        return list(prompt)
    if kinds == {list}:
        return [_packed(ids, f"prompt[{i}]", vocab_size) for i, ids in enumerate(prompt)]
    raise InvalidRequest(
        "Invalid type for 'prompt': expected a string, an array of strings, an array of token ids or an array of "
        "such arrays, but got a mixture.",
        param="prompt",
        code="invalid_type",
    )


def _packed(ids: list[int], param: str, vocab_size: int) -> bytes:
    if not ids:
        raise InvalidRequest(f"Invalid '{param}': empty array. Expected at least one token id.", param=param)
    for token_id in (min(ids), max(ids)):
        check_token_id(token_id, param, vocab_size)
    return tokens.pack(ids)
