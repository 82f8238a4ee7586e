"""`POST /v1/completions`: text, or token ids, continued."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from radixa.core import tokens
from radixa.core.errors import InvalidRequest
from radixa.gateway.answering import MAX_ANSWERS, Answering, Content, begin, collect
from radixa.gateway.base import EventStream, Response, encode, served_by
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.errors import unsupported
from radixa.gateway.generation import MAX_TOKEN_IDS, GenerationBody, check_token_id, include_usage
from radixa.gateway.logprobs import TextLogprobs, text_logprobs
from radixa.gateway.request import Request
from radixa.gateway.routes.chat import DONE
from radixa.gateway.state import Gateway
from radixa.gateway.usage import UsageBody

TokenIds = Annotated[list[int], Meta(max_length=MAX_TOKEN_IDS)]


class CompletionBody(GenerationBody, frozen=True, kw_only=True):
    prompt: str | Annotated[list[str | int | TokenIds], Meta(min_length=1, max_length=MAX_TOKEN_IDS)]
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


class TextChoice(msgspec.Struct, frozen=True):
    text: str
    index: int
    logprobs: TextLogprobs | None
    finish_reason: str | None


class Completion(msgspec.Struct, frozen=True):
    """A whole answer, and in a stream each of its chunks."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    system_fingerprint: str
    usage: UsageBody | msgspec.UnsetType | None = msgspec.UNSET


decode = BodyDecoder(CompletionBody)


async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    body = await decode.read(await request.body(gateway.config.server.max_body_bytes))
    check(body)
    vocab_size = gateway.local.engine.info.vocab_size
    answering = await begin(
        gateway,
        request,
        body,
        prompts(body.prompt, vocab_size),
        max_tokens=body.max_tokens,
        logprobs=body.logprobs,
    )
    headers = served_by(answering.offer.served_by)
    if body.stream:
        events = request.owns(_events(answering, body.logprobs, include_usage(body)))
        return EventStream(events, headers)
    return Response(encode(await _whole(answering, body.logprobs)), headers=headers)


def check(body: CompletionBody) -> None:
    if body.echo:
        raise unsupported("echo", "the prompt is not sent back with its answer.")
    if body.suffix:
        raise unsupported("suffix", "nothing is inserted before a suffix; the prompt is continued.")
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise unsupported("best_of", f"answers are not ranked. Expected it to equal 'n' ({body.n or 1}), or nothing.")


def prompts(prompt: str | list[Any], vocab_size: int) -> list[Content]:
    """One prompt or several: a string, strings, token ids, lists of token ids."""
    if isinstance(prompt, str):
        return [prompt]
    kinds = {type(part) for part in prompt}
    if kinds == {int}:
        return [_packed(prompt, "prompt", vocab_size)]
    if len(prompt) > MAX_ANSWERS:
        raise InvalidRequest(
            f"Invalid 'prompt': array too long. Expected an array with maximum length {MAX_ANSWERS}, "
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


async def _whole(answering: Answering, logprobs: int | None) -> Completion:
    answers = await collect(answering)
    tokenizer = answering.local.tokenizer
    choices = [
        TextChoice(
            text="".join(answer.text),
            index=index,
            logprobs=None if logprobs is None else text_logprobs(answer.logprobs, tokenizer, 0, logprobs),
            finish_reason=answer.finish_reason,
        )
        for index, answer in enumerate(answers)
    ]
    return _completion(answering, choices, answering.meter.body())


async def _events(answering: Answering, logprobs: int | None, with_usage: bool) -> AsyncIterator[bytes]:
    """Pieces of text, the last of each answer with its reason; then usage where wanted, and `[DONE]`."""
    no_usage = None if with_usage else msgspec.UNSET
    offsets = [0] * answering.count
    async for chunk in answering.chunks:
        if not (chunk.text or chunk.logprobs or chunk.finish_reason):
            continue
        found = None
        if logprobs is not None and chunk.logprobs:
            offset = offsets[chunk.index]
            found = text_logprobs(chunk.logprobs, answering.local.tokenizer, offset, logprobs)
            offsets[chunk.index] += sum(map(len, found.tokens))
        choice = TextChoice(chunk.text, chunk.index, found, chunk.finish_reason)
        yield b"data: " + encode(_completion(answering, [choice], no_usage)) + b"\n\n"
    last = b""
    if with_usage:
        last = b"data: " + encode(_completion(answering, [], answering.meter.body())) + b"\n\n"
    yield last + DONE


def _completion(
    answering: Answering, choices: list[TextChoice], usage: UsageBody | msgspec.UnsetType | None
) -> Completion:
    return Completion(
        id=answering.request.id.replace("req_", "cmpl-"),
        object="text_completion",
        created=answering.request.created,
        model=answering.offer.id,
        choices=choices,
        system_fingerprint=answering.fingerprint,
        usage=usage,
    )
