"""The fields that chat and text completions share, and the sampling parameters they come to."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from radixa.core.base import Grammar, SamplingParams
from radixa.core.errors import InvalidRequest, shown
from radixa.gateway.errors import contradiction
from radixa.gateway.request import whole
from radixa.gateway.wishes import CacheWishes

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
StopText = Annotated[str, Meta(min_length=1, max_length=1024)]

MAX_STOPS = 4
MAX_BIASES = 1024
MAX_TOKEN_IDS = 1 << 17
"""In one prompt, or in one text to be put together."""


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class Envelope(CacheWishes, frozen=True, kw_only=True):
    """What the gateway must know of a body of either API, whoever answers it."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class GenerationBody(Envelope, frozen=True, kw_only=True):
    """Fields of both APIs. Those nobody knows are ignored; `null` is the same as absent, as at OpenAI."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=MAX_STOPS)] | None = None
    logit_bias: Annotated[dict[str, Bias], Meta(max_length=MAX_BIASES)] | None = None
    # What other engines' users send in extra_body.
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(ge=0.01, le=10)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[Annotated[int, Meta(ge=0, le=2**31 - 1)]], Meta(max_length=64)] | None = None


def sampling(
    body: GenerationBody, *, max_tokens: int, logprobs: int | None, vocab_size: int, grammar: Grammar | None
) -> SamplingParams:
    """The sampling parameters of a body. InvalidRequest for what the types alone do not exclude."""
    if body.stream_options is not None and not body.stream:
        raise contradiction(
            "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        )
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=_or(body.temperature, 1.0),
        top_p=_or(body.top_p, 1.0),
        top_k=max(0, body.top_k or 0),
        min_p=_or(body.min_p, 0.0),
        frequency_penalty=_or(body.frequency_penalty, 0.0),
        presence_penalty=_or(body.presence_penalty, 0.0),
        repetition_penalty=_or(body.repetition_penalty, 1.0),
        seed=body.seed,
        stop=_stops(body),
        stop_token_ids=_token_ids(body.stop_token_ids or [], vocab_size),
        ignore_eos=bool(body.ignore_eos),
        logprobs=logprobs,
        logit_bias=_biases(body.logit_bias or {}, vocab_size),
        grammar=grammar,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _stops(body: GenerationBody) -> tuple[str, ...]:
    if body.stop is None:
        return ()
    return (body.stop,) if isinstance(body.stop, str) else tuple(body.stop)


def _token_ids(token_ids: list[int], vocab_size: int) -> tuple[int, ...]:
    for position, token_id in enumerate(token_ids):
        check_token_id(token_id, f"stop_token_ids[{position}]", vocab_size)
    return tuple(token_ids)


def _biases(biases: dict[str, float], vocab_size: int) -> dict[int, float]:
    found = {}
    for key, bias in biases.items():
        token_id = whole(key)
        if token_id is None:
            raise InvalidRequest(
                f"Invalid key in 'logit_bias': '{shown(key)}'. Expected a token id, such as '{vocab_size - 1}'.",
                param="logit_bias",
                code="invalid_value",
            )
        check_token_id(token_id, "logit_bias", vocab_size)
        found[token_id] = bias
    return found


def check_token_id(token_id: int, param: str, vocab_size: int) -> None:
    """InvalidRequest for an id outside the vocabulary."""
    if not 0 <= token_id < vocab_size:
        raise InvalidRequest(
            f"Invalid token id in '{param}': {shown(token_id)}. Expected 0 to {vocab_size - 1}.",
            param=param,
            code="invalid_value",
        )
