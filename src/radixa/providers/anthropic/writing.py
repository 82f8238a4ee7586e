"""A request as Anthropic's `/v1/messages` takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from radixa.core.base import GenerateRequest, SamplingParams
from radixa.core.conversation import Conversation, ResponseFormat, Tool
from radixa.core.errors import InvalidRequest, unsupported
from radixa.providers.anthropic.base import MAX_TOKENS
from radixa.providers.anthropic.turns import control, turns
from radixa.providers.upstream.conversation import conversation_of

Json = dict[str, Any]

_UNSAID = SamplingParams()
_NO_SUCH = (
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "min_p",
    "seed",
    "logit_bias",
    "stop_token_ids",
    "ignore_eos",
    "logprobs",
)
_MOST_BREAKPOINTS = 4
_EFFORTS = {"minimal": "low"}
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def written(request: GenerateRequest) -> Json:
    """The body, without its model. InvalidRequest names the field that Anthropic has nothing for."""
    _check(request)
    conversation = conversation_of(request, "Anthropic")
    system, messages = turns(conversation)
    thinking = conversation.thinking_tokens
    body: Json = {"max_tokens": _max_tokens(request, thinking), "messages": messages}
    if system:
        body["system"] = system
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        choice = _choice(conversation)
        if choice is not None:
            body["tool_choice"] = choice
    given = request.sampling
    if given.temperature != _UNSAID.temperature:
        body["temperature"] = given.temperature
    if given.top_p != _UNSAID.top_p:
        body["top_p"] = given.top_p
    if given.top_k:
        body["top_k"] = given.top_k
    if given.stop:
        body["stop_sequences"] = given.stop
    if conversation.effort == "none" and thinking is None:
        thinking = 0
    if thinking is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": thinking} if thinking else {"type": "disabled"}
    output: Json = {}
    if conversation.response_format is not None:
        output["format"] = _format(conversation.response_format)
    if conversation.effort is not None and conversation.effort != "none":
        output["effort"] = _EFFORTS.get(conversation.effort, conversation.effort)
    if output:
        body["output_config"] = output
    _in_order(body)
    return body


def _check(request: GenerateRequest) -> None:
    """Refuse what would have to be left out silently."""
    given = request.sampling
    for name in _NO_SUCH:
        if getattr(given, name) != getattr(_UNSAID, name):
            raise unsupported(name, "Anthropic has no such control.")
    if given.grammar is not None:
        raise unsupported(given.grammar.place, "Anthropic has no such control. Expected 'response_format'.")
    if request.n != 1:
        raise unsupported("n", f"{request.n} answers. Anthropic gives one; ask several times.")
    if given.temperature > 1:
        raise InvalidRequest(
            f"Invalid 'temperature': {given.temperature:g}. Anthropic takes 0 to 1.",
            param="temperature",
            code="invalid_value",
        )


def _max_tokens(request: GenerateRequest, thinking: int | None) -> int:
    # What is thought counts, and must leave room for an answer.
    return MAX_TOKENS + (thinking or 0) if request.open_ended else request.sampling.max_tokens


def _tool(tool: Tool) -> Json:
    schema = bytes(tool.parameters)
    found: Json = {
        "name": tool.name,
        "input_schema": tool.parameters if schema.strip() not in (b"{}", b"") else {"type": "object", "properties": {}},
    }
    if tool.description:
        found["description"] = tool.description
    if tool.strict is not None:
        found["strict"] = tool.strict
    if tool.breakpoint is not None:
        found["cache_control"] = control(tool.breakpoint)
    return found


def _choice(conversation: Conversation) -> Json | None:
    choice = conversation.tool_choice
    alone = conversation.parallel_tool_calls is False
    if choice is None and not alone:
        return None
    mode = "auto" if choice is None else _MODES[choice.mode]
    found: Json = {"type": mode}
    if choice is not None and mode == "tool":
        found["name"] = choice.name
    if alone and mode != "none":
        found["disable_parallel_tool_use"] = True
    return found


def _format(wanted: ResponseFormat) -> Json:
    if wanted.type == "json_object":
        raise unsupported(
            "response_format", "Anthropic gives JSON of a schema only. Send 'json_schema' with the schema wanted."
        )
    return {"type": "json_schema", "schema": wanted.schema}


def _in_order(body: Json) -> None:
    """Make the caller's breakpoints ones that Anthropic takes: the last four, those of an hour first."""
    marked = [block for block in _all(body) if "cache_control" in block]
    for block in marked[:-_MOST_BREAKPOINTS]:
        del block["cache_control"]
    long = False
    for block in reversed(marked[-_MOST_BREAKPOINTS:]):
        long = long or "ttl" in block["cache_control"]
        if long:
            block["cache_control"] = control("1h")


def _all(body: Json) -> Iterator[Json]:
    yield from body.get("tools", ())
    yield from body.get("system", ())
    for message in body["messages"]:
        yield from message["content"]


def fields_of(body: Json) -> dict[str, msgspec.Raw]:
    """Each top-level field by itself."""
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
