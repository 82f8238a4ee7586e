"""Log-probabilities in the two shapes that OpenAI's APIs have for them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from radixa.core.base import TextLogprob


class ChatTop(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]


class ChatToken(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int]
    """The token's own bytes: a character may need several tokens."""
    top_logprobs: list[ChatTop]


class ChatLogprobs(msgspec.Struct, frozen=True):
    content: list[ChatToken]
    refusal: None = None


class TextLogprobs(msgspec.Struct, frozen=True):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    """None where no alternatives were asked for."""
    text_offset: list[int]
    """Where each token begins in the answer's text, in characters."""


def chat_logprobs(found: Iterable[TextLogprob]) -> ChatLogprobs:
    content = []
    for chosen in found:
        top = [ChatTop(_text(token), logprob, list(token)) for token, logprob in chosen.top]
        content.append(ChatToken(_text(chosen.token), chosen.logprob, list(chosen.token), top))
    return ChatLogprobs(content)


def text_logprobs(found: Iterable[TextLogprob], offset: int, wanted: int) -> TextLogprobs:
    """`offset`: characters of the answer before these tokens; `wanted`: alternatives asked for.

    Alternatives that read the same (halves of characters do) share one entry, the likeliest, since the shape is a map.
    """
    tokens: list[str] = []
    offsets: list[int] = []
    values: list[float] = []
    tops: list[dict[str, float]] = []
    for chosen in found:
        text = _text(chosen.token)
        tokens.append(text)
        offsets.append(offset)
        values.append(chosen.logprob)
        offset += len(text)
        top: dict[str, float] = {}
        for token, logprob in chosen.top:
            top.setdefault(_text(token), logprob)
        top.setdefault(text, chosen.logprob)
        tops.append(top)
    return TextLogprobs(tokens, values, tops if wanted else None, offsets)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
