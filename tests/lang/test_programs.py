"""Programs run on the real model, in this process."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Any

import pytest

import radixa as sgl
from radixa.core.errors import ConfigError, InvalidRequest
from radixa.lang.backends.engine import Engine
from radixa.lang.base import Turn
from tests.lang.programs import SYSTEM, answer, plain


def test_a_program_writes_what_the_chat_template_gives(engine: Engine) -> None:
    state = answer.run(question="Where is the Po?")
    assert state.ret_value == "returned"
    messages = state.messages()
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[2]["content"] == "In short:" + state["first"]
    turns = [Turn(m["role"], m["content"]) for m in messages]
    assert state.text() == engine.render(turns, False)


def test_what_follows_an_answer_goes_on_from_it(engine: Engine) -> None:
    """All that the first answer computed is reused for the second, but for a token or two at the seam."""
    state = answer.run(question="Where is the Po?")
    first, second = state.get_meta_info("first"), state.get_meta_info("second")
    assert second["prompt_tokens"] > first["prompt_tokens"] + first["completion_tokens"]
    assert second["cached_tokens"] >= first["prompt_tokens"] + first["completion_tokens"] - 2
    assert first["finish_reason"] == {"type": "length"}
    assert first["ttft"] <= first["e2e_latency"]


def test_the_same_program_twice_is_the_same_text_and_comes_from_the_cache(engine: Engine) -> None:
    one, two = (answer.run(question="Where is the Po?") for _ in range(2))
    assert one.text() == two.text()
    found = two.get_meta_info("first")
    assert found["cached_tokens"] == found["prompt_tokens"] - 1


def test_gen_does_not_wait(engine: Engine) -> None:
    order = []

    @sgl.function
    def program(s: Any) -> None:
        s += "One, two," + sgl.gen("x", max_tokens=20, temperature=0, ignore_eos=True)
        order.append("x" in s.executor.variables)
        order.append(len(s["x"]) > 0)

    program.run()
    assert order == [False, True]


def test_turns_as_contexts_and_in_pieces(engine: Engine) -> None:
    @sgl.function
    def contexts(s: Any) -> None:
        with s.system():
            s += SYSTEM
        s.user("Where")
        with s.assistant():
            with s.var_scope("all"):
                s += "It is" + sgl.gen("x", max_tokens=3, temperature=0)
            s += "."

    @sgl.function
    def pieces(s: Any) -> None:
        s += sgl.system_begin() + SYSTEM + sgl.system_end()
        s += sgl.user_begin()
        s += "Where"
        s += sgl.user_end()
        s += sgl.assistant_begin()
        s += "It is" + sgl.gen("x", max_tokens=3, temperature=0) + "."
        s += sgl.assistant_end()

    one, two = contexts.run(), pieces.run()
    assert one.text() == two.text()
    assert one["all"] == "It is" + one["x"]
    assert one.messages() == two.messages()


def test_forks_share_what_stands_before_them(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += SYSTEM * 3
        forks = s.fork(3)
        forks += lambda i: f" Number {i}:" + sgl.gen("part", max_tokens=3, temperature=0)
        forks += ["a", "b", "c"]
        shared = len(engine.tokenize(SYSTEM * 3))
        for fork in forks:
            assert fork.get_meta_info("part")["cached_tokens"] >= shared - 2
        forks.join("concate_and_append")
        s += sgl.gen("end", max_tokens=2)

    state = program.run()
    body = state.text()[len(SYSTEM) * 3 :]
    assert re.match(r" Number 0:.*a Number 1:.*b Number 2:.*c", body, re.DOTALL)


def test_what_forks_found_comes_back_in_their_order(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "Count: "
        s.set_var("mine", 1)
        forks = s.fork(2)
        forks += lambda i: f"{i}" + sgl.gen("x", max_tokens=2, temperature=0)
        forks.join()
        with s.copy() as other:
            other += sgl.gen("y", max_tokens=2, temperature=0)

    state = program.run()
    assert state["mine"] == 1
    assert len(state["x"]) == 2
    assert len(state["y"]) == 1
    assert state.text() == "Count: "
    assert "x" in state
    assert "z" not in state


@pytest.mark.parametrize(
    "method",
    [sgl.token_length_normalized, sgl.greedy_token_selection, sgl.unconditional_likelihood_normalized],
)
def test_choices(engine: Engine, method: Any) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "The capital of France is the city of" + sgl.select(
            "x", [" Oslo", " Paris", " Rome"], choices_method=method
        )
        s += " indeed"

    state = program.run()
    assert state["x"] == " Paris"
    assert state.text().endswith("city of Paris indeed")
    assert state.get_meta_info("x")["choices_method"] == method.name


def test_choices_are_scored_as_the_model_scores_what_it_writes(engine: Engine) -> None:
    """The log-probability of a choice is that which greedy decoding reports for the same tokens."""

    @sgl.function
    def greedy(s: Any) -> None:
        s += "The capital of France is" + sgl.gen(
            "x", max_tokens=3, temperature=0, return_logprob=True, return_text_in_logprobs=True
        )

    written = greedy.run()
    found = written.get_meta_info("x")["output_token_logprobs"]
    assert "".join(text for _, _, text in found) == written["x"]

    @sgl.function
    def chosen(s: Any) -> None:
        s += "The capital of France is" + sgl.select("x", [written["x"], " blue"])

    scored = chosen.run().get_meta_info("x")["input_token_logprobs"][0]
    assert scored == pytest.approx([value for value, _, _ in found], abs=1e-4)


def test_several_answers(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "Once" + sgl.gen("x", n=2, max_tokens=4, seed=3)

    state = program.run()
    assert len(state["x"]) == 2
    assert state["x"][0] != state["x"][1]
    assert state.text() == "Once" + state["x"][0]


def test_a_pattern_ends_an_answer_before_it(engine: Engine) -> None:
    @sgl.function
    def program(s: Any, pattern: str | None) -> None:
        s += "1, 2, 3, 4," + sgl.gen("x", max_tokens=12, temperature=0, stop_regex=pattern)

    whole = program.run(pattern=None)["x"]
    assert "7" in whole
    state = program.run(pattern=r"[78]")
    assert state["x"] == whole[: whole.index("7")]
    assert state.get_meta_info("x")["finish_reason"] == {"type": "stop"}


def test_an_answer_of_a_least_length(engine: Engine) -> None:
    @sgl.function
    def program(s: Any, least: int | None) -> None:
        s += sgl.user("Say OK and nothing else.")
        s += sgl.assistant(sgl.gen("x", min_tokens=least, max_tokens=20, temperature=0, stop=["."]))

    found = program.run(least=12).get_meta_info("x")
    assert 12 <= found["completion_tokens"] <= 20


def test_a_function_inside_another_goes_on_in_its_state(engine: Engine) -> None:
    @sgl.function
    def inner(s: Any, word: str) -> str:
        s += f" {word}:" + sgl.gen(word, max_tokens=2, temperature=0)
        return word.upper()

    @sgl.function
    def outer(s: Any) -> str:
        s += "Start"
        first = inner(s, word="a")
        inner(s, "b")
        return str(first)

    state = outer()
    assert state.ret_value == "A"
    assert state.text() == f"Start a:{state['a']} b:{state['b']}"
    assert inner.run("alone")["alone"] == inner.bind(word="alone").run()["alone"]


def test_a_function_without_a_state_is_a_function(engine: Engine) -> None:
    @sgl.function
    def ordinary(x: int, y: int = 1) -> int:
        return x + y

    assert ordinary(2) == ordinary.run(2) == ordinary.bind(y=1)(2) == 3
    assert ordinary.run_batch([{"x": 1}, {"x": 2}]) == [2, 3]


def test_text_as_it_grows(engine: Engine) -> None:
    state = answer.run(question="Where?", stream=True)
    pieces = list(state.text_iter("first"))
    assert len(pieces) > 1
    assert "".join(pieces) == state["first"]
    assert "".join(state.text_iter()) == state.text()
    assert "".join(state.text_iter("second")) == state["second"]


async def test_text_as_it_grows_in_an_event_loop(engine: Engine) -> None:
    state = answer.run(question="Where?", stream=True)
    first = [piece async for piece in state.text_async_iter("first")]
    whole = [piece async for piece in state.text_async_iter()]
    assert "".join(first) == state["first"]
    assert "".join(whole) == state.text()
    pairs = [pair async for pair in state.text_async_iter("second", return_meta_data=True)]
    assert "".join(piece for piece, _ in pairs) == state["second"]
    others = await asyncio.gather(*(_gathered(answer.run(question=q, stream=True)) for q in ("A?", "B?")))
    assert all(others)


async def _gathered(state: Any) -> str:
    return "".join([piece async for piece in state.text_async_iter()])


def test_a_batch_computes_what_it_shares_once(engine: Engine) -> None:
    before = engine.get_server_info()["cache"]["computed_tokens"]
    states = answer.run_batch([{"question": f"Where is river {i}?"} for i in range(4)], num_threads=2)
    questions = [state.messages()[1]["content"] for state in states]
    assert questions == [f"Where is river {i}?" for i in range(4)]
    prefix = len(engine.tokenize(answer.trace().text))
    assert prefix > 40
    for state in states:
        assert state.get_meta_info("first")["cached_tokens"] >= prefix - 2
    computed = engine.get_server_info()["cache"]["computed_tokens"] - before
    assert computed < prefix + 4 * 60


def test_a_batch_one_after_the_other(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    found = plain.run_batch([("One,",), ("Two,",)], generator_style=True, progress_bar=True, temperature=0)
    assert [state.text()[:4] for state in found] == ["One,", "Two,"]
    assert "2/2" in capfd.readouterr().err
    assert plain.run_batch([]) == []


def test_one_program_of_a_batch_that_fails_harms_no_other(engine: Engine) -> None:
    @sgl.function
    def program(s: Any, number: int) -> None:
        s += "Go" + sgl.gen("x", max_tokens=2, temperature=0)
        if number == 1:
            raise ValueError("number one")

    one, two, three = program.run_batch([{"number": i} for i in (0, 1, 2)])
    assert isinstance(two.error(), ValueError)
    with pytest.raises(ValueError, match="number one"):
        two.text()
    assert one.error() is None
    assert one["x"] == three["x"]
    with pytest.raises(ValueError, match="number one"):
        program.run(number=1)


def test_what_fails_is_said_where_it_is_read(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "Go" + sgl.gen("x", max_tokens=2, stop_regex="(")
        s += sgl.gen("later", max_tokens=2)

    state = program.run()
    for read in (
        lambda: state["x"],
        lambda: state["later"],
        state.text,
        state.messages,
        lambda: list(state.text_iter()),
    ):
        with pytest.raises(InvalidRequest, match="stop_regex"):
            read()
    with pytest.raises(InvalidRequest, match="stop_regex"):
        state.fork(2)


def test_names_that_nothing_sets(engine: Engine) -> None:
    state = plain.run(start="One,")
    with pytest.raises(KeyError, match="it has: rest"):
        state["rets"]
    with pytest.raises(KeyError):
        list(state.text_iter("rets"))


def test_turns_have_to_end(engine: Engine) -> None:
    @sgl.function
    def nested(s: Any) -> None:
        s += sgl.user_begin() + "a" + sgl.assistant("b")

    assert "inside one of 'user'" in str(nested.run().error())

    @sgl.function
    def other(s: Any) -> None:
        s += sgl.user_begin() + "a" + sgl.assistant_end()

    assert "'assistant' ends" in str(other.run().error())


def test_everything_in_the_callers_thread(engine: Engine) -> None:
    seen = []

    @sgl.function
    def program(s: Any) -> None:
        s += "One," + sgl.gen("x", max_tokens=2)
        seen.append("x" in s.executor.variables)

    before = threading.active_count()
    program.run(use_thread=False)
    assert seen == [True]
    assert threading.active_count() <= before


def test_a_system_prompt_from_inside(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        sgl.set_system_prompt(SYSTEM)
        s += sgl.user("Where?")

    assert program.run().messages() == [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Where?"}]

    @sgl.function
    def late(s: Any) -> None:
        s += sgl.user("Where?")
        sgl.set_system_prompt(SYSTEM)

    assert "too late" in str(late.run().error())


def test_a_system_prompt_without_a_state_is_warmed(engine: Engine) -> None:
    @sgl.function
    def ordinary() -> str:
        sgl.set_system_prompt(SYSTEM)
        return "mine"

    assert ordinary() == "mine"
    found = answer.run(question="Where?").get_meta_info("first")
    assert found["cached_tokens"] >= len(engine.tokenize(SYSTEM))


def test_what_can_be_known_before_a_run(engine: Engine) -> None:
    found = answer.trace()
    assert not found.complete
    assert found.text == engine.render([Turn("system", SYSTEM), Turn("user", "@")], False).partition("@")[0]
    whole = answer.trace(question="Where?")
    assert whole.complete
    assert whole.text.endswith("Where?<|im_end|>\n<|im_start|>assistant\nIn short:")
    answer.cache()
    assert answer.run(question="Why?").get_meta_info("first")["cached_tokens"] > 40


def test_types_and_patterns(engine: Engine) -> None:
    @sgl.function
    def program(s: Any) -> None:
        s += "Two and two are" + sgl.gen_int("number", max_tokens=8, temperature=0)
        s += ". A colour:" + sgl.gen("colour", regex="(red|blue)", temperature=0)
        s += ". A word:" + sgl.gen_string("word", max_tokens=12, temperature=0)
        s += sgl.gen(
            "object",
            json_schema='{"type": "object", "properties": {"a": {"type": "boolean"}}, '
            '"required": ["a"], "additionalProperties": false}',
            max_tokens=40,
            temperature=0,
        )

    state = program.run()
    assert re.fullmatch(r"-?\d+", state["number"])
    assert state["colour"] in ("red", "blue")
    assert state["word"].startswith('"')
    assert re.fullmatch(r'\{\s*"a"\s*:\s*(true|false)\s*\}', state["object"])


def test_settings_that_an_engine_does_not_have() -> None:
    with pytest.raises(ConfigError, match="no setting 'threds'"):
        sgl.Engine("smollm2", threds=1)
