"""Log-probabilities in the two shapes that OpenAI's APIs have for them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from radixa.core.base import TokenLogprob
from radixa.models.base import Tokenizer


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


def chat_logprobs(found: Iterable[TokenLogprob], tokenizer: Tokenizer) -> ChatLogprobs:
    content = []
    for token in found:
        raw = tokenizer.token_bytes(token.token_id)
        top = []
        for token_id, logprob in token.top:
            alternative = tokenizer.token_bytes(token_id)
            top.append(ChatTop(_text(alternative), logprob, list(alternative)))
        content.append(ChatToken(_text(raw), token.logprob, list(raw), top))
    return ChatLogprobs(content)


def text_logprobs(found: Iterable[TokenLogprob], tokenizer: Tokenizer, offset: int, wanted: int) -> TextLogprobs:
    """`offset`: characters of the answer before these tokens; `wanted`: alternatives asked for.

    Alternatives that read the same (halves of characters do) share one entry, the likeliest, since the shape is a map.
    """
    tokens: list[str] = []
    offsets: list[int] = []
    values: list[float] = []
    tops: list[dict[str, float]] = []
    for token in found:
        text = _text(tokenizer.token_bytes(token.token_id))
        tokens.append(text)
        offsets.append(offset)
        values.append(token.logprob)
        offset += len(text)
        top: dict[str, float] = {}
        for token_id, logprob in token.top:
            top.setdefault(_text(tokenizer.token_bytes(token_id)), logprob)
        top.setdefault(text, token.logprob)
        tops.append(top)
    return TextLogprobs(tokens, values, tops if wanted else None, offsets)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
