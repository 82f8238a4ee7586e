"""Grammars as llguidance reads them, and what it says of those it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from radixa.core.base import Grammar
from radixa.models.tools.lark import quoted
from radixa.models.tools.schemas import below, guided

MAX_TRIALS = 300
"""Parts of a schema that are compiled by themselves to find the one at fault."""

_CARET = re.compile(r"^ *\^+ *$")
_POSITION = re.compile(r"^at \d+\(\d+\): (?:invalid regex .* \(in regex\): )?")


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


def fault(grammar: Grammar, said: str, failure: Callable[[str], str]) -> tuple[str, str]:
    """Where the fault lies, and why: for a schema the innermost part that fails the same way by itself.

    `said`: what llguidance says of it; `failure` compiles a text and says what is wrong with it.
    """
    for part in grammar.parts:
        of_part = failure(source(part))
        if of_part:
            return fault(part, of_part, failure)
    why = reason(said)
    if "recursion" in why:
        return grammar.place, "it is nested too deeply"
    if grammar.kind != "json_schema":
        return grammar.place, why
    root = json.loads(grammar.text)
    shared = {key: root[key] for key in ("$defs", "definitions") if isinstance(root, dict) and key in root}
    place, schema, trials = grammar.place, root, 0
    while True:
        for path, part in below(schema) if isinstance(schema, dict) else ():
            trials += 1
            if trials > MAX_TRIALS:
                return place, why
            alone = shared | part if isinstance(part, dict) else part
            if reason(failure(_json(alone, lenient=grammar.lenient))) == why:
                place, schema = f"{place}.{path}", part
                break
        else:
            return place, why
