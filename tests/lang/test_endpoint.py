"""Programs run against a live server: the same texts as in process, and reuse that its counters confirm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openai
import pytest

import radixa as sgl
from radixa.core.errors import CallFailed, InvalidRequest
from radixa.lang.backends.endpoint import RuntimeEndpoint
from radixa.lang.backends.engine import Engine
from radixa.lang.formats import PiecedFormat
from tests.gateway.live import KEY, Live
from tests.lang.programs import SYSTEM, answer, plain
from tests.upstreams.openai import OpenAIStandIn


def test_a_server_gives_what_an_engine_in_this_process_gives(endpoint: RuntimeEndpoint, loaded: Engine) -> None:
    there = answer.run(question="Where is the Po?", backend=endpoint)
    here = answer.run(question="Where is the Po?", backend=loaded)
    assert there.text() == here.text()
    assert endpoint.format == loaded.format
    assert isinstance(endpoint.format, PiecedFormat)


def test_a_program_shares_its_prefix_with_chat_completions(endpoint: RuntimeEndpoint, live: Live) -> None:
    """Exactly the template's tokens: the chat that a program wrote is in the cache for chat clients."""
    messages = answer.run(question="Where is the Po?").messages()
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key=KEY) as client:
        found = client.chat.completions.create(model="smollm2", messages=[*messages[:-1]], max_tokens=1, temperature=0)
    assert found.usage is not None
    assert found.usage.prompt_tokens_details is not None
    # The last of the prompt is computed, and the seam of the first answer may be cut otherwise.
    assert found.usage.prompt_tokens_details.cached_tokens >= found.usage.prompt_tokens - 1


def test_meta_information_is_what_the_server_says(endpoint: RuntimeEndpoint) -> None:
    for _ in range(2):
        found = answer.run(question="Where?").get_meta_info("first")
    assert found["cached_tokens"] == found["prompt_tokens"] - 1
    assert 1 <= found["completion_tokens"] <= 6
    assert found["cost_usd"] == found["saved_usd"] == 0
    assert found["served_by"] == found["model"] == "smollm2"
    assert found["ttft"] > 0


def test_a_batch_is_warmed_once_and_forks_are(endpoint: RuntimeEndpoint) -> None:
    states = answer.run_batch([{"question": f"Where is {name}?"} for name in ("A", "B", "C")])
    prefix = len(endpoint.tokenize(answer.trace().text))
    for state in states:
        assert state.get_meta_info("first")["cached_tokens"] >= prefix - 2

    @sgl.function
    def forked(s: Any) -> None:
        s += SYSTEM[::-1] * 2
        forks = s.fork(2)
        forks += lambda i: f" {i}" + sgl.gen("x", max_tokens=1)
        for fork in forks:
            assert fork.get_meta_info("x")["cached_tokens"] >= len(endpoint.tokenize(SYSTEM[::-1] * 2)) - 2

    forked.run()
    nodes = endpoint.tree()
    assert not any(node["pin"] for node in nodes)


def test_choices_patterns_and_streams(endpoint: RuntimeEndpoint, loaded: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "The capital of France is the city of" + sgl.select("city", [" Oslo", " Paris"])
        s += "." + sgl.gen("rest", max_tokens=6, temperature=0, return_logprob=True, return_text_in_logprobs=True)
        s += " 1, 2, 3, 4," + sgl.gen("count", max_tokens=12, temperature=0, stop_regex="7")
        s += sgl.gen_int("number", max_tokens=5, temperature=0)

    state = program.run(stream=True)
    pieces = list(state.text_iter("rest"))
    assert len(pieces) > 1
    assert "".join(pieces) == state["rest"]
    assert state["city"] == " Paris"
    assert "7" not in state["count"]
    assert re.fullmatch(r"-?\d+", state["number"])
    here = program.run(backend=loaded)
    assert here.text() == state.text()
    mine, theirs = (s.get_meta_info("rest")["output_token_logprobs"] for s in (here, state))
    assert [text for _, _, text in mine] == [text for _, _, text in theirs]
    assert [value for value, _, _ in mine] == pytest.approx([value for value, _, _ in theirs], abs=1e-3)
    scores = here.get_meta_info("city")["scores"]
    assert scores == pytest.approx(state.get_meta_info("city")["scores"], abs=1e-3)


def test_a_schema_that_cannot_be_names_itself(endpoint: RuntimeEndpoint) -> None:
    @sgl.function
    def program(s: Any, schema: str) -> None:
        s += "x" + sgl.gen("x", json_schema=schema)

    assert "json_schema is no JSON" in str(program.run(schema="{").error())
    with pytest.raises(CallFailed, match=r"400 .*json_schema"):
        program.run(schema='{"type": "nothing"}')["x"]


def test_what_the_server_says_of_itself(endpoint: RuntimeEndpoint, live: Live) -> None:
    found = sgl.get_server_info()
    assert found["address"] == live.url
    assert found["model"]["id"] == "smollm2"
    plain.run(start="Long, long ago").sync()
    assert sgl.flush_cache()["dropped_tokens"] > 0
    sgl.set_default_backend(None)


def test_the_tree_is_written_now_and_after_each_run(endpoint: RuntimeEndpoint, tmp_path: Path) -> None:
    file = tmp_path / "radix_cache.html"
    sgl.set_default_backend(endpoint)
    sgl.enable_visualize_radix_tree(file)
    try:
        assert "The cache is empty" in file.read_text("utf-8")
        plain.run(start="Zanzibar is")
        assert "Zanzibar" in file.read_text("utf-8")
        plain.run(start="Timbuktu is", stream=True).sync()
    finally:
        sgl.enable_visualize_radix_tree(None)


def test_a_collection_that_is_not_there(endpoint: RuntimeEndpoint) -> None:
    with pytest.raises(InvalidRequest, match="radixa docs add policy"):
        sgl.retrieve("policy", "what is a source package?")


def test_models_that_an_engine_does_not_answer_for(endpoint: RuntimeEndpoint, live: Live) -> None:
    other = RuntimeEndpoint(live.url + "/v1", KEY, model="gpt-4.1")
    assert answer.run(question="Where?", backend=other).get_meta_info("first")["model"] == "gpt-4.1"
    other.shutdown()
    with pytest.raises(CallFailed, match="shut down"):
        other.flush_cache()
    wrong = RuntimeEndpoint(live.url, KEY, model="gpt-9")
    with pytest.raises(InvalidRequest, match="no model 'gpt-9'"):
        answer.run(question="Where?", backend=wrong).text()
    wrong.shutdown()
    with OpenAIStandIn("openai").in_thread() as url:
        foreign = RuntimeEndpoint(url, "k")
        with pytest.raises(InvalidRequest, match=r"rx\.OpenAI\('gpt-4.1'"):
            plain.run(start="x", backend=foreign).text()
        foreign.shutdown()


@sgl.function
def ordinary() -> int:
    sgl.set_system_prompt("Be brief.")
    return 1


def test_a_wrong_key_and_no_server(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = RuntimeEndpoint(live.url, "rx-wrong")
    with pytest.raises(CallFailed, match="401"):
        plain.run(start="x", backend=stranger).text()
    stranger.shutdown()
    monkeypatch.setenv("RADIXA_BASE_URL", "http://127.0.0.1:9")
    sgl.set_default_backend(None)
    with pytest.warns(UserWarning, match="cannot be shown"):
        sgl.enable_visualize_radix_tree(tmp_path / "x.html")
    # Once is enough: a second warning would fail this test.
    plain.run(start="x", use_thread=False)
    sgl.enable_visualize_radix_tree(None)
    with pytest.warns(UserWarning, match="could not be warmed"):
        assert ordinary.run() == 1
    assert ordinary.run() == 1
    with pytest.raises(CallFailed, match="no server answers at http"):
        plain.run(start="x").text()
    sgl.set_default_backend(None)
