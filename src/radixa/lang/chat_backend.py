"""What back ends of messages have in common: the conversation so far, and answers that a schema gives a form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from radixa.core.errors import CallFailed, InvalidRequest
from radixa.lang.base import ChatFormat, Options, Prompt
from radixa.lang.formats import PLAIN
from radixa.lang.text_backend import schema_of, type_name

VALUE = "value"
"""The one field of the object that an answer is wrapped in, where an object is the least that can be asked for."""
_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}


class ChatBackend:
    """Those parts of `lang.base.Backend` in which a provider's API has nothing to offer."""

    format: ChatFormat = PLAIN

    def warm(self, prompt: Prompt) -> None:
        """Nothing: the provider keeps prompts by itself."""

    def flush_cache(self) -> dict[str, Any]:
        raise self._lacks("flush_cache", "drops nothing from its cache")

    def tree(self) -> list[dict[str, Any]]:
        raise self._lacks("enable_visualize_radix_tree", "does not show its cache")

    def search(self, collection: str, query: str, k: int) -> list[str]:
        raise self._lacks("retrieve", "has no collections (`radixa docs add` makes them at a server of ours)")

    def _lacks(self, word: str, why: str) -> InvalidRequest:
        return InvalidRequest(f"{word}: {type(self).__name__} {why}. Use a RuntimeEndpoint.")


def messages_of(prompt: Prompt, *, continues: bool) -> list[dict[str, str]]:
    """The conversation; a program without turns is one message of the user's.

    `continues`: an assistant turn that has begun may be the last message. InvalidRequest for what no message can say.
    """
    turns = [turn.body() for turn in prompt.turns]
    if prompt.open_role is None:
        return turns or [{"role": "user", "content": prompt.text}]
    if prompt.open_role != "assistant":
        raise InvalidRequest(
            f"gen inside a {prompt.open_role} turn: this back end answers as the assistant only. Use assistant(gen()) "
            "or a RuntimeEndpoint."
        )
    begun = prompt.open_text.rstrip()
    if begun and not continues:
        raise InvalidRequest(
            f"gen after {begun[-40:]!r} in the same assistant turn: this back end cannot go on with a turn that has "
            "begun. Put gen first in its turn, or use a RuntimeEndpoint."
        )
    return [*turns, {"role": "assistant", "content": begun}] if begun else turns


def choice_schema(choices: Sequence[str]) -> dict[str, Any]:
    return _wrapped({"type": "string", "enum": list(choices)})


def answer_schema(options: Options) -> dict[str, Any] | None:
    """The schema that the options ask for, an object in any case; None for free text."""
    if options.dtype is not None:
        return _wrapped({"type": _JSON_TYPES[type_name(options.dtype)]})
    return schema_of(options)


def unwrapped(text: str, options: Options) -> str:
    """The answer's text as a server of ours would have given it: the value alone, where a type was asked for."""
    if options.dtype is None:
        return text
    value = value_of(text)
    return str(value) if type_name(options.dtype) != "str" else json.dumps(value, ensure_ascii=False)


def value_of(text: str) -> Any:
    """What an answer holds that was asked for by a wrapped schema. CallFailed where the model did not keep to it."""
    try:
        return json.loads(text)[VALUE]
    except (ValueError, KeyError, TypeError) as error:
        raise CallFailed(f"the model answered {text[:80]!r}; expected an object with {VALUE!r}") from error


def refuse(backend: str, options: Options, names: Sequence[str]) -> None:
    """InvalidRequest for options that the back end has no field for."""
    for name in names:
        if getattr(options, name):
            raise InvalidRequest(f"gen: {backend} has no {name}. Leave it out, or use a RuntimeEndpoint.", param=name)


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {VALUE: schema}, "required": [VALUE], "additionalProperties": False}
