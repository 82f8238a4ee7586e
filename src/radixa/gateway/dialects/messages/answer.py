"""Answers as Anthropic's messages write them, whole and piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from radixa.core.base import FinishReason, GenerateChunk, Usage
from radixa.gateway.answering import Answering
from radixa.gateway.base import encode
from radixa.gateway.dialects.collect import collect
from radixa.gateway.dialects.messages.usage import MessagesUsage, messages_usage
from radixa.gateway.dialects.passing import event, passed_on
from radixa.gateway.dialects.sections import Section, Sections, Step, sections_of
from radixa.gateway.dialects.splice import spliced
from radixa.providers.streams import closing

_STOP_REASONS: dict[FinishReason | None, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

_input = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


async def whole(answering: Answering) -> bytes:
    found = await collect(answering.chunks, 1)
    if found.raw:
        return _with_usage(answering, found.raw)
    (answer,) = found.answers
    body = _message(answering, [_block(section) for section in sections_of(answer)], _usage(answering))
    body["stop_reason"] = _stop_reason(answer.finish_reason, tools=bool(answer.calls))
    return encode(body)


async def events(answering: Answering) -> AsyncIterator[bytes]:
    """The answer as Anthropic streams it, or as the provider does where that is Anthropic's own way."""
    first = await anext(answering.chunks)
    if first.raw:
        stream = passed_on(first, answering.chunks, ("message_delta",), lambda raw: _with_usage(answering, raw))
    else:
        stream = _written(answering, first)
    async with closing(stream) as found:
        async for piece in found:
            yield piece


async def _written(answering: Answering, first: GenerateChunk) -> AsyncIterator[bytes]:
    """Start, the blocks one after the other, why it ended with all counts, stop."""
    sections, reason = Sections(), first.finish_reason
    # What begins the answer goes out with its first words: one message to the server instead of two.
    pending = _event("message_start", message=_message(answering, [], _begun(answering.meter.total())))
    pending += _event("ping") + _events(sections, first)
    yield pending
    async for chunk in answering.chunks:
        reason = chunk.finish_reason or reason
        if pending := _events(sections, chunk):
            yield pending
    tools = any(section.kind == "tool" for section in sections.all)
    pending = b"".join(map(_step, sections.end()))
    delta = {"stop_reason": _stop_reason(reason, tools=tools), "stop_sequence": None}
    pending += _event("message_delta", delta=delta, usage=_usage(answering))
    yield pending + _event("message_stop")


def _message(answering: Answering, content: list[dict[str, Any]], usage: MessagesUsage) -> dict[str, Any]:
    return {
        "id": answering.request.id.replace("req_", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": answering.offer.id,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _block(section: Section) -> dict[str, Any]:
    """A whole section as a content block."""
    match section.kind:
        case "thinking":
            return {"type": "thinking", "thinking": section.text, "signature": section.signature}
        case "text":
            return {"type": "text", "text": section.text}
    return {"type": "tool_use", "id": section.id, "name": section.name, "input": _arguments(section.text)}


def _arguments(text: str) -> Any:
    """A call's arguments, which must be an object here; what is none goes under the name that Anthropic proposes."""
    try:
        return _input(text or "{}")
    except (msgspec.MsgspecError, RecursionError):
        return {"INVALID_JSON": text}


def _events(sections: Sections, chunk: GenerateChunk) -> bytes:
    return b"".join(map(_step, sections.steps(chunk)))


def _step(step: Step) -> bytes:
    section = step.section
    match step.act:
        case "open":
            return _event("content_block_start", index=section.index, content_block=_empty(section))
        case "more":
            return _delta(section, _more(section, step.text)) if step.text else b""
        case _:
            signed = section.kind == "thinking" and section.signature
            last = _delta(section, {"type": "signature_delta", "signature": section.signature}) if signed else b""
            return last + _event("content_block_stop", index=section.index)


def _empty(section: Section) -> dict[str, Any]:
    match section.kind:
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "text":
            return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": section.id, "name": section.name, "input": {}}


def _more(section: Section, text: str) -> dict[str, str]:
    match section.kind:
        case "thinking":
            return {"type": "thinking_delta", "thinking": text}
        case "text":
            return {"type": "text_delta", "text": text}
    return {"type": "input_json_delta", "partial_json": text}


def _delta(section: Section, delta: dict[str, str]) -> bytes:
    return _event("content_block_delta", index=section.index, delta=delta)


def _event(name: str, /, **fields: Any) -> bytes:
    return event(name, encode({"type": name, **fields}))


def _stop_reason(reason: FinishReason | None, *, tools: bool) -> str:
    """Some providers say `stop` where their answer calls tools."""
    return "tool_use" if tools and reason == "stop" else _STOP_REASONS.get(reason, "end_turn")


def _usage(answering: Answering) -> MessagesUsage:
    return messages_usage(answering.meter.total(), answering.meter.body().radixa)


def _begun(usage: Usage) -> MessagesUsage:
    """What is known when an answer begins: true counts, or none."""
    return messages_usage(Usage() if usage.estimated else msgspec.structs.replace(usage, completion_tokens=0))


def _with_usage(answering: Answering, raw: bytes) -> bytes:
    """What the provider wrote, with our counts in its `usage`."""
    return spliced(raw, {"usage": _usage(answering)})
