"""Answers of OpenAI's Responses API: named events, the last of which has the whole response and its usage."""

from __future__ import annotations

import msgspec

from radixa.core.base import FinishReason, GenerateChunk, ToolCallDelta
from radixa.providers.openai.reading import Answer
from radixa.providers.openai.usage import read_usage
from radixa.providers.upstream.sse import ServerEvent
from radixa.providers.upstream.unreadable import UNREADABLE

_NOTHING = msgspec.Raw(b"")
_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THOUGHT = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
_END = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Incomplete(msgspec.Struct, frozen=True):
    reason: str | None = None


class Content(msgspec.Struct, frozen=True):
    text: str | None = None


class Item(msgspec.Struct, frozen=True):
    type: str = ""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[Content] | None = None


class Response(msgspec.Struct, frozen=True):
    status: str = ""
    output: list[Item] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    incomplete_details: Incomplete | None = None


class Event(msgspec.Struct, frozen=True):
    type: str = ""
    delta: str | None = None
    output_index: int = 0
    item: Item | None = None
    response: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Type(msgspec.Struct, frozen=True):
    type: str = ""


_event = msgspec.json.Decoder(Event).decode
_type = msgspec.json.Decoder(_Type).decode
_response = msgspec.json.Decoder(Response).decode


class ResponsesReader:
    """Implements `reading.Reader`; every event goes on in its own words."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._called = False
        self._complete = False

    @property
    def complete(self) -> bool:
        return self._complete

    def last(self, event: ServerEvent) -> bool:
        return event.event in _END or self._complete

    def read(self, event: ServerEvent) -> list[GenerateChunk]:
        found = self._decoded(event.data)
        kind = found.type or event.event
        if kind == "error" or _given(found.error):
            raise self._answer.failed(_given(found.error) or event.data)
        ended = kind in _END
        chunk = self._end(found.response, event.data, kind) if ended else self._piece(found, kind, event.data)
        self._answer.begun = True
        return [chunk]

    def end(self) -> list[GenerateChunk]:
        if not self._complete:
            raise self._answer.early()
        return []

    def whole(self, body: bytes) -> GenerateChunk:
        return self._end(msgspec.Raw(body), body, "")

    def _decoded(self, data: bytes) -> Event:
        try:
            try:
                return _event(data)
            except msgspec.ValidationError:
                # An event that is not known here: it goes on all the same.
                return Event(type=_type(data).type) if data[:1] == b"{" else Event()
        except UNREADABLE as error:
            raise self._answer.unreadable("a piece of an answer that is not JSON") from error

    def _piece(self, found: Event, kind: str, raw: bytes) -> GenerateChunk:
        text, thought = "", ""
        calls: tuple[ToolCallDelta, ...] = ()
        if found.delta:
            if kind in _TEXT:
                text = found.delta
            elif kind in _THOUGHT:
                thought = found.delta
            elif kind == "response.function_call_arguments.delta":
                calls = (ToolCallDelta(found.output_index, arguments=found.delta),)
            if text or thought or calls:
                self._answer.count(found.delta)
        elif kind == "response.output_item.added" and found.item is not None and found.item.type == "function_call":
            self._called = True
            calls = (ToolCallDelta(found.output_index, found.item.call_id or "", found.item.name or ""),)
        return GenerateChunk(0, text, reasoning=thought, tool_calls=calls, raw=raw, event=kind)

    def _end(self, response: msgspec.Raw, raw: bytes, kind: str) -> GenerateChunk:
        """The last chunk of a response, or the only one."""
        try:
            found = _response(response)
        except UNREADABLE as error:
            raise self._answer.unreadable("a response that cannot be read") from error
        if kind == "response.failed" or found.status == "failed" or (not kind and not found.status):
            raise self._answer.failed(_given(found.error) or b"{}")
        self._complete = True
        text, calls = "", []
        for position, item in enumerate(found.output or ()):
            if item.type == "function_call":
                calls.append(ToolCallDelta(position, item.call_id or "", item.name or "", item.arguments or ""))
            text += "".join(content.text or "" for content in item.content or () if item.type == "message")
        if not kind:
            self._answer.count(text + "".join(call.arguments for call in calls))
        usage = _given(found.usage)
        if usage:
            self._answer.usage = read_usage(usage, self._answer.name)
        return GenerateChunk(
            0,
            "" if kind else text,
            finish_reason=_reason(found, bool(calls) or self._called),
            usage=self._answer.final(),
            tool_calls=() if kind else tuple(calls),
            raw=raw,
            event=kind,
        )


def _reason(found: Response, called: bool) -> FinishReason:
    if found.status == "incomplete":
        why = "" if found.incomplete_details is None else found.incomplete_details.reason
        return "content_filter" if why == "content_filter" else "length"
    return "tool_calls" if called else "stop"


def _given(raw: msgspec.Raw) -> bytes:
    """Nothing where it is absent or null."""
    given = bytes(raw)
    return b"" if given == b"null" else given
