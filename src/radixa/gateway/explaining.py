"""Explanations in texts: how much of a prompt is there, in which tier, where it leaves the cache and why."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Literal

import msgspec

from radixa.core.base import Explanation, Usage
from radixa.core.tokens import TOKEN_BYTES, unpack
from radixa.gateway.misses import MissBody, VolatileBody, miss_body, volatile_body
from radixa.gateway.usage import Tiers, tiers_of
from radixa.models.base import Tokenizer
from radixa.providers.local.prompt import Prompt


class PartBody(msgspec.Struct, frozen=True):
    """A stretch of the prompt. The stretches follow each other, and their texts are the prompt's."""

    state: Literal["device", "host", "disk", "computed"]
    tokens: int
    text: str


class ExplanationBody(msgspec.Struct, frozen=True):
    prompt_tokens: int
    cached_tokens: int
    tiers: Tiers
    miss: MissBody | None
    volatile: VolatileBody | None
    parts: list[PartBody] | msgspec.UnsetType = msgspec.UNSET
    """Where the text was asked for."""


def explanation(prompt: Prompt, tokenizer: Tokenizer, found: Usage | Explanation, *, text: bool) -> ExplanationBody:
    """Of the cached tokens, the last came from a lower tier; `text` puts the prompt's text in too."""
    tiers, miss, volatile = tiers_of(found), found.miss, found.volatile
    return ExplanationBody(
        prompt_tokens=prompt.tokens,
        cached_tokens=found.cached_tokens,
        tiers=tiers,
        miss=None if miss is None else miss_body(miss, prompt, volatile, tokenizer),
        volatile=None if volatile is None else volatile_body(volatile, prompt, tokenizer),
        parts=list(_parts(prompt, tiers, tokenizer)) if text else msgspec.UNSET,
    )


def _parts(prompt: Prompt, tiers: Tiers, tokenizer: Tokenizer) -> Iterator[PartBody]:
    # A character whose bytes lie in two stretches is shown in the one where it ends.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    begin = 0
    stretches: tuple[tuple[Literal["device", "host", "disk", "computed"], int], ...] = (
        ("device", tiers.device),
        ("host", tiers.device + tiers.host),
        ("disk", tiers.device + tiers.host + tiers.disk),
        ("computed", prompt.tokens),
    )
    for state, end in stretches:
        if end > begin:
            ids = unpack(prompt.token_ids[begin * TOKEN_BYTES : end * TOKEN_BYTES])
            data = b"".join([tokenizer.token_bytes(token) for token in ids])
            yield PartBody(state, end - begin, decoder.decode(data, final=end == prompt.tokens))
            begin = end
