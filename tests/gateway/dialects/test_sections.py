"""A streamed answer as a row of sections."""

from __future__ import annotations

import pytest

from radixa.core.base import GenerateChunk, ToolCallDelta
from radixa.core.errors import UpstreamError
from radixa.gateway.dialects.collect import collect
from radixa.gateway.dialects.sections import Section, Sections, sections_of
from tests.gateway.dialects.scripted import TOOLS, Scripted


def steps(chunks: list[GenerateChunk]) -> list[tuple[str, int, str, str]]:
    sections = Sections()
    found = [step for chunk in chunks for step in sections.steps(chunk)]
    found += sections.end()
    return [(step.act, step.section.index, step.section.kind, step.text) for step in found]


def test_each_section_is_closed_before_the_next_is_opened() -> None:
    assert steps(TOOLS) == [
        ("open", 0, "thinking", ""),
        ("more", 0, "thinking", "I should "),
        ("more", 0, "thinking", "look."),
        ("close", 0, "thinking", ""),
        ("open", 1, "text", ""),
        ("more", 1, "text", "Let me "),
        ("more", 1, "text", "see."),
        ("close", 1, "text", ""),
        ("open", 2, "tool", ""),
        ("more", 2, "tool", '{"city":'),
        ("more", 2, "tool", '"Bern"}'),
        ("close", 2, "tool", ""),
        ("open", 3, "tool", ""),
        ("close", 3, "tool", ""),
    ]


def test_text_after_a_call_is_a_section_of_its_own() -> None:
    chunks = [GenerateChunk(0, text="a"), TOOLS[4], GenerateChunk(0, text="b"), TOOLS[5]]
    with pytest.raises(UpstreamError, match="tool call that it had ended"):
        steps(chunks)
    kinds = [found[2] for found in steps(chunks[:3]) if found[0] == "open"]
    assert kinds == ["text", "tool", "text"]


def test_no_chunk_no_section() -> None:
    assert steps([GenerateChunk(0), GenerateChunk(0, finish_reason="stop")]) == []


def test_calls_that_go_on_in_turns_are_refused() -> None:
    turns = [ToolCallDelta(0, "a", "f", "{"), ToolCallDelta(1, "b", "g", "{"), ToolCallDelta(0, arguments="}")]
    with pytest.raises(UpstreamError) as raised:
        steps([GenerateChunk(0, tool_calls=(delta,)) for delta in turns])
    assert not raised.value.retryable


async def test_a_whole_answer_has_the_sections_of_its_stream() -> None:
    streamed = Sections()
    for chunk in TOOLS:
        list(streamed.steps(chunk))
    request: object = None
    (answer,) = (await collect(Scripted(TOOLS).generate(request), 1)).answers  # type: ignore[arg-type]

    def told(sections: list[Section]) -> list[tuple[object, ...]]:
        return [(s.index, s.kind, s.position, s.id, s.name, s.signature, s.text) for s in sections]

    assert told(sections_of(answer)) == told(streamed.all)
