"""Answers over HTTP, whole and streamed, from the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from radixa.core.base import GenerateChunk, GenerateRequest, SamplingParams, Usage
from radixa.core.conversation import ConversationMessage, Text, Thinking, Tool, ToolCall, ToolResult
from radixa.core.errors import UpstreamError
from radixa.providers.gemini.chunks import Reader
from radixa.providers.gemini.provider import GeminiProvider
from radixa.providers.gemini.wire import Answer, Candidate
from tests.providers.asking import chunks_of, said, text_of
from tests.providers.gemini.conftest import asked
from tests.upstreams.base import Fault, until
from tests.upstreams.gemini import KEY, MINIMUM, GeminiStandIn

LONG = "A long document. " * 1000
TOOLS = (Tool("echo"),)
STREAMED = pytest.mark.parametrize("stream", [False, True])


@STREAMED
async def test_an_answer(gemini: GeminiProvider, upstream: GeminiStandIn, stream: bool) -> None:
    chunks = await chunks_of(gemini, asked("Hello", stream=stream))
    assert text_of(chunks) == "You said: Hello"
    assert len(chunks) == (3 if stream else 2)
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    last = chunks[-1]
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert last.usage.plain_tokens == last.usage.prompt_tokens > 0
    assert last.usage.completion_tokens > 0
    (request,) = upstream.requests
    method = "streamGenerateContent" if stream else "generateContent"
    assert request.path == f"/v1beta/models/gemini-2.5-flash:{method}"
    assert request.headers["x-goog-api-key"] == KEY


@STREAMED
async def test_what_is_cached_is_counted_once(gemini: GeminiProvider, upstream: GeminiStandIn, stream: bool) -> None:
    """Cached tokens are among the prompt's, and their parts by modality are not on top of them."""
    first, second = [
        (await chunks_of(gemini, asked(said(LONG, "system"), text, stream=stream)))[-1].usage for text in ("one", "two")
    ]
    assert first is not None
    assert second is not None
    assert first.cached_tokens == 0
    assert second.prompt_tokens == first.prompt_tokens > MINIMUM
    assert MINIMUM <= second.cached_tokens < second.prompt_tokens
    assert second.plain_tokens == second.prompt_tokens - second.cached_tokens
    short = [(await chunks_of(gemini, asked("the same", stream=stream)))[-1].usage for _ in range(2)]
    assert [usage.cached_tokens for usage in short if usage] == [0, 0]


@pytest.mark.parametrize("usage_at", ["all", "first", "split"])
async def test_usage_wherever_a_stream_says_it(gemini: GeminiProvider, upstream: GeminiStandIn, usage_at: str) -> None:
    request = asked(said(LONG, "system"), "one", stream=True)
    await chunks_of(gemini, request)
    whole = (await chunks_of(gemini, asked(said(LONG, "system"), "one")))[-1].usage
    assert whole is not None
    assert whole.cached_tokens > 0
    upstream.usage_at = usage_at  # type: ignore[assignment]
    assert (await chunks_of(gemini, request))[-1].usage == whole


@STREAMED
async def test_nobody_counted(gemini: GeminiProvider, upstream: GeminiStandIn, stream: bool) -> None:
    upstream.faults = [Fault("lie")]
    usage = (await chunks_of(gemini, asked("Hello", stream=stream)))[-1].usage
    assert usage is not None
    assert usage.estimated
    assert usage.prompt_tokens == -(-len(upstream.requests[0].body) // 4)
    assert usage.completion_tokens == -(-len("You said: Hello") // 4)


@pytest.mark.parametrize(
    ("lie", "usage"),
    [
        (b'{"promptTokenCount": 5, "cachedContentTokenCount": 9}', Usage(5, 5)),
        (b'{"promptTokenCount": -5, "candidatesTokenCount": -1}', Usage()),
        (b'{"promptTokenCount": 5, "toolUsePromptTokenCount": 3, "cachedContentTokenCount": 2}', Usage(8, 2)),
        (
            b'{"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 4, "totalTokenCount": 11}',
            Usage(5, completion_tokens=6, reasoning_tokens=4),
        ),
    ],
)
async def test_counts_add_up_whatever_is_said(
    gemini: GeminiProvider, upstream: GeminiStandIn, lie: bytes, usage: Usage
) -> None:
    upstream.faults = [Fault("lie", usage=lie)]
    found = (await chunks_of(gemini, asked("Hello")))[-1].usage
    assert found == usage
    assert found.plain_tokens >= 0


@STREAMED
async def test_a_tool_is_called_over_several_turns(gemini: GeminiProvider, stream: bool) -> None:
    """A model of the third generation refuses its own call without its signature, so this proves that it came back."""
    turns = [said("Do it TWICE")]
    chunks = await chunks_of(gemini, asked(*turns, tools=TOOLS, model="gemini-3.8-flash", stream=stream))
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert [(call.position, call.name) for call in calls] == [(0, "echo"), (1, "echo")]
    assert calls[0].arguments == '{"text":"Do it TWICE","number":0}'
    assert chunks[-1].finish_reason == "tool_calls"
    made = tuple(ToolCall(call.id, call.name, call.arguments) for call in calls)
    turns.append(ConversationMessage("assistant", made))
    turns += [ConversationMessage("tool", (ToolResult(call.id, (Text("Done."),)),)) for call in calls]
    chunks = await chunks_of(gemini, asked(*turns, tools=TOOLS, model="gemini-3.8-flash", stream=stream))
    assert text_of(chunks) == "The tool said: Done."
    assert chunks[-1].finish_reason == "stop"


@STREAMED
async def test_thoughts(gemini: GeminiProvider, stream: bool) -> None:
    chunks = await chunks_of(gemini, asked("Hello", effort="low", stream=stream))
    thought = next(chunk for chunk in chunks if chunk.reasoning)
    assert thought.reasoning == "Let me think about that."
    assert text_of(chunks) == "You said: Hello"
    usage = chunks[-1].usage
    assert usage is not None
    assert 0 < usage.reasoning_tokens < usage.completion_tokens
    back = ConversationMessage("assistant", (Thinking(thought.reasoning, thought.signature), Text("You said: Hello")))
    assert text_of(await chunks_of(gemini, asked("Hello", back, "Again"))) == "You said: Again"


@STREAMED
async def test_several_answers(gemini: GeminiProvider, stream: bool) -> None:
    chunks = await chunks_of(gemini, asked("Hello", n=3, stream=stream))
    assert [text_of(chunks, index) for index in range(3)] == ["You said: Hello"] * 3
    assert sorted(chunk.index for chunk in chunks if chunk.finish_reason) == [0, 1, 2]
    assert [chunk.index for chunk in chunks if chunk.usage] == [0]
    assert chunks[-1].usage is not None


@STREAMED
async def test_logprobs(gemini: GeminiProvider, stream: bool) -> None:
    chunks = await chunks_of(gemini, asked("Hello", sampling=SamplingParams(logprobs=2), stream=stream))
    (found,) = [logprob for chunk in chunks for logprob in chunk.logprobs or ()]
    assert (found.token, found.logprob) == (b"You", -0.25)
    assert found.top == ((b"You", -0.25), (b"Yo", -2.5))
    alone = await chunks_of(gemini, asked("Hello", sampling=SamplingParams(logprobs=0), stream=stream))
    assert [logprob.top for chunk in alone for logprob in chunk.logprobs or ()] == [()]


@STREAMED
@pytest.mark.parametrize(
    ("request_", "reason", "text"),
    [
        (asked("SAFETY first"), "content_filter", "You said: SAFETY first"),
        (asked("BLOCK this"), "content_filter", ""),
        (asked("Hello there", sampling=SamplingParams(max_tokens=2)), "length", "You said"),
    ],
)
async def test_why_an_answer_ended(
    gemini: GeminiProvider, stream: bool, request_: GenerateRequest, reason: str, text: str
) -> None:
    chunks = await chunks_of(gemini, replace(request_, stream=stream))
    assert text_of(chunks) == text
    assert chunks[-1].finish_reason == reason
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 0


async def test_a_reader_that_leaves_ends_the_upstreams_work(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    upstream.faults = [Fault("stall_middle")]
    stream: AsyncIterator[GenerateChunk] = gemini.generate(asked("Hello", stream=True))
    assert (await anext(stream)).text
    await stream.aclose()  # type: ignore[attr-defined]
    await until(lambda: upstream.left == 1)


@pytest.mark.parametrize(
    ("kind", "after", "retryable", "says"),
    [
        ("end_early", 1, False, "before it was complete"),
        ("end_early", 0, True, "answered with nothing"),
        ("cut_middle", 1, False, "broke off"),
        ("malformed", 1, False, "none of its answers"),
        ("malformed", 0, True, "none of its answers"),
        ("error_event", 1, False, "The model is overloaded."),
        ("error_event", 0, True, "The model is overloaded."),
    ],
)
async def test_a_stream_that_goes_wrong(
    gemini: GeminiProvider, upstream: GeminiStandIn, kind: str, after: int, retryable: bool, says: str
) -> None:
    upstream.faults = [Fault(kind, after=after)]  # type: ignore[arg-type]
    came: list[GenerateChunk] = []

    async def read() -> None:
        async for chunk in gemini.generate(asked("Hello", stream=True)):
            came.append(chunk)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(UpstreamError, match=says) as error:
        await read()
    assert text_of(came) == ("You sai" if after else "")
    assert error.value.retryable is retryable


def test_an_answer_that_nobody_asked_for() -> None:
    with pytest.raises(UpstreamError, match="an answer 1, and 1 were asked for"):
        list(Reader("gemini", 1, 0).read(Answer((Candidate(index=1),))))
