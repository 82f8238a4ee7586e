"""Between a body that was read and its answer: who answers, what may be used, what was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, SamplingParams, Source
from radixa.core.conversation import Conversation
from radixa.core.errors import EngineUnavailable, InvalidRequest, RadixaError, RateLimited, UpstreamError
from radixa.gateway.accounting import Account, Use
from radixa.gateway.asgi import Header
from radixa.gateway.base import served_by
from radixa.gateway.catalogue import Offer
from radixa.gateway.decode import decoded
from radixa.gateway.dialects.base import ANY_VOCABULARY, Asked, Content
from radixa.gateway.meter import Meter
from radixa.gateway.request import CLIENT_LEFT, Request
from radixa.gateway.state import Gateway
from radixa.gateway.wishes import cache_policy, namespace
from radixa.providers.base import Provider
from radixa.providers.local.prompt import Prompt
from radixa.providers.local.provider import LocalProvider
from radixa.providers.size import text_bytes
from radixa.providers.streams import closing, merged

log = logging.getLogger("radixa.gateway")

MAX_ANSWERS = 128
"""In one request, over all its prompts."""


@dataclass(slots=True)
class Answering:
    """One request being answered: who answers, under which name, and what it uses."""

    request: Request
    offer: Offer
    meter: Meter
    fingerprint: str | None
    chunks: AsyncIterator[GenerateChunk]
    count: int
    """Answers there will be: prompts times `n`."""
    headers: tuple[Header, ...]


async def begin(gateway: Gateway, request: Request, asked: Asked) -> Answering:
    """Start answering: returns when the first chunk is there, so that until then an error has its own status.

    Where a model's provider fails before it answers, those of the catalogue's fallbacks for it that the key may use are
    asked in turn. From here on the client's leaving cancels the work.
    """
    first = gateway.offer(request, asked.model)
    request.watch()
    try:
        return await _begin_at(gateway, request, asked, first)
    except _ProviderFailed as failed:
        failure = failed.error
    log.warning("request %s: %s failed: %s", request.id, first.id, failure.message)
    for name in first.fallbacks:
        # Whatever keeps a fallback from answering, the caller asked for the first: what kept that one is to be said.
        try:
            return await _begin_at(gateway, request, asked, gateway.offer(request, name), instead_of=first)
        except _ProviderFailed as failed:
            log.warning("request %s: %s failed too: %s", request.id, name, failed.error.message)
        except RadixaError as error:
            log.warning("request %s: %s cannot stand in: %s", request.id, name, error.message)
    raise failure


class _ProviderFailed(Exception):
    """What a provider could not do, and another one may: it failed, is not there, or has had enough."""

    def __init__(self, error: RadixaError) -> None:
        super().__init__(error.message)
        self.error = error


async def _begin_at(
    gateway: Gateway, request: Request, asked: Asked, offer: Offer, instead_of: Offer | None = None
) -> Answering:
    try:
        provider = gateway.provider(offer)
    except EngineUnavailable as error:
        raise _ProviderFailed(error) from error
    wanted = await provider_requests(gateway, request, asked, offer, provider)
    count = len(wanted) * asked.n
    if count > MAX_ANSWERS:
        raise InvalidRequest(
            f"Invalid 'n': {asked.n} answers to {len(wanted)} prompts are {count} answers. "
            f"Expected at most {MAX_ANSWERS} in one request.",
            param="n",
            code="invalid_value",
        )
    policy = wanted[0].cache
    sent_bytes = text_bytes(asked.body)
    use = Use(
        api=asked.dialect,
        text_bytes=sent_bytes,
        generated=count * wanted[0].sampling.max_tokens,
        stream=asked.stream,
        session=policy.session,
        namespace=wanted[0].namespace,
        fallback_from="" if instead_of is None else instead_of.id,
        keeps=policy.write,
    )
    account = await gateway.accounting.open(request, offer, use)
    try:
        with account:
            meter, streams = await _start(request, asked, offer, provider, wanted, sent_bytes)
            chunks = request.owns(merged(streams))
            first = await anext(chunks, None)
            if first is None:
                raise UpstreamError(f"{offer.provider} answered with an empty stream.")
    except (UpstreamError, EngineUnavailable, RateLimited) as error:
        # A limit of our own is said before this, and is no provider's.
        raise _ProviderFailed(error) from error
    whole = request.owns(_accounted(request, account, meter, count, first, chunks, delivers=asked.stream))
    # It may be over before anybody reads the first of `whole`, which then never runs.
    request.ends(partial(account.close, meter, CLIENT_LEFT))
    headers = (*served_by(offer.served_by), *account.headers())
    if instead_of is not None:
        headers += ((b"x-radixa-fallback-from", instead_of.id.encode("ascii", "replace")),)
    fingerprint = gateway.fingerprint if isinstance(provider, LocalProvider) else None
    return Answering(request, offer, meter, fingerprint, whole, count, headers)


async def provider_requests(
    gateway: Gateway, request: Request, asked: Asked, offer: Offer, provider: Provider
) -> list[GenerateRequest]:
    """What the provider is asked: the body as it came, where it speaks its dialect, else every prompt of it."""
    default = gateway.config.cache.default
    if asked.dialect in provider.dialects:
        policy = replace(cache_policy(asked.wishes, default), explicit=asked.explicit)
        params = SamplingParams(max_tokens=asked.max_tokens or gateway.config.engine.default_max_tokens)
        source = Source(asked.dialect, asked.body, asked.headers)
        return [_request(request, asked, offer, params, policy, source=source)]
    vocab_size = provider.engine.info.vocab_size if isinstance(provider, LocalProvider) else ANY_VOCABULARY
    understood = await decoded(asked.body, lambda: asked.understand(vocab_size))
    policy = replace(cache_policy(asked.wishes, default, understood.marks), explicit=asked.explicit)
    return [
        prompt_request(gateway, request, asked, offer, prompt, understood.sampling, policy, number)
        for number, prompt in enumerate(understood.prompts)
    ]


def prompt_request(
    gateway: Gateway,
    request: Request,
    asked: Asked,
    offer: Offer,
    prompt: Content,
    params: SamplingParams,
    policy: CachePolicy,
    number: int = 0,
) -> GenerateRequest:
    """One prompt of a body as a provider takes it."""
    if asked.max_tokens is None:
        params = replace(params, max_tokens=gateway.config.engine.default_max_tokens)
    return _request(
        request,
        asked,
        offer,
        params,
        policy,
        number=number,
        conversation=prompt if isinstance(prompt, Conversation) else None,
        prompt=prompt if isinstance(prompt, str) else None,
        token_ids=prompt if isinstance(prompt, bytes) else None,
    )


def _request(
    request: Request,
    asked: Asked,
    offer: Offer,
    params: SamplingParams,
    policy: CachePolicy,
    *,
    number: int = 0,
    conversation: Conversation | None = None,
    prompt: str | None = None,
    token_ids: bytes | None = None,
    source: Source | None = None,
) -> GenerateRequest:
    return GenerateRequest(
        request_id=f"{request.id}-{number}",
        model=offer.target,
        namespace=namespace(request.identity.account_id, asked.wishes.cache_salt),
        sampling=params,
        cache=policy,
        conversation=conversation,
        prompt=prompt,
        token_ids=token_ids,
        source=source,
        stream=asked.stream,
        n=asked.n,
        extra=dict(offer.extra),
        open_ended=asked.max_tokens is None,
    )


async def _start(
    request: Request, asked: Asked, offer: Offer, provider: Provider, wanted: list[GenerateRequest], sent_bytes: int
) -> tuple[Meter, list[AsyncIterator[GenerateChunk]]]:
    """The answers' streams, of which nothing was read yet, and the meter that will watch them."""
    if isinstance(provider, LocalProvider):
        prepared = await _prepared(provider, wanted)
        meter = Meter(offer, request.started, asked.n, prepared, provider.tokenizer)
        streams = [provider.generate(found, prompt) for found, prompt in zip(wanted, prepared, strict=True)]
    else:
        at_most = None if asked.max_tokens is None else asked.max_tokens * asked.n * len(wanted)
        meter = Meter(offer, request.started, asked.n, sent_bytes=sent_bytes, at_most=at_most)
        streams = [provider.generate(found) for found in wanted]
    numbered = [_numbered(stream, number * asked.n) for number, stream in enumerate(streams[1:], 1)]
    return meter, [streams[0], *numbered]


async def _prepared(provider: LocalProvider, wanted: list[GenerateRequest]) -> list[Prompt]:
    """All prompts in tokens. The first that cannot be answered ends the work on the others."""
    if len(wanted) == 1:
        return [await provider.prepare(wanted[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(provider.prepare(found)) for found in wanted]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _numbered(chunks: AsyncIterator[GenerateChunk], offset: int) -> AsyncIterator[GenerateChunk]:
    """The answers of one prompt among several, numbered on from those of the prompts before it."""
    async with closing(chunks) as found:
        async for chunk in found:
            yield replace(chunk, index=chunk.index + offset)


async def _accounted(
    request: Request,
    account: Account,
    meter: Meter,
    count: int,
    first: GenerateChunk,
    rest: AsyncIterator[GenerateChunk],
    *,
    delivers: bool,
) -> AsyncIterator[GenerateChunk]:
    """All chunks, seen by the meter. The request is in the ledger before the last of them goes out, however it ends.

    `delivers`: what was sent before a failure is the caller's; a whole answer that fails is none.
    """
    status = CLIENT_LEFT
    try:
        meter.note(first)
        if meter.complete(count):
            account.settle(meter, 200)
        yield first
        async for chunk in rest:
            meter.note(chunk)
            if meter.complete(count):
                account.settle(meter, 200)
            yield chunk
        status = 200
        account.settle(meter, status)
    except RadixaError as error:
        if not delivers:
            account.refund()
        status = error.status
        raise
    except asyncio.CancelledError:
        if not request.left:
            # The server stops, and says so.
            status = EngineUnavailable.status
            if not delivers:
                account.refund()
        raise
    finally:
        account.close(meter, status)
