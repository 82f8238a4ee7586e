"""A streamed answer as a row of sections: thoughts, text, tool calls, one open at a time.

Anthropic calls them content blocks, OpenAI's responses output items; both announce each one, add to it and close it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from radixa.core.base import GenerateChunk, TextLogprob, ToolCallDelta
from radixa.core.errors import UpstreamError
from radixa.gateway.dialects.collect import Collected

Kind = Literal["thinking", "text", "tool"]


@dataclass(slots=True)
class Section:
    """`id` and `name` are a tool call's, and `position` is its place among the calls; `parts` are what came so far."""

    index: int
    kind: Kind
    position: int = 0
    id: str = ""
    name: str = ""
    signature: str = ""
    parts: list[str] = field(default_factory=list)
    logprobs: list[TextLogprob] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it: thoughts, text, or a call's arguments as JSON."""
        return "".join(self.parts)


def sections_of(answer: Collected) -> list[Section]:
    """A whole answer's sections: its thoughts, its text, its calls."""
    found: list[Section] = []
    if answer.reasoning or answer.signature:
        found.append(Section(0, "thinking", signature=answer.signature, parts=[answer.reasoning]))
    if answer.text:
        found.append(Section(len(found), "text", parts=[answer.text], logprobs=answer.logprobs))
    for position, call in sorted(answer.calls.items()):
        found.append(Section(len(found), "tool", position, call.id, call.name, parts=[call.arguments]))
    return found


class Step(NamedTuple):
    """What happens to a section. `more` brings `text`, and `logprobs` where they were asked for."""

    act: Literal["open", "more", "close"]
    section: Section
    text: str = ""
    logprobs: tuple[TextLogprob, ...] = ()


class Sections:
    """Takes one answer's chunks in, and gives the steps they mean out."""

    def __init__(self) -> None:
        self.all: list[Section] = []
        self._open: Section | None = None
        self._calls = -1
        """Position of the last call that was begun."""

    def steps(self, chunk: GenerateChunk) -> Iterator[Step]:
        """UpstreamError where a call goes on after another one began: clients have closed it by then."""
        if chunk.reasoning or chunk.signature:
            section = yield from self._at("thinking")
            section.signature += chunk.signature
            if chunk.reasoning:
                yield self._more(section, chunk.reasoning)
        if chunk.text or chunk.logprobs:
            section = yield from self._at("text")
            section.logprobs += chunk.logprobs or ()
            yield self._more(section, chunk.text, chunk.logprobs or ())
        for delta in chunk.tool_calls:
            section = yield from self._call(delta)
            if delta.arguments:
                yield self._more(section, delta.arguments)

    def end(self) -> Iterator[Step]:
        """Close what is open."""
        if self._open is not None:
            yield Step("close", self._open)
            self._open = None

    def _at(self, kind: Kind) -> Generator[Step, None, Section]:
        if self._open is None or self._open.kind != kind:
            yield from self._begin(Section(len(self.all), kind))
        assert self._open is not None
        return self._open

    def _call(self, delta: ToolCallDelta) -> Generator[Step, None, Section]:
        section = self._open
        if section is None or section.kind != "tool" or section.position != delta.position:
            if delta.position <= self._calls:
                raise UpstreamError("The model's provider went on with a tool call that it had ended.", retryable=False)
            self._calls = delta.position
            section = Section(len(self.all), "tool", delta.position, delta.id, delta.name)
            yield from self._begin(section)
        return section

    def _begin(self, section: Section) -> Iterator[Step]:
        yield from self.end()
        self.all.append(section)
        self._open = section
        yield Step("open", section)

    def _more(self, section: Section, text: str, logprobs: tuple[TextLogprob, ...] = ()) -> Step:
        section.parts.append(text)
        return Step("more", section, text, logprobs)
