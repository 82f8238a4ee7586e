"""Answers held to a grammar: are they valid, and what does it cost? `python benchmarks/constrained.py`

A hundred schemas of varied kinds, made from a seed, are each answered once at temperature 1: valid, or cut off with
`length`. Then the same number of tokens is written freely and under a schema, in turns, alone and eight at a time.
Last, a schema of about the most characters that are taken is compiled.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from typing import Any

import jsonschema_rs

from radixa.core.base import Grammar, SamplingParams
from radixa.engine.base import EngineOutput, EngineRequest, EngineSettings
from radixa.engine.grammar import MAX_CHARACTERS
from radixa.engine.load import load_engine
from radixa.engine.loop import EngineLoop
from radixa.models.prepare import prepare

SCHEMAS = 100
MAX_TOKENS = 300
ROUNDS = 4
TOKENS = 64
RECORDS = {
    "type": "array",
    "minItems": 50,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 3, "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "tags": {"type": "array", "items": {"enum": ["new", "old", "lost"]}, "maxItems": 2},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": False,
    },
}


def schema(draw: random.Random, depth: int = 3) -> dict[str, Any]:
    """One schema whose answers are bounded in length."""
    leaves = [_string, _integer, _number, _constant, _choice, _pattern, _form, _nothing]
    nodes = [_object, _array, _tuple, _any_of, _nullable, _reference, _map]
    kinds = leaves if depth == 0 else nodes if depth == 3 else leaves + nodes
    return draw.choice(kinds)(draw, depth - 1)


def _string(draw: random.Random, depth: int) -> dict[str, Any]:
    low = draw.randint(0, 4)
    return {"type": "string", "minLength": low, "maxLength": low + draw.randint(0, 12)}


def _integer(draw: random.Random, depth: int) -> dict[str, Any]:
    low = draw.randint(-1000, 1000)
    found: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": low + draw.randint(3, 5000)}
    return found | ({"multipleOf": 2} if draw.random() < 0.2 else {})


def _number(draw: random.Random, depth: int) -> dict[str, Any]:
    low = draw.randint(-50, 50)
    edge = draw.choice(["minimum", "exclusiveMinimum"])
    return {"type": "number", edge: low, "maximum": low + draw.randint(1, 100)}


def _constant(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"const": draw.choice([None, True, 7, -1.5, "yes", 'a "quoted" é', [], {"k": [1]}])}


def _choice(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"enum": draw.sample(["red", "green", "blue", 1, 2.5, None, False, "日本"], draw.randint(1, 5))}


def _pattern(draw: random.Random, depth: int) -> dict[str, Any]:
    patterns = [
        "^[A-Z]{2}-[0-9]{4}$",
        "^(low|mid|high)$",
        "^#[0-9a-f]{6}$",
        "^[a-z]{1,8}@[a-z]{1,8}[.]org$",
        "^v\\d{1,2}$",
    ]
    return {"type": "string", "pattern": draw.choice(patterns)}


def _form(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "string", "format": draw.choice(["date", "time", "date-time", "uuid", "ipv4"])}


def _nothing(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"type": draw.choice(["null", "boolean"])}


def _object(draw: random.Random, depth: int) -> dict[str, Any]:
    names = draw.sample(["id", "name", "größe", "a b", "tags", 'q"', "x"], draw.randint(1, 4))
    required = [name for name in names if draw.random() < 0.7]
    properties = {name: schema(draw, depth) for name in names}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _map(draw: random.Random, depth: int) -> dict[str, Any]:
    """Names of the answer's own: the values are bounded, their number is not."""
    return {"type": "object", "additionalProperties": schema(draw, 0)}


def _array(draw: random.Random, depth: int) -> dict[str, Any]:
    low = draw.randint(0, 2)
    return {"type": "array", "items": schema(draw, depth), "minItems": low, "maxItems": low + draw.randint(0, 3)}


def _tuple(draw: random.Random, depth: int) -> dict[str, Any]:
    parts = [schema(draw, depth) for _ in range(draw.randint(1, 3))]
    return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}


def _any_of(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"anyOf": [schema(draw, depth) for _ in range(draw.randint(2, 3))]}


def _nullable(draw: random.Random, depth: int) -> dict[str, Any]:
    return {"type": ["integer", "null"], "minimum": 0, "maximum": draw.randint(10, 1000)}


def _reference(draw: random.Random, depth: int) -> dict[str, Any]:
    """At the root one that refers to itself: a tree."""
    children = {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}
    node = {
        "type": "object",
        "properties": {"value": schema(draw, 0), "children": children},
        "required": ["value"],
        "additionalProperties": False,
    }
    # A reference is resolved from the root, so only the root is one.
    return {"$ref": "#/$defs/node", "$defs": {"node": node}} if depth == 2 else _integer(draw, depth)


def schemas(count: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [schema(draw) for _ in range(count)]


def answers(loop: EngineLoop, requests: list[EngineRequest]) -> dict[str, tuple[str, EngineOutput]]:
    """Each answer's text and last output; all are submitted at once."""
    texts = {request.request_id: "" for request in requests}
    last = {output.request_id: output for request in requests if (output := loop.submit(request)) is not None}
    while loop.busy:
        for output in loop.step():
            texts[output.request_id] += output.text
            last[output.request_id] = output
    return {name: (text, last[name]) for name, text in texts.items()}


def validity(loop: EngineLoop, count: int) -> Counter[str]:
    """What became of an answer to each schema."""
    made = schemas(count)
    assert loop.tokenizer is not None
    requests = [
        EngineRequest(
            f"v{i}",
            loop.tokenizer.encode(f"Write one line of JSON of this schema: {json.dumps(one)}\n"),
            sampling=SamplingParams(
                max_tokens=MAX_TOKENS, seed=i, grammar=Grammar("json_schema", json.dumps(one), f"schema {i}")
            ),
        )
        for i, one in enumerate(made)
    ]
    found = Counter[str]()
    for i, (text, last) in enumerate(answers(loop, requests).values()):
        if last.fault is not None:
            found["refused"] += 1
            print(f"  refused: {last.fault.message}\n    {json.dumps(made[i])}")
        elif last.finish_reason == "length":
            found["cut off with 'length'"] += 1
        elif _holds(text, made[i]):
            found["valid"] += 1
        else:
            found["invalid"] += 1
            print(f"  invalid: {text}\n    {json.dumps(made[i])}")
    return found


def _holds(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return jsonschema_rs.is_valid(wanted, json.loads(text), validate_formats=True)
    except ValueError:
        return False


def speed(loop: EngineLoop, batch: int) -> dict[str, float]:
    """What a token of each of `batch` answers takes, from the first token to the last.

    `stepped` asks for log-probabilities, so that every token has a step of its own, and is held against `free` with
    the same.
    """
    held = Grammar("json_schema", json.dumps(RECORDS))
    ways: dict[str, dict[str, Any]] = {
        "free": {"ignore_eos": True},
        "schema": {"grammar": held},
        "free, stepped": {"ignore_eos": True, "logprobs": 0},
        "schema, stepped": {"grammar": held, "logprobs": 0},
    }
    return _timed(loop, {name: [changes] * batch for name, changes in ways.items()})


def beside(loop: EngineLoop) -> dict[str, float]:
    """The same of eight answers, of which one is free or under a schema, and seven are free."""
    free: dict[str, Any] = {"ignore_eos": True, "logprobs": 0}
    held: dict[str, Any] = {"grammar": Grammar("json_schema", json.dumps(RECORDS)), "logprobs": 0}
    return _timed(loop, {"eight free": [free] * 8, "seven and one under a schema": [free] * 7 + [held]})


def _timed(loop: EngineLoop, ways: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Milliseconds a token for each way of sampling a batch's answers: the fastest of rounds taken in turns."""
    assert loop.tokenizer is not None
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, batch in ways.items():
            for i, changes in enumerate(batch):
                prompt = loop.tokenizer.encode(f"People of group {i}, as one line of JSON:\n")
                params = SamplingParams(max_tokens=TOKENS, seed=i, **changes)
                loop.submit(EngineRequest(f"{name} {round_} {i}", prompt, sampling=params))
            began = tokens = 0.0
            while loop.busy:
                outputs = loop.step()
                if began:
                    tokens += sum(len(output.token_ids) for output in outputs)
                elif len(outputs) == len(batch):
                    began = time.perf_counter()
            taken[name].append((time.perf_counter() - began) / tokens * len(batch) * 1e3)
    # The first round filled the caches.
    return {name: min(times[1:]) for name, times in taken.items()}


def largest() -> Grammar:
    """A schema of properties, each with a bound of its own, as many as fit."""
    properties: dict[str, Any] = {}
    text = json.dumps({"properties": properties})
    while len(text) < MAX_CHARACTERS - 1000:
        for _ in range(10):
            properties[f"property_{len(properties)}"] = {"type": "string", "maxLength": len(properties) % 40}
        text = json.dumps({"properties": properties})
    return Grammar("json_schema", text, "schema")


def compiling(loop: EngineLoop, grammar: Grammar) -> float:
    """Seconds until it is ready, with the vocabulary read already."""
    assert loop.grammars is not None
    began = time.perf_counter()
    loop.grammars.compiled(grammar).result()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemas", type=int, default=SCHEMAS)
    count = parser.parse_args().schemas
    loop = load_engine(EngineSettings(model=str(prepare("smollm2").path), dtype="float32", kv_tokens=32_768))
    try:
        found = validity(loop, count)
        told = ", ".join(f"{number} {what}" for what, number in found.most_common())
        good = found["valid"] + found["cut off with 'length'"]
        print(f"{count} schemas: {told}: {good} of {count} as wanted")
        for batch in (1, 8):
            times = speed(loop, batch)
            print(f"batch {batch}: " + ", ".join(f"{name} {ms:.2f} ms a token" for name, ms in times.items()))
            plain, stepped = times["schema"] / times["free"], times["schema, stepped"] / times["free, stepped"]
            print(f"  under a schema {plain - 1:+.1%} time a token; with a step for every token {stepped - 1:+.1%}")
        alone, mixed = beside(loop).values()
        print(f"eight free {alone:.2f} ms a token, seven and one under a schema {mixed:.2f}: {mixed / alone - 1:+.1%}")
        large = largest()
        print(f"a schema of {len(large.text)} characters compiles in {compiling(loop, large):.1f} s")
        loop.cache.check_integrity()
    finally:
        loop.close()


if __name__ == "__main__":
    main()
