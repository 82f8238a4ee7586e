from __future__ import annotations

import base64
import json
from array import array
from typing import Any

import msgspec
import pytest

from radixa.core.base import Usage
from radixa.core.conversation import Tool
from radixa.core.errors import InvalidRequest, UpstreamError
from radixa.providers.base import EmbedRequest
from radixa.providers.gemini.provider import GeminiProvider
from tests.providers.asking import chunks_of, said
from tests.providers.gemini.conftest import asked
from tests.upstreams.base import Fault
from tests.upstreams.gemini import GeminiStandIn


async def test_tokens_of_a_prompt(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    request = asked(said("Be brief.", "system"), "Hello", tools=(Tool("echo"),))
    usage = (await chunks_of(gemini, request))[-1].usage
    assert usage is not None
    assert await gemini.count_tokens(request) == usage.prompt_tokens
    assert upstream.requests[-1].path.endswith(":countTokens")


def wanted(**body: Any) -> EmbedRequest:
    return EmbedRequest("r", "gemini-embedding-001", msgspec.json.encode({"model": "ours"} | body))


async def test_embeddings(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    found = await gemini.embed(wanted(input=["one", "three"], dimensions=2, encoding_format=None))
    assert json.loads(found.body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [3, 3.25]},
            {"object": "embedding", "index": 1, "embedding": [5, 5.25]},
        ],
        "model": "gemini-embedding-001",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert found.usage == Usage(prompt_tokens=3)
    assert upstream.requests[0].path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"


async def test_one_text_packed(gemini: GeminiProvider) -> None:
    found = json.loads((await gemini.embed(wanted(input="one", encoding_format="base64"))).body)
    packed = array("f", base64.b64decode(found["data"][0]["embedding"]))
    assert packed.tolist() == [3.0, 3.25, 3.5]


async def test_many_texts_take_several_calls(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    texts = ["x" * number for number in range(1, 251)]
    found = await gemini.embed(wanted(input=texts))
    vectors = [row["embedding"][0] for row in json.loads(found.body)["data"]]
    assert vectors == list(range(1, 251))
    assert len(upstream.requests) == 3
    assert found.usage.prompt_tokens == sum(-(-len(text) // 4) for text in texts)


async def test_nobody_counted_the_texts(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    upstream.usage_at = "none"
    found = await gemini.embed(wanted(input=["one", "three"]))
    assert found.usage == Usage(prompt_tokens=3, estimated=True)


async def test_token_ids_are_refused(gemini: GeminiProvider) -> None:
    for given in ([1, 2], [[1], [2]]):
        with pytest.raises(InvalidRequest) as error:
            await gemini.embed(wanted(input=given))
        assert error.value.param == "input"


async def test_fewer_vectors_than_texts(gemini: GeminiProvider, upstream: GeminiStandIn) -> None:
    upstream.faults = [Fault("malformed")]
    with pytest.raises(UpstreamError, match="none of its answers"):
        await gemini.embed(wanted(input="one"))
