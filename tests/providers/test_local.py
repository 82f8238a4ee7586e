"""The embedded engine as a provider: what it is asked, what it answers, what is refused before it is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, Miss, SamplingParams, Usage
from radixa.core.conversation import Conversation, ConversationMessage, ConversationRole, Text
from radixa.core.errors import ContextTooLong, EngineUnavailable, InvalidRequest, RadixaError
from radixa.core.tokens import pack, unpack
from radixa.engine.base import EngineRequest
from radixa.providers.local.provider import LocalProvider
from radixa.providers.streams import closing
from tests.gateway.fakes import ByteTokenizer, FakeEngine, PlainTemplate


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    found = LocalProvider("fake", FakeEngine(), ByteTokenizer(), PlainTemplate())
    yield found
    await found.close()


def request(**fields: object) -> GenerateRequest:
    given = {
        "request_id": "r",
        "model": "m",
        "namespace": "acct/s",
        "sampling": SamplingParams(max_tokens=5, seed=1),
        "cache": CachePolicy(write=False),
    }
    return GenerateRequest(**{**given, **fields})  # type: ignore[arg-type]


def said(*messages: tuple[ConversationRole, str]) -> Conversation:
    return Conversation(tuple(ConversationMessage(role, (Text(text),)) for role, text in messages))


async def chunks(provider: LocalProvider, **fields: object) -> list[GenerateChunk]:
    return [chunk async for chunk in provider.generate(request(**fields))]


def engine_of(provider: LocalProvider) -> FakeEngine:
    assert isinstance(provider.engine, FakeEngine)
    return provider.engine


async def test_an_answer_in_chunks(provider: LocalProvider) -> None:
    found = await chunks(provider, prompt="hi")
    assert "".join(chunk.text for chunk in found) == "forty"
    assert [chunk.finish_reason for chunk in found] == [None] * 4 + ["length"]
    assert found[-1].usage == Usage(2, 0, 0, 5, miss=Miss(0, "never_seen"))
    assert {chunk.index for chunk in found} == {0}
    assert engine_of(provider).requests == [
        EngineRequest(
            "r-0", pack(list(b"hi")), "acct/s", SamplingParams(max_tokens=5, seed=1), CachePolicy(write=False)
        )
    ]


async def test_messages_go_through_the_template_and_ids_as_they_are(provider: LocalProvider) -> None:
    await chunks(provider, conversation=said(("user", "hi")))
    await chunks(provider, token_ids=pack([1, 256]))
    first, second = engine_of(provider).requests
    assert bytes(unpack(first.token_ids)) == b"user: hi\nassistant: "
    assert unpack(second.token_ids) == [1, 256]


async def test_the_engine_is_told_whose_turn_each_stretch_is(provider: LocalProvider) -> None:
    talk = said(("system", "Be brief."), ("user", "é?"), ("assistant", "<think>hm</think>yes"))
    await chunks(provider, conversation=talk)
    await chunks(provider, prompt="user: hi")
    chat, plain = engine_of(provider).requests
    told, start = [], 0
    for end, role in chat.spans:
        told.append((role, bytes(unpack(chat.token_ids)[start:end]).decode()))
        start = end
    assert told == [
        ("system", "system: Be brief."),
        ("user", "\nuser: é?"),
        ("assistant", "\nassistant: "),
        ("thinking", "<think>hm</think>"),
        ("assistant", "yes"),
    ]
    # The rest opens the answer.
    assert bytes(unpack(chat.token_ids)[start:]) == b"\nassistant: "
    assert plain.spans == ()


async def test_a_prompt_is_prepared_once(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(conversation=said(("user", "hi")))
    prompt = await provider.prepare(asked)
    bare = await provider.prepare(asked, add_generation_prompt=False)
    assert bytes(unpack(bare.token_ids)) == b"user: hi\n"
    monkeypatch.setattr(provider, "prepare", None)
    assert [chunk async for chunk in provider.generate(asked, prompt)][-1].finish_reason == "length"
    assert engine_of(provider).requests[0].token_ids == prompt.token_ids


async def test_n_answers_are_n_requests_with_seeds_of_their_own(provider: LocalProvider) -> None:
    found = await chunks(provider, prompt="hi", n=3)
    assert {chunk.index for chunk in found} == {0, 1, 2}
    assert [asked.request_id for asked in engine_of(provider).requests] == ["r-0", "r-1", "r-2"]
    assert [asked.sampling.seed for asked in engine_of(provider).requests] == [1, 2, 3]
    assert sum(chunk.usage is not None for chunk in found) == 3


async def test_no_seed_stays_no_seed(provider: LocalProvider) -> None:
    await chunks(provider, prompt="hi", n=2, sampling=SamplingParams())
    assert [asked.sampling.seed for asked in engine_of(provider).requests] == [None, None]


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"prompt": ""}, InvalidRequest, "prompt"),
        ({"token_ids": b""}, InvalidRequest, "prompt"),
        ({"prompt": "x" * 1000}, ContextTooLong, "prompt"),
        ({"conversation": said(("user", "x" * 1000))}, ContextTooLong, "messages"),
        ({"prompt": "x" * 996}, ContextTooLong, "prompt"),
    ],
)
async def test_what_cannot_fit_never_reaches_the_engine(
    provider: LocalProvider, fields: dict[str, object], kind: type[RadixaError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        await chunks(provider, **fields)
    assert caught.value.param == param
    assert engine_of(provider).requests == []


async def test_a_text_that_cannot_fit_is_not_even_tokenised(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The longest token here is `<end>`, so 1,000 tokens hold 5,000 bytes at most.
    asked = []
    encode = provider.tokenizer.encode
    monkeypatch.setattr(provider.tokenizer, "encode", lambda text: asked.append(len(text)) or encode(text))
    for content in ("x" * 5_005, "é" * 2_503):
        with pytest.raises(ContextTooLong, match="at least 1001 tokens"):
            await chunks(provider, prompt=content)
    assert asked == []
    with pytest.raises(ContextTooLong, match="resulted in 5004 tokens"):
        await chunks(provider, prompt="x" * 5_004)
    assert asked == [5_004]


async def test_an_open_ended_request_gives_way_to_the_context(provider: LocalProvider) -> None:
    await chunks(provider, prompt="x" * 996, open_ended=True)
    assert engine_of(provider).requests[0].sampling.max_tokens == 4


async def test_closing_ends_every_answer(provider: LocalProvider) -> None:
    async with closing(provider.generate(request(prompt="hi", n=3))) as items:
        await anext(items)
    assert sorted(engine_of(provider).ended) == ["r-0", "r-1", "r-2"]
    assert engine_of(provider).finished == []


async def test_ready_is_the_engines(provider: LocalProvider) -> None:
    assert provider.ready
    engine_of(provider).ready = False
    assert not provider.ready


@pytest.mark.parametrize(
    "failure", [ContextTooLong("too long", param="prompt"), EngineUnavailable("the engine died and is started again")]
)
async def test_what_the_engine_raises_is_what_the_caller_gets(failure: RadixaError) -> None:
    engine = FakeEngine(fails_at=2, failure=failure)
    provider = LocalProvider("fake", engine, ByteTokenizer(), PlainTemplate())
    with pytest.raises(type(failure)) as caught:
        await chunks(provider, prompt="hi", n=2)
    assert caught.value is failure
    assert sorted(engine.ended) == ["r-0", "r-1"]
    await provider.close()
    assert engine.closed


def test_the_gateway_imports_no_torch() -> None:
    """Its process must stay small: only the engine's loads torch."""
    code = (
        "import sys, radixa.gateway.app, radixa.gateway.serve, radixa.providers.local.provider, radixa.store.sql, "
        "radixa.engine.client, radixa.models.prepare, radixa.models.tokenizer, radixa.models.chat_template\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
