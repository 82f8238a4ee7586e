"""What clients need of a server: the SDKs that agents and frameworks are built on, against a real one."""

from __future__ import annotations

import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx2
import openai
import pytest
from anthropic import Anthropic
from langchain_openai import ChatOpenAI
from openai import OpenAI

from tests.gateway.live import Live

MODEL = "deepseek-chat"
SYSTEM = "You are brief. Answer in one short sentence. " * 3
QUESTION = "What is the capital of France?"
MESSAGES: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
GREEDY: Any = {"temperature": 0, "max_tokens": 12}
DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"


class Keys(NamedTuple):
    plain: str
    usage: str
    """With `force_include_usage`."""
    one: str
    """With one request at once."""
    poor: str
    """With a budget of nothing."""


@pytest.fixture(scope="module")
def keys(raw: httpx2.Client) -> Keys:
    terms: list[dict[str, Any]] = [{}, {"force_include_usage": True}, {"concurrency": 1}, {"budget_usd": 0}]
    return Keys(*(raw.post("/v1/keys", json={"account": "clients"} | term).json()["key"] for term in terms))


@pytest.fixture(scope="module")
def client(server: Live, keys: Keys) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=keys.plain, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def claude(server: Live, keys: Keys) -> Iterator[Anthropic]:
    with Anthropic(base_url=server.url, api_key=keys.plain, max_retries=0) as found:
        yield found


@pytest.fixture
def langchain(server: Live) -> Iterator[Any]:
    """Makes a LangChain chat model with a key."""
    opened = []

    def make(key: str, **fields: Any) -> ChatOpenAI:
        http = httpx2.Client()
        opened.append(http)
        return ChatOpenAI(model=MODEL, base_url=f"{server.url}/v1", api_key=key, http_client=http, **(GREEDY | fields))

    yield make
    for http in opened:
        http.close()


def test_langchain_reads_cached_tokens(langchain: Any, keys: Keys) -> None:
    model = langchain(keys.plain)
    asked = [("system", SYSTEM + "LangChain."), ("human", QUESTION)]
    first, second = model.invoke(asked), model.invoke(asked)
    assert first.content == second.content
    assert "Paris" in first.content
    one, two = first.usage_metadata, second.usage_metadata
    assert two["input_tokens"] == one["input_tokens"]
    details = one["input_token_details"]
    assert details["cache_read"] + details["cache_creation"] == one["input_tokens"]
    # All but the last, which is always computed.
    assert two["input_token_details"]["cache_read"] == two["input_tokens"] - 1
    assert two["total_tokens"] == two["input_tokens"] + two["output_tokens"]


def test_langchain_streams_without_usage_unless_the_key_says_so(langchain: Any, keys: Keys) -> None:
    """It asks for usage by itself at OpenAI's own address only."""

    def streamed(model: ChatOpenAI) -> Any:
        pieces = list(model.stream(MESSAGES))
        whole = pieces[0]
        for piece in pieces[1:]:
            whole += piece
        return whole

    without, forced, asked = (
        streamed(langchain(keys.plain)),
        streamed(langchain(keys.usage)),
        streamed(langchain(keys.plain, stream_usage=True)),
    )
    assert "Paris" in without.content
    assert without.content == forced.content == asked.content
    assert without.usage_metadata is None
    for found in (forced.usage_metadata, asked.usage_metadata):
        assert found["input_token_details"]["cache_read"] == found["input_tokens"] - 1
        assert found["output_tokens"] > 0


def test_a_stream_for_a_client_that_forces_usage_ends_as_openais(server: Live, keys: Keys) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key=keys.usage, max_retries=0) as client:
        chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, **GREEDY))
        texts = list(client.completions.create(model=MODEL, prompt="One two", stream=True, max_tokens=3))
    for last, before in ((chunks[-1], chunks[:-1]), (texts[-1], texts[:-1])):
        assert last.choices == []
        assert last.usage is not None
        assert all(chunk.usage is None for chunk in before)


def test_the_cost_that_cline_shows(client: OpenAI) -> None:
    """It prices a stream's usage by itself: cached tokens at one price, all other prompt tokens at another."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}, **GREEDY
        )
    )
    usage: Any = chunks[-1].usage
    prices = client.models.retrieve(MODEL).to_dict()["radixa"]["prices_usd_per_mtok"]  # type: ignore[index]
    cached = usage.prompt_tokens_details.cached_tokens
    cost = (usage.prompt_tokens - cached) * prices["input"] + cached * prices["cached_input"]
    cost += usage.completion_tokens * prices["output"]
    assert usage.radixa["cost_usd"] == pytest.approx(cost / 1e6, rel=1e-9)


def test_models_as_open_webui_and_the_sdks_list_them(client: OpenAI, claude: Anthropic) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[0] == "smollm2"
    assert [model.id for model in claude.models.list()] == listed
    assert client.models.retrieve(MODEL).id == claude.models.retrieve(MODEL).id == MODEL


def test_responses(client: OpenAI) -> None:
    asked: Any = {"model": MODEL, "instructions": SYSTEM, "input": QUESTION, "temperature": 0, "max_output_tokens": 12}
    whole = client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        final: Any = stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.output_text == whole.output_text
    assert "Paris" in final.output_text
    assert final.usage.input_tokens_details.cached_tokens == final.usage.input_tokens - 1
    counted = client.responses.input_tokens.count(model=MODEL, instructions=SYSTEM, input=QUESTION)
    assert counted.input_tokens == final.usage.input_tokens


def test_errors_of_openais_sdk_by_class(server: Live, client: OpenAI, keys: Keys) -> None:
    def refused(kind: type[openai.APIStatusError], code: str | None, found: Any) -> Any:
        with pytest.raises(kind) as caught:
            found()
        assert caught.value.code == code
        assert caught.value.request_id == caught.value.response.headers["x-request-id"]
        return caught.value

    refused(openai.BadRequestError, "invalid_type", lambda: client.responses.create(model=MODEL, input=5))  # type: ignore[call-overload]
    refused(openai.NotFoundError, "model_not_found", lambda: client.models.retrieve("gpt-17"))
    refused(openai.PermissionDeniedError, None, lambda: client.get("/accounts", cast_to=object))
    no = refused(
        openai.BadRequestError,
        "unsupported_parameter",
        lambda: client.embeddings.create(model="smollm2", input="hello"),
    )
    assert no.param == "model"
    with OpenAI(base_url=f"{server.url}/v1", api_key="rx-nobody", max_retries=0) as stranger:
        refused(openai.AuthenticationError, "invalid_api_key", lambda: stranger.models.list())
    # Trying again would be pointless, and the header keeps the SDK from it.
    sent: list[int] = []
    with (
        httpx2.Client(event_hooks={"response": [lambda answer: sent.append(answer.status_code)]}) as http,
        OpenAI(base_url=f"{server.url}/v1", api_key=keys.poor, max_retries=2, http_client=http) as poor,
    ):
        refused(
            openai.RateLimitError,
            "insufficient_quota",
            lambda: poor.chat.completions.create(model=MODEL, messages=MESSAGES, **GREEDY),
        )
    assert sent == [429]


def test_openais_sdk_waits_as_long_as_it_is_told_to(server: Live, keys: Keys) -> None:
    """A 429 says when to come again. By itself the SDK would wait half a second at most before its first retry."""
    seen: list[tuple[int, float]] = []
    running: list[Any] = []

    def note(answer: httpx2.Response) -> None:
        seen.append((answer.status_code, time.monotonic()))
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "1"
            running.pop().close()

    with (
        httpx2.Client(event_hooks={"response": [note]}, timeout=60) as http,
        OpenAI(base_url=f"{server.url}/v1", api_key=keys.one, max_retries=2) as first,
        OpenAI(base_url=f"{server.url}/v1", api_key=keys.one, max_retries=2, http_client=http) as second,
    ):
        stream = first.chat.completions.create(
            model="smollm2", messages=MESSAGES, stream=True, max_tokens=4000, extra_body={"ignore_eos": True}
        )
        next(stream)
        running.append(stream)
        found = second.chat.completions.with_raw_response.create(model="smollm2", messages=MESSAGES, **GREEDY)
    assert found.retries_taken == 1
    assert [status for status, _ in seen] == [429, 200]
    assert seen[1][1] - seen[0][1] >= 0.99


def test_errors_of_anthropics_sdk_by_class(server: Live, claude: Anthropic, keys: Keys) -> None:
    asked: Any = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": QUESTION}]}

    def refused(kind: type[anthropic.APIStatusError], name: str, found: Any) -> None:
        with pytest.raises(kind) as caught:
            found()
        body: Any = caught.value.body
        assert (body["type"], body["error"]["type"]) == ("error", name)
        assert body["request_id"] == caught.value.request_id

    create = claude.messages.create
    refused(anthropic.BadRequestError, "invalid_request_error", lambda: create(**asked | {"max_tokens": -1}))
    refused(anthropic.NotFoundError, "not_found_error", lambda: create(**asked | {"model": "gpt-17"}))
    with Anthropic(base_url=server.url, api_key="rx-nobody", max_retries=0) as stranger:
        refused(anthropic.AuthenticationError, "authentication_error", lambda: stranger.messages.create(**asked))
    with Anthropic(base_url=server.url, api_key=keys.poor, max_retries=2) as poor:
        refused(anthropic.RateLimitError, "rate_limit_error", lambda: poor.messages.create(**asked))


def test_anthropics_streaming_helper_and_counts(claude: Anthropic) -> None:
    asked: Any = {"model": MODEL, "system": SYSTEM, "messages": MESSAGES[1:]}
    counted = claude.messages.count_tokens(**asked)
    beta = {"anthropic-beta": "prompt-caching-2024-07-31"}
    with claude.messages.stream(**asked, max_tokens=12, extra_body={"temperature": 0}, extra_headers=beta) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "Paris" in text
    assert final.content[0].text == text  # type: ignore[union-attr]
    usage = final.usage
    read, created = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    assert usage.input_tokens + read + created == counted.input_tokens


def blocks(heading: str, language: str) -> list[str]:
    """The fenced blocks under a heading of docs/clients.md."""
    section = DOCUMENT.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def settings(text: str, server: Live, key: str) -> str:
    """A block of the document, for this server."""
    return text.replace("http://127.0.0.1:8000", server.url).replace("rx-...", key)


def test_the_documents_curl(server: Live, keys: Keys) -> None:
    (block,) = blocks("curl", "bash")
    found = subprocess.run(
        ["bash", "-euc", settings(block, server, keys.plain)], capture_output=True, text=True, check=True, timeout=60
    )
    assert '"cached_tokens":' in found.stdout
    assert "data: [DONE]" in found.stdout


def test_the_documents_settings_for_claude_code(server: Live, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = blocks("Claude Code", "sh")
    for name, value in re.findall(r"(\w+)=(\S+)", settings(block, server, keys.plain)):
        monkeypatch.setenv(name, value)
    with Anthropic(max_retries=0) as client:
        found = client.messages.create(
            model=os.environ["ANTHROPIC_MODEL"], max_tokens=4, messages=[{"role": "user", "content": QUESTION}]
        )
    assert found.usage.output_tokens == 4


def test_the_documents_settings_for_codex(server: Live, keys: Keys) -> None:
    (block,) = blocks("Codex", "text")
    found = tomllib.loads(settings(block, server, keys.plain))
    provider = found["model_providers"][found["model_provider"]]
    assert provider["wire_api"] == "responses"
    with OpenAI(base_url=provider["base_url"], api_key=keys.plain, max_retries=0) as client:
        stream = client.responses.create(model=found["model"], input=QUESTION, max_output_tokens=4, stream=True)
        assert [event.type for event in stream][-1] == "response.incomplete"
