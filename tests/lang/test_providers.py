"""OpenAI's and Anthropic's back ends, by their own SDKs, against stand-ins of their servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

import radixa as sgl
from radixa.core.errors import CallFailed, InvalidRequest
from radixa.lang.backends.anthropic import Anthropic
from radixa.lang.backends.openai import OpenAI
from tests.upstreams.anthropic import KEY as ANTHROPIC_KEY
from tests.upstreams.anthropic import AnthropicStandIn
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn


class Formed(OpenAIStandIn):
    """Answers a schema with `reply`, as OpenAI's structured outputs do with what fits it."""

    reply: Any = None

    async def chat(self, request: web.Request) -> web.StreamResponse:
        found = json.loads(await request.read())
        if "response_format" not in found:
            return await super().chat(request)
        await self.record(request)
        message = {"role": "assistant", "content": json.dumps(self.reply)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"id": "x", "object": "chat.completion", "created": 1, "model": found["model"], "choices": [choice]}
        return web.json_response(whole)


@pytest.fixture
def formed() -> Iterator[tuple[Formed, OpenAI]]:
    stand_in = Formed("openai")
    with stand_in.in_thread() as url:
        backend = sgl.OpenAI("gpt-4.1", base_url=f"{url}/v1", api_key="sk-test", max_retries=0)
        yield stand_in, backend
        backend.shutdown()


@pytest.fixture
def claude() -> Iterator[tuple[AnthropicStandIn, Anthropic]]:
    stand_in = AnthropicStandIn()
    with stand_in.in_thread() as url:
        backend = sgl.Anthropic(
            "claude-3-5-sonnet",
            base_url=url,
            api_key=ANTHROPIC_KEY,
            max_retries=0,
            default_headers={"x-api-key": ANTHROPIC_KEY},
        )
        yield stand_in, backend
        backend.shutdown()


@sgl.function
def talk(s: Any, ask: str = "say 4") -> None:
    s += sgl.system("Be brief.")
    s += sgl.user(ask)
    s += sgl.assistant(sgl.gen("x", max_tokens=50))
    s += sgl.user("say 2")
    s += sgl.assistant(sgl.gen("y"))


@sgl.function
def choose(s: Any) -> None:
    s += sgl.user("Which?")
    s += sgl.assistant(sgl.select("x", ["red", "blue"]))


def test_openai_gets_the_conversation_as_messages(formed: tuple[Formed, OpenAI]) -> None:
    stand_in, backend = formed
    state = talk.run(backend=backend, temperature=0.5)
    assert len(state["x"].split()) == 4
    assert [m["role"] for m in state.messages()] == ["system", "user", "assistant", "user", "assistant"]
    assert state.text() == f"SYSTEM:Be brief.\nUSER:say 4\nASSISTANT:{state['x']}\nUSER:say 2\nASSISTANT:{state['y']}\n"
    first, second = (request.json for request in stand_in.requests)
    assert first == {
        "model": "gpt-4.1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "say 4"}],
        "temperature": 0.5,
        "max_tokens": 50,
    }
    assert second["messages"] == state.messages()[:-1]
    meta = state.get_meta_info("y")
    assert meta["prompt_tokens"] > 0
    assert meta["cached_tokens"] == 0
    assert meta["cost_usd"] is None


def test_openai_streams(formed: tuple[Formed, OpenAI]) -> None:
    formed[0].gap_s = 0.05
    state = talk.run(backend=formed[1], stream=True)
    pieces = list(state.text_iter("x"))
    assert len(pieces) > 1
    assert "".join(pieces) == state["x"]
    assert state.get_meta_info("x")["ttft"] <= state.get_meta_info("x")["e2e_latency"]


def test_options_go_where_the_server_takes_them(formed: tuple[Formed, OpenAI]) -> None:
    stand_in, backend = formed
    state = talk.run(backend=backend, top_k=5, stop=["!"], frequency_penalty=0.1, stop_regex=None, return_logprob=True)
    state.text()
    body = stand_in.requests[-1].json
    assert (body["top_k"], body["stop"], body["frequency_penalty"], body["logprobs"]) == (5, ["!"], 0.1, True)
    newer = sgl.OpenAI("o3-mini", base_url=str(backend.client.base_url), api_key="k")
    talk.run(backend=newer).text()
    assert stand_in.requests[-2].json["max_completion_tokens"] == 50
    newer.shutdown()


def test_patterns_and_several_answers(formed: tuple[Formed, OpenAI]) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += sgl.user("say 5")
        s += sgl.assistant(sgl.gen("x", stop_regex="thr.*"))
        s += sgl.user("say 3")
        s += sgl.assistant(sgl.gen("y", n=2))

    state = program.run(backend=formed[1])
    assert state["x"].strip() == "one two"
    assert len(state["y"]) == 2


def test_choices_and_types_are_structured_outputs(formed: tuple[Formed, OpenAI]) -> None:
    stand_in, backend = formed
    stand_in.reply = {"value": "blue"}
    state = choose.run(backend=backend)
    assert state["x"] == "blue"
    form = stand_in.requests[-1].json["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["properties"]["value"] == {"type": "string", "enum": ["red", "blue"]}
    assert state.get_meta_info("x")["cached_tokens"] is None
    stand_in.reply = {"value": "green"}
    with pytest.raises(CallFailed, match="chose 'green'"):
        choose.run(backend=backend).text()

    @sgl.function
    def typed(s: Any) -> None:
        s += sgl.user("How many?")
        s += sgl.assistant(sgl.gen_int("x"))

    stand_in.reply = {"value": 12}
    assert typed.run(backend=backend)["x"] == "12"
    stand_in.reply = "nothing"
    with pytest.raises(CallFailed, match="expected an object"):
        typed.run(backend=backend).text()


def test_plain_text_is_a_question_or_a_completion(formed: tuple[Formed, OpenAI]) -> None:
    stand_in, backend = formed

    @sgl.function
    def program(s: Any) -> None:
        s += "say 2" + sgl.gen("x", max_tokens=9)

    program.run(backend=backend).text()
    assert stand_in.requests[-1].json["messages"] == [{"role": "user", "content": "say 2"}]
    older = sgl.OpenAI("gpt-3.5-turbo-instruct", False, base_url=str(backend.client.base_url), api_key="k")
    for stream in (False, True):
        state = program.run(backend=older, stream=stream)
        assert len(state["x"].split()) == 2
        assert stand_in.requests[-1].json["prompt"] == "say 2"
    with pytest.raises(InvalidRequest, match="chat model"):
        choose.run(backend=older).text()
    older.shutdown()


def test_what_messages_cannot_say(formed: tuple[Formed, OpenAI]) -> None:
    @sgl.function
    def begun(s: Any) -> None:
        s += sgl.user("Hi") + sgl.assistant("Well," + sgl.gen("x"))

    @sgl.function
    def asking(s: Any) -> None:
        s += sgl.user("Hi" + sgl.gen("x"))

    for program, said in ((begun, "Well,"), (asking, "inside a user turn")):
        with pytest.raises(InvalidRequest, match=said):
            program.run(backend=formed[1]).text()
    for call in (formed[1].flush_cache, formed[1].tree, lambda: formed[1].search("a", "b", 1)):
        with pytest.raises(InvalidRequest, match="Use a RuntimeEndpoint"):
            call()


def test_openai_errors_name_the_server(formed: tuple[Formed, OpenAI]) -> None:
    stand_in, backend = formed
    stand_in.faults.append(Fault("status", status=401))
    with pytest.raises(CallFailed, match="Incorrect API key") as caught:
        talk.run(backend=backend).text()
    assert caught.value.answered == 401


def test_anthropic(claude: tuple[AnthropicStandIn, Anthropic]) -> None:
    stand_in, backend = claude
    state = talk.run(backend=backend, ask="hello", stop=["stop"], top_k=3, temperature=0.5, stream=True)
    pieces = list(state.text_iter("x"))
    assert "".join(pieces) == state["x"] == "You said: hello"
    assert state["y"] == "You said: say 2"
    body = stand_in.requests[-1].json
    assert body["system"] == "Be brief."
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert (body["stop_sequences"], body["top_k"], body["temperature"]) == (["stop"], 3, 0.5)
    meta = state.get_meta_info("y")
    assert meta["cached_tokens"] == 0
    assert meta["prompt_tokens"] > 0
    assert meta["finish_reason"] == {"type": "end_turn"}


def test_anthropic_goes_on_with_a_turn(claude: tuple[AnthropicStandIn, Anthropic]) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += sgl.user("Hi")
        s += sgl.assistant("Well, " + sgl.gen("x", n=2))

    state = program.run(backend=claude[1])
    state.sync()
    assert claude[0].requests[0].json["messages"][-1] == {"role": "assistant", "content": "Well,"}
    assert len(state["x"]) == 2


def test_anthropic_must_call_a_tool_for_a_choice(claude: tuple[AnthropicStandIn, Anthropic]) -> None:
    stand_in, backend = claude
    state = choose.run(backend=backend)
    error = state.error()
    body = stand_in.requests[-1].json
    assert body["tool_choice"] == {"type": "tool", "name": "answer"}
    assert body["tools"][0]["input_schema"]["properties"]["value"]["enum"] == ["red", "blue"]
    # The stand-in calls the tool with arguments of its own.
    assert isinstance(error, CallFailed)
    assert "expected" in error.message


def test_anthropic_refuses_what_it_has_not(claude: tuple[AnthropicStandIn, Anthropic]) -> None:
    with pytest.raises(InvalidRequest, match="no frequency_penalty"):
        talk.run(backend=claude[1], frequency_penalty=1.0).text()
    claude[0].faults.append(Fault("status", status=529))
    with pytest.raises(CallFailed) as caught:
        talk.run(backend=claude[1]).text()
    assert caught.value.answered == 529
