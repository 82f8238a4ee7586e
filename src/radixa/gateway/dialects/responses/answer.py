"""Answers as OpenAI's responses write them, whole and piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from radixa.core.base import GenerateChunk, TextLogprob
from radixa.core.errors import RadixaError
from radixa.gateway.answering import Answering
from radixa.gateway.base import encode
from radixa.gateway.decode import decoded
from radixa.gateway.dialects.collect import collect
from radixa.gateway.dialects.passing import event, passed_on
from radixa.gateway.dialects.responses.output import ItemStatus, Output, echo, status_of, text_part, thought_part
from radixa.gateway.dialects.responses.usage import ResponsesUsage, responses_usage
from radixa.gateway.dialects.sections import Section, Sections, Step, sections_of
from radixa.gateway.dialects.splice import spliced
from radixa.gateway.logprobs import chat_logprobs
from radixa.providers.streams import closing

_LAST = ("response.completed", "response.incomplete", "response.failed")
"""Events that carry the usage."""


async def whole(answering: Answering, body: bytes) -> bytes:
    """`body`: the request's, parts of which the answer repeats."""
    found = await collect(answering.chunks, 1)
    usage = _usage(answering)
    if found.raw:
        return spliced(found.raw, {"usage": usage})
    (answer,) = found.answers
    output, reason = await _output(answering, body), answer.finish_reason
    return encode(
        output.response(status_of(reason), output.items(sections_of(answer), status_of(reason)), usage, reason)
    )


async def events(answering: Answering, body: bytes) -> AsyncIterator[bytes]:
    """The answer as OpenAI streams it, or as the provider does where that is OpenAI's own way."""
    first = await anext(answering.chunks)
    if first.raw:
        stream = passed_on(first, answering.chunks, _LAST, lambda raw: _with_usage(answering, raw))
    else:
        stream = _Written(answering, await _output(answering, body)).events(first)
    async with closing(stream) as found:
        async for piece in found:
            yield piece


async def _output(answering: Answering, body: bytes) -> Output:
    return Output(answering, await decoded(body, partial(echo, body)))


class _Written:
    """One stream of numbered events."""

    def __init__(self, answering: Answering, output: Output) -> None:
        self._answering = answering
        self._output = output
        self._sections = Sections()
        self._number = 0

    async def events(self, first: GenerateChunk) -> AsyncIterator[bytes]:
        """Begin, the items one after the other, the whole response. One that fails says so, and then what failed."""
        output, sections, reason = self._output, self._sections, first.finish_reason
        begun = output.response("in_progress", [])
        # What begins the answer goes out with its first words: one message to the server instead of two.
        pending = self._event("response.created", response=begun)
        pending += self._event("response.in_progress", response=begun) + self._steps(first)
        yield pending
        try:
            async for chunk in self._answering.chunks:
                reason = chunk.finish_reason or reason
                if pending := self._steps(chunk):
                    yield pending
        except RadixaError as error:
            items = output.items(sections.all, "incomplete")
            failed = output.response("failed", items, _usage(self._answering), error=error)
            yield self._event("response.failed", response=failed)
            raise
        status = status_of(reason)
        pending = b"".join(self._step(step, status) for step in sections.end())
        done = output.response(status, output.items(sections.all, status), _usage(self._answering), reason)
        yield pending + self._event(f"response.{status}", response=done)

    def _steps(self, chunk: GenerateChunk) -> bytes:
        return b"".join(self._step(step, "completed") for step in self._sections.steps(chunk))

    def _step(self, step: Step, status: ItemStatus) -> bytes:
        """`status`: of the item, where this closes it."""
        section = step.section
        match step.act:
            case "open":
                return self._opened(section)
            case "more":
                return self._more(section, step.text, step.logprobs)
        return self._closed(section, status)

    def _opened(self, section: Section) -> bytes:
        item = self._output.item(section, "in_progress")
        found = self._event("response.output_item.added", output_index=section.index, item=item)
        if section.kind != "tool":
            found += self._event("response.content_part.added", **self._part(section), part=_part(section, ""))
        return found

    def _more(self, section: Section, text: str, logprobs: tuple[TextLogprob, ...]) -> bytes:
        match section.kind:
            case "text":
                found = chat_logprobs(logprobs).content
                return self._event("response.output_text.delta", **self._part(section), delta=text, logprobs=found)
            case "thinking":
                return self._event("response.reasoning_text.delta", **self._part(section), delta=text)
        return self._event("response.function_call_arguments.delta", **self._place(section), delta=text)

    def _closed(self, section: Section, status: ItemStatus) -> bytes:
        text, item = section.text, self._output.item(section, status)
        match section.kind:
            case "tool":
                fields = {**self._place(section), "name": section.name, "arguments": text}
                found = self._event("response.function_call_arguments.done", **fields)
            case "text":
                logprobs = chat_logprobs(section.logprobs).content
                found = self._event("response.output_text.done", **self._part(section), text=text, logprobs=logprobs)
            case _:
                found = self._event("response.reasoning_text.done", **self._part(section), text=text)
        if section.kind != "tool":
            found += self._event("response.content_part.done", **self._part(section), part=_part(section, text))
        return found + self._event("response.output_item.done", output_index=section.index, item=item)

    def _place(self, section: Section) -> dict[str, Any]:
        return {"item_id": self._output.item_id(section), "output_index": section.index}

    def _part(self, section: Section) -> dict[str, Any]:
        return {**self._place(section), "content_index": 0}

    def _event(self, name: str, /, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event(name, encode({"type": name, "sequence_number": number, **fields}))


def _part(section: Section, text: str) -> dict[str, Any]:
    """The one piece of content that a message or a thought has."""
    if section.kind == "thinking":
        return thought_part(text)
    return text_part(text, section.logprobs if text else [])


def _usage(answering: Answering) -> ResponsesUsage:
    return responses_usage(answering.meter.body())


def _with_usage(answering: Answering, raw: bytes) -> bytes:
    """An event that the provider wrote, with our counts in its response's `usage`."""
    return spliced(raw, {"response": {"usage": _usage(answering)}})
