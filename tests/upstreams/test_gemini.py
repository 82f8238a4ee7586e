"""The stand-in for Gemini against Google's own SDK: what the SDK sends it takes, what it sends the SDK reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from tests.upstreams.gemini import KEY, MINIMUM, GeminiStandIn


@pytest.fixture
def client() -> Iterator[genai.Client]:
    with GeminiStandIn().in_thread() as url:
        options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
        with genai.Client(api_key=KEY, vertexai=False, http_options=options) as found:
            yield found


def test_an_answer_whole_and_in_pieces(client: genai.Client) -> None:
    whole = client.models.generate_content(model="gemini-2.5-flash", contents="Hello")
    assert whole.text == "You said: Hello"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata.total_token_count
    pieces = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="Hello"))
    assert "".join(piece.text or "" for piece in pieces) == "You said: Hello"
    assert pieces[-1].usage_metadata == whole.usage_metadata
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP  # type: ignore[index]


def test_a_call_and_its_signature(client: genai.Client) -> None:
    def echo(text: str, number: int) -> str:
        """Say it again."""
        return f"{text} {number}"

    answer = client.models.generate_content(
        model="gemini-3.8-flash", contents="Hello", config=types.GenerateContentConfig(tools=[echo])
    )
    # The SDK made the call, sent its result and the signature back, and was answered.
    assert answer.text == "The tool said: {'result': 'Hello 0'}"


def test_implicit_caching(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="A long document. " * 1000)
    counts = []
    for text in ("one", "two"):
        found = client.models.generate_content(model="gemini-2.5-flash", contents=text, config=config).usage_metadata
        assert found is not None
        counts.append(found.cached_content_token_count or 0)
    assert counts[0] == 0
    assert counts[1] >= MINIMUM


def test_embeddings_and_counts(client: genai.Client) -> None:
    found = client.models.embed_content(model="gemini-embedding-001", contents=["one", "three"])
    assert [embedding.values[0] for embedding in found.embeddings or []] == [3, 5]  # type: ignore[index]


def test_a_refusal(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match="must not be empty"):
        client.models.generate_content(model="gemini-2.5-flash", contents="")
