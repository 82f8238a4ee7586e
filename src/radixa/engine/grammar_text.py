"""Grammars as llguidance reads them, and what it says of those it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from radixa.core.base import Grammar

GUIDANCE = "x-guidance"
"""The keyword by which a schema tells llguidance how its JSON is written."""

LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One line, as most models write JSON: a weak one that may put white space anywhere puts nothing else."""

MAX_TRIALS = 300
"""Parts of a schema that are compiled by themselves to find the one at fault."""

_CARET = re.compile(r"^ *\^+ *$")
_POSITION = re.compile(r'^at \d+\(\d+\): (?:invalid regex .* \(in regex\): )?')
_BELOW_ONE = ("items", "additionalProperties", "contains", "not")
_BELOW_LIST = ("anyOf", "oneOf", "allOf", "prefixItems")
_BELOW_NAMES = ("properties", "patternProperties", "$defs", "definitions")


def source(grammar: Grammar) -> str:
    """The text that llguidance compiles. What is wrong with it llguidance itself says."""
    import llguidance

    match grammar.kind:
        case "regex":
            return llguidance.LLMatcher.grammar_from_regex(grammar.text)
        case "choices":
            choices = json.loads(grammar.text)
            return llguidance.LLMatcher.grammar_from_lark("start: " + " | ".join(map(quoted, choices)))
        case "lark":
            return llguidance.LLMatcher.grammar_from_lark(grammar.text)
        case "json_object":
            return _json({"type": "object"}, lenient=False)
    return _json(json.loads(grammar.text), lenient=grammar.lenient)


def quoted(text: str) -> str:
    """A text as a string of Lark."""
    return json.dumps(text, ensure_ascii=False)


def schema_in_lark(schema: Any, *, lenient: bool) -> str:
    """A schema as a part of a rule."""
    return f"%json {json.dumps(guided(schema, lenient=lenient), ensure_ascii=False)}"


def guided(schema: Any, *, lenient: bool) -> Any:
    """The schema with how its JSON is to be written, which it may itself say otherwise."""
    if not isinstance(schema, dict):
        schema = {} if schema is True else {"anyOf": []}
    own = schema.get(GUIDANCE)
    # A draft's name says nothing here, and one that llguidance does not know it would want to fetch.
    kept = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return kept | {GUIDANCE: LAYOUT | ({"lenient": True} if lenient else {}) | (own if isinstance(own, dict) else {})}


def _json(schema: Any, *, lenient: bool) -> str:
    import llguidance

    return llguidance.LLMatcher.grammar_from_json_schema(json.dumps(guided(schema, lenient=lenient)))


def reason(said: str) -> str:
    """llguidance's message in one line: of several lines, what is wrong and at which character of the pattern."""
    lines = said.strip().splitlines() or [""]
    found = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), None)
    if found is None:
        return _POSITION.sub("", lines[0]).rstrip(".")
    # The first caret is below the pattern, which stands four columns in.
    caret = next((line for line in lines if _CARET.match(line)), None)
    return found if caret is None else f"{found} (at character {len(caret) - len(caret.lstrip()) - 4})"


def failing_place(grammar: Grammar, said: str, failure: Callable[[str], str]) -> str:
    """Where the fault lies: for a schema the innermost part that fails the same way by itself.

    `failure` compiles a text and says what is wrong with it.
    """
    if grammar.kind != "json_schema":
        return grammar.place
    root = json.loads(grammar.text)
    shared = {key: root[key] for key in ("$defs", "definitions") if isinstance(root, dict) and key in root}
    place, part, trials = grammar.place, root, 0
    while True:
        for path, below in _parts(part):
            trials += 1
            if trials > MAX_TRIALS:
                return place
            alone = shared | below if isinstance(below, dict) else below
            if reason(failure(_json(alone, lenient=grammar.lenient))) == reason(said):
                place, part = f"{place}.{path}", below
                break
        else:
            return place


def _parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """The schemas right below one, and their places in it."""
    if not isinstance(schema, dict):
        return
    for key in _BELOW_ONE:
        if isinstance(schema.get(key), dict):
            yield key, schema[key]
    for key in _BELOW_LIST:
        if isinstance(schema.get(key), list):
            yield from ((f"{key}[{i}]", below) for i, below in enumerate(schema[key]))
    for key in _BELOW_NAMES:
        if isinstance(schema.get(key), dict):
            yield from ((f"{key}.{name}", below) for name, below in schema[key].items())
