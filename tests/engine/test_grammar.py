"""Answers that keep to a grammar: over the real tokenizer, in every way a model is run; what cannot be compiled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from threading import Event
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import Grammar, SamplingParams
from radixa.core.errors import InvalidRequest
from radixa.core.tokens import pack
from radixa.engine.base import EngineOutput, EngineRequest, EngineSettings
from radixa.engine.grammar import KEPT, MAX_CHARACTERS, Grammars
from radixa.engine.load import load_engine
from radixa.engine.loop import EngineLoop
from radixa.engine.sampler import sample
from radixa.engine.sequence import Sequence
from radixa.engine.text import TextStream
from radixa.models.prepare import prepare
from radixa.models.tokenizer import FolderTokenizer, load_tokenizer

from .content import content_loop

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["new", "old"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
SCHEMA = Grammar("json_schema", json.dumps(PERSON), "schema")
PATTERN = Grammar("regex", r"[A-Z][a-z]{2,6}-[0-9]{2}", "regex")
TEAMS = Grammar("choices", json.dumps(["bill", "billing", "technical"]), "choices")
OBJECT = Grammar("json_object", place="response_format")


def loop_of(shallow: ModelFolder, **changes: Any) -> EngineLoop:
    given = {"model": str(shallow.path), "dtype": "float32", "kv_tokens": 4096, "threads": 1} | changes
    return load_engine(EngineSettings(**given))


@pytest.fixture(scope="module")
def loop(shallow: ModelFolder) -> Iterator[EngineLoop]:
    found = loop_of(shallow)
    yield found
    found.cache.check_integrity()
    found.close()


@pytest.fixture(scope="module")
def tokenizer(shallow: ModelFolder) -> FolderTokenizer:
    return reader()


class Answer:
    """One request's outputs, put together."""

    def __init__(self) -> None:
        self.text = ""
        self.tokens: list[int] = []
        self.steps = 0
        self.last: EngineOutput | None = None

    @property
    def reason(self) -> str | None:
        assert self.last is not None
        return self.last.finish_reason

    @property
    def fault(self) -> tuple[str | None, str]:
        assert self.last is not None
        assert self.last.fault is not None
        return self.last.fault.param, self.last.fault.message


def request(name: str, grammar: Grammar | None, prompt: str = "A person:\n", **changes: Any) -> EngineRequest:
    params = SamplingParams(**{"max_tokens": 60, "temperature": 0.0, "grammar": grammar, **changes})
    return EngineRequest(name, reader().encode(prompt), sampling=params)


@cache
def reader() -> FolderTokenizer:
    return load_tokenizer(prepare("smollm2").path)


def run(loop: EngineLoop, *requests: EngineRequest) -> list[Answer]:
    """Everybody's answer, all submitted at once."""
    found = {one.request_id: Answer() for one in requests}
    outputs = [output for one in requests if (output := loop.submit(one)) is not None]
    while outputs or loop.busy:
        for output in outputs:
            answer = found[output.request_id]
            answer.text += output.text
            answer.tokens += output.token_ids
            answer.steps += 1
            answer.last = output
        outputs = loop.step() if loop.busy else []
    loop.cache.check_integrity()
    return [found[one.request_id] for one in requests]


def holds(grammar: Grammar, text: str) -> bool:
    match grammar.kind:
        case "regex":
            return re.fullmatch(grammar.text, text) is not None
        case "choices":
            return text in json.loads(grammar.text)
        case "json_object":
            return isinstance(json.loads(text), dict)
    jsonschema_rs.validate(json.loads(grammar.text), json.loads(text))
    return True


@pytest.mark.parametrize("grammar", [SCHEMA, PATTERN, TEAMS], ids=lambda grammar: grammar.kind)
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_keeps_to_its_grammar(loop: EngineLoop, grammar: Grammar, temperature: float) -> None:
    several = [request(f"r{seed}", grammar, temperature=temperature, seed=seed) for seed in range(4)]
    for answer in run(loop, *several):
        assert answer.reason == "stop"
        assert holds(grammar, answer.text), answer.text


def test_any_object_and_a_grammar_in_lark(loop: EngineLoop) -> None:
    free = Grammar("json_object")
    pair = Grammar("lark", 'start: "<" %json {"type": "integer", "maximum": 99, "minimum": 10} ">"')
    one, two = run(loop, request("o", free, "JSON: ", max_tokens=40), request("l", pair))
    assert holds(free, one.text) if one.reason == "stop" else one.text.startswith("{")
    assert re.fullmatch(r"<[1-9][0-9]>", two.text)


def test_it_ends_where_nothing_can_follow(loop: EngineLoop) -> None:
    """Without a stop token: the closing brace is the last."""
    (answer,) = run(loop, request("r", SCHEMA))
    assert answer.text.endswith("}")
    assert answer.tokens[-1] not in loop.eos_token_ids


@pytest.mark.parametrize("changes", [{}, {"ignore_eos": True}])
def test_max_tokens_cuts_it_off(loop: EngineLoop, changes: dict[str, Any]) -> None:
    for limit in (1, 3, 7):
        (answer,) = run(loop, request("r", SCHEMA, max_tokens=limit, **changes))
        assert (answer.reason, len(answer.tokens)) == ("length", limit)


def test_a_stop_string_wins(loop: EngineLoop) -> None:
    (answer,) = run(loop, request("r", SCHEMA, stop=('"age',)))
    assert answer.reason == "stop"
    assert answer.text.startswith('{"name": "')
    assert '"age' not in answer.text


def test_a_stop_token_only_where_the_answer_may_end(loop: EngineLoop, tokenizer: FolderTokenizer) -> None:
    """The token is made the likeliest by far; it must wait for two digits, and is no digit itself."""
    (stop,) = memoryview(tokenizer.encode("X")).cast("i")
    digits = Grammar("regex", "[0-9]{2,}")
    (answer,) = run(loop, request("r", digits, stop_token_ids=(stop,), logit_bias={stop: 100.0}))
    assert answer.tokens[-1] == stop
    assert re.fullmatch("[0-9]{2}", answer.text)


@pytest.mark.parametrize("changes", [{}, {"logprobs": 0}], ids=["forced", "stepped"])
def test_a_stop_token_that_the_grammar_wants_does_not_end_it(
    loop: EngineLoop, tokenizer: FolderTokenizer, changes: dict[str, Any]
) -> None:
    (stop,) = memoryview(tokenizer.encode("X")).cast("i")
    (answer,) = run(loop, request("r", Grammar("regex", "[0-9]aX[0-9]"), stop_token_ids=(stop,), **changes))
    assert answer.reason == "stop"
    assert re.fullmatch("[0-9]aX[0-9]", answer.text)


def test_biases_choose_among_what_is_allowed(loop: EngineLoop, tokenizer: FolderTokenizer) -> None:
    (five,) = memoryview(tokenizer.encode("5")).cast("i")
    (word,) = memoryview(tokenizer.encode("the")).cast("i")
    digits = Grammar("regex", "[0-9]{4}")
    (biased,) = run(loop, request("b", digits, logit_bias={five: 50.0, word: 100.0}))
    assert biased.text == "5555"
    penal = {"frequency_penalty": 2.0, "logit_bias": {five: 3.0}, "repetition_penalty": 10.0}
    (punished,) = run(loop, request("p", digits, **penal))
    assert punished.text.count("5") < 4
    assert re.fullmatch("[0-9]{4}", punished.text)


def test_free_answers_beside_it_are_what_they_are_alone(loop: EngineLoop) -> None:
    prompt = "The capital of France is"
    (alone,) = run(loop, request("a", None, prompt, max_tokens=12))
    _, beside, _ = run(
        loop, request("x", SCHEMA), request("b", None, prompt, max_tokens=12), request("y", PATTERN, prompt)
    )
    assert beside.tokens == alone.tokens


def test_reuse_never_changes_it(shallow: ModelFolder, loop: EngineLoop) -> None:
    """Law 1 with grammars: cache on, forced to miss and off, chunked, batched and alone, again after an answer."""
    asked = [
        request("s", SCHEMA),
        request("p", PATTERN, "A name: "),
        request("t", TEAMS, "A person:\nteam "),
        request("w", SCHEMA, "A person:\n", temperature=1.2, seed=5),
    ]
    wanted = [run(loop, one)[0].tokens for one in asked]
    assert [answer.tokens for answer in run(loop, *asked)] == wanted
    ways: list[dict[str, Any]] = [{"cache": "none"}, {"cache": "force_miss", "step_tokens": 7}, {"attention": "on"}]
    for changes in ways:
        other = loop_of(shallow, **changes)
        for _ in range(2):
            assert [answer.tokens for answer in run(other, *asked)] == wanted
        other.close()


def test_a_request_that_was_retracted_goes_on_where_it_was(shallow: ModelFolder, loop: EngineLoop) -> None:
    asked = [request(f"r{i}", SCHEMA, f"Person {i} of many, who is here:\n") for i in range(6)]
    wanted = [answer.tokens for answer in run(loop, *asked)]
    tight = loop_of(shallow, kv_tokens=96)
    assert [answer.tokens for answer in run(tight, *asked)] == wanted
    assert tight.scheduler.retractions
    tight.close()


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_what_is_forced_takes_no_step_of_its_own(loop: EngineLoop, temperature: float) -> None:
    """The same tokens in fewer steps: log-probabilities are what a step for each token is needed for."""
    (fast,) = run(loop, request("f", SCHEMA, temperature=temperature, seed=3))
    (slow,) = run(loop, request("s", SCHEMA, temperature=temperature, seed=3, logprobs=0))
    assert fast.tokens == slow.tokens
    assert slow.steps == len(slow.tokens)
    assert fast.steps < slow.steps


def nested(depth: int) -> str:
    return '{"items": ' * depth + "{}" + "}" * depth


@pytest.mark.parametrize(
    ("grammar", "place", "says"),
    [
        (Grammar("regex", "ab(c", "regex"), "regex", "unclosed group (at character 2)"),
        (Grammar("regex", r"a\1", "guided_regex"), "guided_regex", "backreferences are not supported"),
        (Grammar("regex", r"\bfoo", "regex"), "regex", "lookarounds not supported"),
        (Grammar("json_schema", '{"type": "strang"}', "schema"), "schema", "Invalid type: strang"),
        (
            Grammar(
                "json_schema",
                json.dumps({"properties": {"a": {"items": {"type": "array", "uniqueItems": True}}, "b": {}}}),
                "schema",
            ),
            "schema.properties.a.items",
            "uniqueItems",
        ),
        (
            Grammar("json_schema", '{"anyOf": [{}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "x"}}}', "schema"),
            "schema.anyOf[1]",
            "Invalid type: x",
        ),
        (Grammar("json_schema", '{"$ref": "http://127.0.0.1/x"}', "schema"), "schema", "retrieving it failed"),
        (Grammar("json_schema", "false", "schema"), "schema", "Unsatisfiable"),
        (Grammar("json_schema", nested(400), "schema"), "schema", "nested too deeply"),
        (Grammar("json_schema", nested(5_000), "schema"), "schema", "nested too deeply"),
        (Grammar("regex", "a" * (MAX_CHARACTERS + 1), "regex"), "regex", "at most 120000"),
        (
            Grammar("lark", "start: (", "tools", parts=(SCHEMA, Grammar("json_schema", '{"type": "x"}', "tools[1]"))),
            "tools[1]",
            "Invalid type: x",
        ),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_its_place(
    loop: EngineLoop, grammar: Grammar, place: str, says: str
) -> None:
    refused, fine = run(loop, request("bad", grammar), request("good", TEAMS))
    param, message = refused.fault
    assert param == place
    assert message.startswith(f"Invalid '{place}': ")
    assert says in message
    assert holds(TEAMS, fine.text)


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar("regex", "(((a{1,1000}){1,1000}){1,1000})", "g"),
        Grammar("regex", "(a|b)*a(a|b){5000}", "g"),
        Grammar("regex", r"(.*[a-z]){1,30}x{100}", "g"),
        Grammar("regex", r"\w{1,9000}\p{L}{1,9000}", "g"),
        Grammar(
            "json_schema",
            json.dumps({"allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(24)]}),
            "g",
        ),
        Grammar("json_schema", json.dumps({"properties": {f"p{i}": {"type": "string"} for i in range(1500)}}), "g"),
        Grammar("json_schema", json.dumps({"type": "array", "items": {"$ref": "#"}, "minItems": 3}), "g"),
    ],
)
def test_a_hostile_grammar_is_answered_or_refused(loop: EngineLoop, grammar: Grammar) -> None:
    hostile, fine = run(loop, request("h", grammar, max_tokens=6), request("f", TEAMS))
    assert hostile.reason in ("stop", "length") or hostile.fault[0] == "g"
    assert holds(TEAMS, fine.text)


@pytest.mark.parametrize("form", ["date", "time", "date-time"])
def test_days_and_times_are_some_that_there_are(tokenizer: FolderTokenizer, loop: EngineLoop, form: str) -> None:
    schema = {"type": "string", "format": form}
    grammar = Grammar("json_schema", json.dumps(schema))
    assert loop.grammars is not None
    compiled = loop.grammars.compiled(grammar)
    compiled.result(30)
    days = ["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2023-04-31", "2023-12-31", "2023-13-01"]
    times = ["10:15:59Z", "10:15:60Z", "24:00:00Z", "23:59:59.125+02:00"]
    both = [f"{day}T{times[0]}" for day in days] + [f"{days[0]}T{time}" for time in times]
    for text in {"date": days, "time": times, "date-time": both}[form]:
        constraint = loop.grammars.begin(grammar, compiled)
        ids = memoryview(tokenizer.encode(json.dumps(text))).cast("i").tolist()
        taken = constraint.matcher.consume_tokens(ids) and constraint.accepting
        assert taken is jsonschema_rs.is_valid(schema, text, validate_formats=True), text


def test_lenient_leaves_out_what_cannot_be_held(loop: EngineLoop) -> None:
    text = json.dumps({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 1, "maxItems": 2})
    (answer,) = run(loop, request("r", Grammar("json_schema", text, "schema", lenient=True)))
    assert answer.text in ("[1]", "[2]", "[1, 1]", "[1, 2]", "[2, 1]", "[2, 2]")


def test_a_model_without_a_tokenizer_refuses() -> None:
    plain = content_loop()
    refused = plain.submit(EngineRequest("r", pack([1]), sampling=SamplingParams(grammar=TEAMS)))
    assert refused is not None
    assert refused.fault is not None
    assert refused.fault.param == "choices"


def test_leaving_while_it_is_compiled(loop: EngineLoop) -> None:
    fresh = Grammar("regex", "(x|y){3,40}leaving")
    assert loop.submit(request("gone", fresh)) is None
    loop.abort("gone")
    assert not loop.busy
    again = request("gone", fresh, max_tokens=2)
    assert run(loop, again)[0].reason == "length"


def test_grammars_are_compiled_once_and_kept_within_bounds(tokenizer: FolderTokenizer) -> None:
    woken = Event()
    grammars = Grammars(tokenizer, tokenizer.vocab_size, [2], woken.set)
    first = grammars.compiled(TEAMS)
    first.result(30)
    assert woken.wait(10)
    assert grammars.compiled(TEAMS) is first
    for i in range(KEPT + 10):
        grammars.compiled(Grammar("regex", f"a{i}")).result(30)
    assert len(grammars._compiled) <= KEPT + 1
    assert grammars.compiled(TEAMS) is not first
    with pytest.raises(InvalidRequest):
        grammars.compiled(Grammar("regex", "(", "regex")).result(30)
    grammars.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_sampling_option_lets_another_token_through(loop: EngineLoop, data: st.DataObject) -> None:
    size = 40
    allowed = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    params = SamplingParams(
        temperature=data.draw(st.sampled_from([0.0, 0.5, 2.0])),
        top_p=data.draw(st.sampled_from([0.01, 0.5, 1.0])),
        top_k=data.draw(st.sampled_from([0, 1, 3])),
        min_p=data.draw(st.sampled_from([0.0, 0.5])),
        repetition_penalty=data.draw(st.sampled_from([0.1, 1.0, 5.0])),
        frequency_penalty=data.draw(st.sampled_from([-2.0, 0.0, 2.0])),
        logit_bias=data.draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from([-100.0, 100.0]), max_size=5)),
        seed=1,
        logprobs=2,
    )
    made = Sequence.start(EngineRequest("r", pack([1, 2]), sampling=params), 0, 1 << 20, TextStream(None))
    made.append(3)
    assert loop.grammars is not None
    made.constraint = loop.grammars.begin(TEAMS, loop.grammars.compiled(TEAMS))
    mask = np.packbits([i in allowed for i in range(size)], bitorder="little")
    logits = torch.tensor([data.draw(st.lists(st.floats(-30, 30), min_size=size, max_size=size))])
    (found,) = sample(logits, [made], [mask])
    assert not isinstance(found, Exception)
    assert found.token in allowed
    assert found.logprob is not None
    assert found.logprob.logprob > -200


def test_a_row_that_allows_nothing_is_that_requests_fault(loop: EngineLoop) -> None:
    assert loop.grammars is not None
    made = Sequence.start(EngineRequest("r", pack([1])), 0, 100, TextStream(None))
    made.constraint = loop.grammars.begin(TEAMS, loop.grammars.compiled(TEAMS))
    free = Sequence.start(EngineRequest("f", pack([1])), 0, 100, TextStream(None))
    failed, fine = sample(torch.ones(2, 16), [made, free], [np.zeros(2, np.uint8), None])
    assert isinstance(failed, InvalidRequest)
    assert failed.param == "choices"
    assert not isinstance(fine, Exception)
