"""What an answer must be, as clients of SGLang and vLLM ask for it: fields beside OpenAI's own.

SGLang's are `regex`, `json_schema` and `ebnf`, vLLM's `structured_outputs` and, before that, `guided_…`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from radixa.core.base import Grammar
from radixa.core.errors import InvalidRequest, unsupported
from radixa.gateway.base import encode
from radixa.gateway.errors import contradiction
from radixa.gateway.generation import GenerationBody
from radixa.gateway.presence import absent

Choices = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1, max_length=10_000)]


class StructuredOutputs(msgspec.Struct, frozen=True):
    """vLLM's."""

    json: msgspec.Raw = msgspec.field(default_factory=absent)
    regex: str | None = None
    choice: Choices | None = None
    json_object: bool | None = None
    grammar: str | None = None


class ConstrainedBody(GenerationBody, frozen=True, kw_only=True):
    """At most one of them may be given. A schema is an object, or the same as a text."""

    regex: str | None = None
    json_schema: msgspec.Raw = msgspec.field(default_factory=absent)
    choices: Choices | None = None
    ebnf: str | None = None
    guided_regex: str | None = None
    guided_json: msgspec.Raw = msgspec.field(default_factory=absent)
    guided_choice: Choices | None = None
    guided_grammar: str | None = None
    structured_outputs: StructuredOutputs | None = None


def grammar(body: ConstrainedBody, *, other: str = "") -> Grammar | None:
    """The one constraint of a body. InvalidRequest where there are several, or one that is none.

    `other`: a field of the body that says what the answer must be as well; empty where there is none.
    """
    found = list(_given(body))
    places = [place for place, _ in found] + ([other] if other else [])
    if len(places) > 1:
        raise contradiction(places[0], f"'{places[0]}' and '{places[1]}' both say what the answer must be.")
    return found[0][1] if found else None


def _given(body: ConstrainedBody) -> Iterator[tuple[str, Grammar]]:
    for place, pattern in (("regex", body.regex), ("guided_regex", body.guided_regex)):
        if pattern is not None:
            yield place, Grammar("regex", pattern, place)
    for place, schema in (("json_schema", body.json_schema), ("guided_json", body.guided_json)):
        if bytes(schema) != b"null":
            yield place, _schema(schema, place)
    for place, choices in (("choices", body.choices), ("guided_choice", body.guided_choice)):
        if choices is not None:
            yield place, _choices(choices, place)
    for place in ("ebnf", "guided_grammar"):
        if getattr(body, place) is not None:
            raise unsupported(place, "grammars are not taken. Expected 'regex', 'json_schema' or 'choices'.")
    if body.structured_outputs is not None:
        yield from _structured(body.structured_outputs)


def _structured(given: StructuredOutputs) -> Iterator[tuple[str, Grammar]]:
    where = "structured_outputs"
    if given.regex is not None:
        yield f"{where}.regex", Grammar("regex", given.regex, f"{where}.regex")
    if bytes(given.json) != b"null":
        yield f"{where}.json", _schema(given.json, f"{where}.json")
    if given.choice is not None:
        yield f"{where}.choice", _choices(given.choice, f"{where}.choice")
    if given.json_object:
        yield f"{where}.json_object", Grammar("json_object", place=f"{where}.json_object")
    if given.grammar is not None:
        raise unsupported(f"{where}.grammar", "grammars are not taken. Expected 'json', 'regex' or 'choice'.")


def _choices(choices: list[str], place: str) -> Grammar:
    return Grammar("choices", encode(choices).decode(), place)


def _schema(raw: msgspec.Raw, place: str) -> Grammar:
    """A schema that is an object, true or false, or one of these as JSON within a text."""
    try:
        found: Any = msgspec.json.decode(raw)
        if isinstance(found, str):
            found = msgspec.json.decode(found)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_schema(place, f"is no JSON ({error})") from error
    if not isinstance(found, dict | bool):
        raise _no_schema(place, "is no schema")
    return Grammar("json_schema", encode(found).decode(), place)


def _no_schema(place: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid value for '{place}': it {what}. Expected a JSON schema: an object, or its JSON as a string.",
        param=place,
        code="invalid_value",
    )
