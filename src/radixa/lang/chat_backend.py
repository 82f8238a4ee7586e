"""What back ends of messages have in common: the conversation so far, and answers that a schema gives a form."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from radixa.core.errors import CallFailed, InvalidRequest
from radixa.lang.base import Answer, ChatFormat, Listener, Options, Prompt
from radixa.lang.choices import ChoicesMethod, Decision
from radixa.lang.constraints import schema_of, type_name
from radixa.lang.formats import PLAIN

VALUE = "value"
"""The one field of the object that an answer is wrapped in, where an object is the least that can be asked for."""
_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}


class ChatBackend(ABC):
    """Implements `lang.base.Backend` but for the asking itself, which is each SDK's own."""

    format: ChatFormat = PLAIN

    def __init__(self, model: str, client: Any) -> None:
        self.model = model
        self.client = client
        """The SDK's; whatever has `base_url` and `close`."""

    @abstractmethod
    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]: ...

    @abstractmethod
    def formed(self, prompt: Prompt, schema: dict[str, Any]) -> Answer:
        """One answer that keeps to the schema, at temperature 0."""

    def select(self, prompt: Prompt, choices: Sequence[str], method: ChoicesMethod) -> Decision:
        """The model chooses by itself: it may answer nothing but one of them. `method` needs log-probabilities of
        texts, which no API of messages gives."""
        answer = self.formed(prompt, _wrapped({"type": "string", "enum": list(choices)}))
        choice = value_of(answer.text)
        if choice not in choices:
            raise CallFailed(f"{self.model} chose {choice!r}; expected one of {', '.join(map(repr, choices))}")
        return Decision(choice, {"choices_method": "constrained", **answer.meta})

    def get_server_info(self) -> dict[str, Any]:
        return {"address": str(self.client.base_url), "model": self.model}

    def shutdown(self) -> None:
        self.client.close()

    def failed(self, error: Exception) -> CallFailed:
        """An error of the SDK's as one of ours."""
        return CallFailed(f"{self.client.base_url}: {error}", answered=getattr(error, "status_code", None))

    def warm(self, prompt: Prompt) -> None:  # noqa: B027 - what it does is nothing
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
