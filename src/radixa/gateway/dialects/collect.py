"""Whole answers out of their pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from radixa.core.base import FinishReason, GenerateChunk, TextLogprob


@dataclass(slots=True)
class CollectedCall:
    """A tool call; `arguments` is JSON text."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Collected:
    """One whole answer."""

    text: str = ""
    reasoning: str = ""
    signature: str = ""
    calls: dict[int, CollectedCall] = field(default_factory=dict)
    """By position."""
    logprobs: list[TextLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None


@dataclass(slots=True)
class Whole:
    """All answers of a request, by index, or the provider's own words for them."""

    answers: list[Collected]
    raw: bytes = b""


async def collect(chunks: AsyncIterator[GenerateChunk], count: int) -> Whole:
    """Every answer to its end; `count` of them are expected."""
    answers = [Collected() for _ in range(count)]
    texts: list[list[str]] = [[] for _ in range(count)]
    thoughts: list[list[str]] = [[] for _ in range(count)]
    raw = b""
    async for chunk in chunks:
        raw = chunk.raw or raw
        if chunk.index >= count:
            continue
        answer = answers[chunk.index]
        texts[chunk.index].append(chunk.text)
        if chunk.reasoning:
            thoughts[chunk.index].append(chunk.reasoning)
        answer.signature += chunk.signature
        answer.logprobs.extend(chunk.logprobs or ())
        answer.finish_reason = chunk.finish_reason or answer.finish_reason
        for delta in chunk.tool_calls:
            call = answer.calls.setdefault(delta.position, CollectedCall())
            call.id = call.id or delta.id
            call.name = call.name or delta.name
            call.arguments += delta.arguments
    for answer, text, thought in zip(answers, texts, thoughts, strict=True):
        answer.text, answer.reasoning = "".join(text), "".join(thought)
    return Whole(answers, raw)
