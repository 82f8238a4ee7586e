"""What a request's answer must be: the grammar that the engine holds it to, and how its tool calls are read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from radixa.core.base import FinishReason, Grammar, SamplingParams, ToolCallDelta
from radixa.core.conversation import Conversation, ResponseFormat, Tool
from radixa.core.errors import InvalidRequest, shown
from radixa.models.tools.base import CallReader, Need, OfferedTool, ToolForm
from radixa.models.tools.schemas import schema_rule

MAX_TOOLS = 128

_schema = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Shape:
    """`sampling` with the grammar in it; `form` where the answer may call tools."""

    sampling: SamplingParams
    form: ToolForm | None = None


class Calls:
    """Reads one answer's pieces; without a form they are text as they are."""

    def __init__(self, form: ToolForm | None) -> None:
        self._reader: CallReader | None = None if form is None else form.reader(_new_id)

    def read(
        self, text: str, reason: FinishReason | None
    ) -> tuple[str, tuple[ToolCallDelta, ...], FinishReason | None]:
        """The piece's text and calls, and why the answer ends with it, if it does."""
        if self._reader is None:
            return text, (), reason
        found = self._reader.add(text)
        words = found.text if reason is None else found.text + self._reader.end().text
        ends_in_calls = reason == "stop" and self._reader.called
        return words, found.calls, "tool_calls" if ends_in_calls else reason


def _new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def offered(tools: Sequence[Tool]) -> list[OfferedTool]:
    """The tools with their schemas decoded. InvalidRequest names the one that cannot be."""
    if len(tools) > MAX_TOOLS:
        raise _wrong("tools", f"it has {len(tools)} tools, and at most {MAX_TOOLS} are taken")
    found = []
    for i, tool in enumerate(tools):
        try:
            parameters = _schema(tool.parameters) if bytes(tool.parameters) != b"null" else {}
            # What cannot be written again cannot be a part of a prompt or a grammar either.
            schema_rule(parameters, lenient=True)
        except msgspec.MsgspecError as error:
            raise _wrong(f"tools[{i}]", f"the parameters of '{shown(tool.name)}' are no JSON schema") from error
        except RecursionError as error:
            raise _wrong(f"tools[{i}]", f"the parameters of '{shown(tool.name)}' are nested too deeply") from error
        if parameters.get("type", "object") != "object":
            raise _wrong(f"tools[{i}]", f"the parameters of '{shown(tool.name)}' must be of type 'object'")
        found.append(OfferedTool(tool.name, tool.description, parameters, bool(tool.strict)))
    return found


def shape(
    sampling: SamplingParams, conversation: Conversation | None, form: ToolForm, special: Callable[[str], int | None]
) -> Shape:
    """What an answer in `conversation` must be. InvalidRequest for wishes that cannot all hold.

    `special`: the id of the special token that is written so.
    """
    if conversation is None:
        return Shape(sampling)
    wanted = sampling.grammar or _format(conversation.response_format)
    choice = conversation.tool_choice
    mode = "auto" if choice is None else choice.mode
    if not conversation.tools or mode == "none":
        if mode in ("required", "tool"):
            raise _wrong("tool_choice", f"'{mode}' needs tools to choose from; 'tools' has none")
        return Shape(msgspec.structs.replace(sampling, grammar=wanted))
    if sampling.grammar is not None:
        place = sampling.grammar.place
        raise _wrong(place, "an answer that may call tools cannot be held to it. Expected 'tool_choice' of 'none'")
    tools = offered(conversation.tools)
    places = [f"tools[{i}]" for i in range(len(tools))]
    if choice is not None and mode == "tool":
        chosen = [i for i, tool in enumerate(tools) if tool.name == choice.name]
        if not chosen:
            raise _wrong("tool_choice", f"there is no tool '{shown(choice.name)}' in 'tools'")
        tools, places = [tools[chosen[0]]], [places[chosen[0]]]
    need: Need = "may" if mode == "auto" else "must"
    several = conversation.parallel_tool_calls is not False and mode != "tool" and not form.one_call
    found: list[int] = []
    text = form.lark(tools, "must" if wanted else need, several, _token(special, found))
    parts = tuple(
        Grammar("json_schema", msgspec.json.encode(tool.parameters).decode(), place, lenient=not tool.strict)
        for tool, place in zip(tools, places, strict=True)
    )
    if wanted is not None and need == "may":
        schema = {"type": "object"} if wanted.kind == "json_object" else msgspec.json.decode(wanted.text)
        # The answer itself, or calls: what was the start is one of two ways now.
        text = f"start: said | must\nsaid: {schema_rule(schema, lenient=wanted.lenient)}\n" + text.replace(
            "start:", "must:", 1
        )
        parts += (wanted,)
    grammar = Grammar("lark", text, "tools", parts=parts)
    return Shape(msgspec.structs.replace(sampling, grammar=grammar, special_text=bool(found)), form)


def _token(special: Callable[[str], int | None], found: list[int]) -> Callable[[str], str]:
    """How a text that may be a special token stands in a grammar; those that are one are noted in `found`."""

    def written(text: str) -> str:
        token_id = special(text)
        if token_id is None:
            return msgspec.json.encode(text).decode()
        found.append(token_id)
        return f"<[{token_id}]>"

    return written


def _format(wanted: ResponseFormat | None) -> Grammar | None:
    if wanted is None:
        return None
    if wanted.type == "json_object":
        return Grammar("json_object", place=wanted.place)
    text = bytes(wanted.schema).decode()
    try:
        schema = msgspec.json.decode(text)
        schema_rule(schema, lenient=True)
    except RecursionError as error:
        raise _wrong(wanted.place, "it is nested too deeply") from error
    if not isinstance(schema, dict | bool):
        raise _wrong(wanted.place, "it is no JSON schema, which is an object")
    return Grammar("json_schema", text, wanted.place, lenient=not wanted.strict)


def _wrong(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{place}': {why}.", param=place, code="invalid_value")
