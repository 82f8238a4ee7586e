"""What chat and text completions do alike between a decoded body and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from radixa.core.base import CachePolicy, FinishReason, GenerateChunk, GenerateRequest, Message, TokenLogprob
from radixa.core.errors import InvalidRequest
from radixa.gateway.catalogue import Offer
from radixa.gateway.generation import GenerationBody, check_supported, sampling
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.gateway.usage import Meter
from radixa.gateway.wishes import Mark, cache_policy, namespace
from radixa.providers.local import LocalProvider
from radixa.providers.streams import closing, merged

MAX_ANSWERS = 128
"""In one request, over all its prompts."""

Content = str | bytes | tuple[Message, ...]
"""A prompt: text, token ids, or messages."""


@dataclass(slots=True)
class Answering:
    """One request being answered: who answers, under which name, and what it uses."""

    request: Request
    offer: Offer
    local: LocalProvider
    meter: Meter
    fingerprint: str
    chunks: AsyncIterator[GenerateChunk]
    count: int
    """Answers there will be: prompts times `n`."""


async def begin(
    gateway: Gateway,
    request: Request,
    body: GenerationBody,
    prompts: Sequence[Content],
    *,
    max_tokens: int | None,
    logprobs: int | None,
    marks: Sequence[Mark] = (),
) -> Answering:
    """Start answering: returns when the first chunk is there, so that until then an error has its own status.

    `marks`: the prompts' cache breakpoints. From here on the client's leaving cancels the work.
    """
    offer = gateway.catalogue.resolve(body.model)
    local = gateway.local
    n = body.n or 1
    if len(prompts) * n > MAX_ANSWERS:
        raise InvalidRequest(
            f"Invalid 'n': {n} answers to {len(prompts)} prompts are {n * len(prompts)} answers. "
            f"Expected at most {MAX_ANSWERS} in one request.",
            param="n",
            code="invalid_value",
        )
    policy = cache_policy(body, gateway.config.cache.default, marks)
    requests = [
        asked(gateway, request, body, prompt, policy, max_tokens=max_tokens, logprobs=logprobs, number=number)
        for number, prompt in enumerate(prompts)
    ]
    request.watch()
    prepared = await asyncio.gather(*map(local.prepare, requests))
    meter = Meter(offer, request.started, n, prepared, local.tokenizer)
    streams = [
        _numbered(local.generate(found, prompt), number * n)
        for number, (found, prompt) in enumerate(zip(requests, prepared, strict=True))
    ]
    chunks = request.owns(merged(streams))
    first = await anext(chunks)
    whole = request.owns(_metered(gateway, request, meter, first, chunks))
    return Answering(request, offer, local, meter, gateway.fingerprint, whole, len(requests) * n)


def asked(
    gateway: Gateway,
    request: Request,
    body: GenerationBody,
    prompt: Content,
    policy: CachePolicy,
    *,
    max_tokens: int | None,
    logprobs: int | None,
    number: int = 0,
) -> GenerateRequest:
    """One prompt of a body as a provider takes it. InvalidRequest for what the body's types do not exclude."""
    check_supported(body)
    return GenerateRequest(
        request_id=f"{request.id}-{number}",
        model=body.model or gateway.local.name,
        namespace=namespace(request.identity.account_id, body.cache_salt),
        sampling=sampling(
            body,
            max_tokens=gateway.config.engine.default_max_tokens if max_tokens is None else max_tokens,
            logprobs=logprobs,
            vocab_size=gateway.local.engine.info.vocab_size,
        ),
        cache=policy,
        messages=prompt if isinstance(prompt, tuple) else None,
        prompt=prompt if isinstance(prompt, str) else None,
        token_ids=prompt if isinstance(prompt, bytes) else None,
        n=body.n or 1,
        open_ended=max_tokens is None,
    )


async def _numbered(chunks: AsyncIterator[GenerateChunk], offset: int) -> AsyncIterator[GenerateChunk]:
    """The answers of one prompt among several, numbered on from those of the prompts before it."""
    async with closing(chunks) as found:
        async for chunk in found:
            if offset:
                yield GenerateChunk(
                    chunk.index + offset, chunk.text, chunk.token_ids, chunk.logprobs, chunk.finish_reason, chunk.usage
                )
            else:
                yield chunk


async def _metered(
    gateway: Gateway,
    request: Request,
    meter: Meter,
    first: GenerateChunk,
    rest: AsyncIterator[GenerateChunk],
) -> AsyncIterator[GenerateChunk]:
    """All chunks, seen by the meter; after the last one the request counts as answered."""
    meter.note(first)
    yield first
    async for chunk in rest:
        meter.note(chunk)
        yield chunk
    gateway.answered(request.identity.account_id, meter)


@dataclass(slots=True)
class Collected:
    """One whole answer."""

    text: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None


async def collect(answering: Answering) -> list[Collected]:
    """Every answer to its end, by index."""
    answers = [Collected() for _ in range(answering.count)]
    async for chunk in answering.chunks:
        answer = answers[chunk.index]
        answer.text.append(chunk.text)
        answer.logprobs.extend(chunk.logprobs or ())
        answer.finish_reason = chunk.finish_reason or answer.finish_reason
    return answers
