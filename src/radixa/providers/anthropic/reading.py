"""Anthropic's answers, whole or event by event, as chunks."""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core.base import GenerateChunk, ToolCallDelta
from radixa.core.errors import UpstreamError
from radixa.providers.anthropic.base import FINISH_REASONS
from radixa.providers.anthropic.errors import Said, in_stream
from radixa.providers.anthropic.usage import Counter
from radixa.providers.size import utf8_bytes
from radixa.providers.upstream.refusals import Account
from radixa.providers.upstream.sse import ServerEvent
from radixa.providers.upstream.unreadable import UNREADABLE

Object = dict[str, Any]


class _Event(msgspec.Struct):
    """An event of a stream; each type has some of these."""

    type: str
    index: int = 0
    message: Object = {}
    content_block: Object = {}
    delta: Object = {}
    usage: Object | None = None
    error: Said = Said()


class _Message(msgspec.Struct):
    """An answer in whole."""

    content: list[Object]
    stop_reason: str | None = None
    usage: Object | None = None


_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)
_encode = msgspec.json.Encoder().encode


class Reader:
    """One answer. With `raw`, each chunk has what the caller is to get, word for word."""

    def __init__(self, account: Account, counter: Counter, *, raw: bool) -> None:
        self.counter = counter
        self.begun = False
        """Something of the answer was handed on."""
        self.complete = False
        """Its proper end has come."""
        self._account = account
        self._raw = raw
        self._calls: dict[int, int] = {}
        """Position of a tool call by its block's index."""
        self._inputs: dict[int, str] = {}
        """What a call begins with, until it goes on."""

    def read(self, found: ServerEvent) -> list[GenerateChunk]:
        """What one event holds. UpstreamError for an event that is none of Anthropic's, or that says what failed."""
        try:
            event = _event.decode(found.data)
        except UNREADABLE as error:
            raise UpstreamError(
                f"{self._account.name} sent an event that is none of its own ({error}).", retryable=not self.begun
            ) from error
        if event.type == "error":
            raise in_stream(self._account, event.error, begun=self.begun)
        said = self._said(event)
        if said is None and not self._raw:
            return []
        self.begun = True
        chunk = said or GenerateChunk(0)
        if self._raw:
            chunk = msgspec.structs.replace(chunk, raw=found.data, event=found.event or event.type)
        return [chunk]

    def whole(self, body: bytes) -> GenerateChunk:
        """An answer that came in one piece."""
        try:
            message = _message.decode(body)
        except UNREADABLE as error:
            raise UpstreamError(f"{self._account.name} answered with what is none of its answers ({error}).") from error
        text = reasoning = signature = ""
        calls: list[ToolCallDelta] = []
        for block in message.content:
            match block.get("type"):
                case "text":
                    text += _text(block.get("text"))
                case "thinking":
                    reasoning += _text(block.get("thinking"))
                    signature = _text(block.get("signature"))
                case "tool_use":
                    given = _encode(block.get("input", {})).decode()
                    calls.append(ToolCallDelta(len(calls), _text(block.get("id")), _text(block.get("name")), given))
        self.begun = self.complete = True
        self.counter.delivered += utf8_bytes(text) + utf8_bytes(reasoning)
        self.counter.delivered += sum(utf8_bytes(call.name) + utf8_bytes(call.arguments) for call in calls)
        self.counter.add(message.usage)
        return GenerateChunk(
            0,
            text=text,
            reasoning=reasoning,
            signature=signature,
            tool_calls=tuple(calls),
            finish_reason=FINISH_REASONS.get(message.stop_reason or "", "stop"),
            usage=self.counter.usage,
            raw=body if self._raw else b"",
        )

    def _said(self, event: _Event) -> GenerateChunk | None:
        match event.type:
            case "message_start":
                self.counter.add(event.message.get("usage"))
                # The prompt is paid for from here on, whatever becomes of the answer.
                return GenerateChunk(0, usage=self.counter.usage)
            case "content_block_start":
                return self._started(event.index, event.content_block)
            case "content_block_delta":
                return self._continued(event.index, event.delta)
            case "content_block_stop":
                return self._call(event.index, self._inputs.pop(event.index, ""))
            case "message_delta":
                self.counter.add(event.usage)
                reason = event.delta.get("stop_reason")
                found = None if reason is None else FINISH_REASONS.get(reason, "stop")
                return GenerateChunk(0, finish_reason=found, usage=self.counter.usage)
            case "message_stop":
                self.complete = True
                return GenerateChunk(0, usage=self.counter.usage)
        return None

    def _started(self, index: int, block: Object) -> GenerateChunk | None:
        kind = block.get("type")
        if kind == "text":
            return self._delivered(text=_text(block.get("text")))
        if kind == "thinking":
            return self._delivered(reasoning=_text(block.get("thinking")), signature=_text(block.get("signature")))
        if kind != "tool_use":
            return None
        position = self._calls[index] = len(self._calls)
        # Arguments follow in pieces; where none do, it is what stands here.
        self._inputs[index] = _encode(block.get("input") or {}).decode()
        return GenerateChunk(0, tool_calls=(ToolCallDelta(position, _text(block.get("id")), _text(block.get("name"))),))

    def _continued(self, index: int, delta: Object) -> GenerateChunk | None:
        match delta.get("type"):
            case "text_delta":
                return self._delivered(text=_text(delta.get("text")))
            case "thinking_delta":
                return self._delivered(reasoning=_text(delta.get("thinking")))
            case "signature_delta":
                return self._delivered(signature=_text(delta.get("signature")))
            case "input_json_delta":
                piece = _text(delta.get("partial_json"))
                if piece:
                    self._inputs.pop(index, None)
                return self._call(index, piece)
        return None

    def _call(self, index: int, arguments: str) -> GenerateChunk | None:
        if not arguments or index not in self._calls:
            return None
        self.counter.delivered += utf8_bytes(arguments)
        return GenerateChunk(0, tool_calls=(ToolCallDelta(self._calls[index], arguments=arguments),))

    def _delivered(self, text: str = "", reasoning: str = "", signature: str = "") -> GenerateChunk | None:
        if not (text or reasoning or signature):
            return None
        self.counter.delivered += utf8_bytes(text) + utf8_bytes(reasoning)
        return GenerateChunk(0, text=text, reasoning=reasoning, signature=signature)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
