"""A conversation, or a text, as a body of this API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from radixa.core.base import GenerateRequest, SamplingParams
from radixa.core.conversation import (
    Conversation,
    ConversationMessage,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import unsupported
from radixa.core.tokens import unpack
from radixa.providers.openai.body import Fields, breakpoint_of, encode
from radixa.providers.openai.generations import Generation
from radixa.providers.openai.kinds import Kind

Json = dict[str, Any]


def chat_body(request: GenerateRequest, conversation: Conversation, kind: Kind, generation: Generation) -> Fields:
    """A streamed chat completion. InvalidRequest names what the upstream cannot be asked for."""
    body = _common(request, kind)
    body["messages"] = msgspec.Raw(encode(_messages(request, conversation, kind, generation)))
    if not request.open_ended:
        body[kind.max_tokens] = request.sampling.max_tokens
    if request.sampling.logprobs is not None and "logprobs" in kind.sampling:
        body["logprobs"] = True
        body["top_logprobs"] = request.sampling.logprobs
    if conversation.tools:
        body["tools"] = msgspec.Raw(encode([_tool(tool) for tool in conversation.tools]))
    choice = conversation.tool_choice
    if choice is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = named if choice.mode == "tool" else choice.mode
    if conversation.parallel_tool_calls is not None and kind.parallel_tool_calls:
        body["parallel_tool_calls"] = conversation.parallel_tool_calls
    wanted = conversation.response_format
    if wanted is not None:
        if wanted.type == "json_schema" and not kind.json_schema:
            raise unsupported(
                "response_format", f"{request.model} takes no schema. Ask for {{'type': 'json_object'}} instead."
            )
        body["response_format"] = {"type": wanted.type}
        if wanted.type == "json_schema":
            schema = {"name": wanted.name or "answer", "schema": wanted.schema}
            body["response_format"]["json_schema"] = schema | _given(strict=wanted.strict)
    if conversation.effort is not None and kind.effort:
        body["reasoning_effort"] = conversation.effort
    return body


def completions_body(request: GenerateRequest, kind: Kind) -> Fields:
    """A streamed text completion of the request's `prompt` or `token_ids`."""
    body = _common(request, kind)
    prompt = request.prompt if request.token_ids is None else unpack(request.token_ids)
    body["prompt"] = msgspec.Raw(encode(prompt))
    if not request.open_ended:
        body["max_tokens"] = request.sampling.max_tokens
    if request.sampling.logprobs is not None and "logprobs" in kind.sampling:
        body["logprobs"] = request.sampling.logprobs
    return body


def _common(request: GenerateRequest, kind: Kind) -> Fields:
    body: Fields = {"model": request.model, "stream": True, "stream_options": {"include_usage": True}}
    body.update(_sampling(request.sampling, kind))
    if request.n > 1:
        if "n" not in kind.sampling:
            raise unsupported("n", f"{request.model} gives one answer a request. Ask several times.")
        body["n"] = request.n
    return body


def _sampling(params: SamplingParams, kind: Kind) -> Fields:
    """What differs from the defaults, which every server shares, as far as the kind knows it."""
    usual = SamplingParams()
    found: Fields = {}
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        if getattr(params, name) != getattr(usual, name):
            found[name] = getattr(params, name)
    for name in ("seed", "top_k", "min_p", "repetition_penalty", "ignore_eos", "stop_token_ids"):
        if name in kind.sampling and getattr(params, name) != getattr(usual, name):
            found[dict(kind.renamed).get(name, name)] = getattr(params, name)
    if params.stop:
        found["stop"] = params.stop
    if params.logit_bias and "logit_bias" in kind.sampling:
        found["logit_bias"] = {str(token_id): bias for token_id, bias in params.logit_bias.items()}
    return found


def _tool(tool: Tool) -> Json:
    function = {"name": tool.name, "parameters": tool.parameters} | _given(
        description=tool.description or None, strict=tool.strict
    )
    return {"type": "function", "function": function}


def _messages(request: GenerateRequest, conversation: Conversation, kind: Kind, generation: Generation) -> list[Json]:
    written: list[Json] = []
    for index, message in enumerate(conversation.messages):
        for at, part in enumerate(message.parts):
            why = _unreadable(part, request.model, kind)
            if why is not None:
                raise unsupported(conversation.place(index, at), why)
        written.extend(_message(message, generation))
    return written


def _unreadable(part: Part, model: str, kind: Kind) -> str | None:
    """Why the upstream cannot be sent a part; None where it can."""
    if isinstance(part, Opaque):
        return f"a part of type '{part.type}' cannot be written for {model}. Send text or images."
    inner = part.content if isinstance(part, ToolResult) else (part,)
    if not kind.images and any(isinstance(one, Image) for one in inner):
        return f"{model} reads text only. Leave images out."
    return None


def _message(message: ConversationMessage, generation: Generation) -> Iterable[Json]:
    """One message, or several where it answers tools: their answers stand alone here, before what else is said.

    Thoughts are left out: they are the provider's that thought them.
    """
    shown: list[Text | Image] = []
    calls: list[Json] = []
    for part in message.parts:
        match part:
            case Text() | Image():
                shown.append(part)
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments}
                calls.append({"id": part.id, "type": "function", "function": function})
            case ToolResult():
                texts = [inner for inner in part.content if isinstance(inner, Text)]
                yield {"role": "tool", "tool_call_id": part.call_id, "content": "".join(text.text for text in texts)}
                # A tool's answer is text alone in this API, so its images follow as the user's.
                shown.extend(inner for inner in part.content if isinstance(inner, Image))
            case Opaque() | Thinking():
                pass
    role = "user" if message.role == "tool" else message.role
    if calls:
        yield {"role": role, "content": _content(shown, generation) if shown else None, "tool_calls": calls}
    elif shown or not any(isinstance(part, ToolResult) for part in message.parts):
        yield {"role": role, "content": _content(shown, generation)} | _given(name=message.name)


def _content(parts: list[Text | Image], generation: Generation) -> str | list[Json]:
    """Text as a string where nothing else is in it: every server takes that."""
    marked = generation.breakpoints and any(part.breakpoint is not None for part in parts)
    if not marked and all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    written = []
    for part in parts:
        if isinstance(part, Text):
            one: Json = {"type": "text", "text": part.text}
        else:
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            one = {"type": "image_url", "image_url": {"url": url} | _given(detail=part.detail or None)}
        if generation.breakpoints and part.breakpoint is not None:
            one["prompt_cache_breakpoint"] = breakpoint_of(part.breakpoint)
        written.append(one)
    return written


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}
