"""A request as Gemini's generateContent takes it."""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core.base import GenerateRequest, SamplingParams
from radixa.core.conversation import Conversation, Tool
from radixa.core.errors import InvalidRequest, unsupported
from radixa.providers.gemini.contents import contents_of
from radixa.providers.gemini.thinking import by_budget, thinking_config
from radixa.providers.upstream.conversation import conversation_of

Json = dict[str, Any]

MOST_ANSWERS = 8
_MOST_LOGPROBS = 20
_SEEDS = 2**31
_UNSAID = SamplingParams()
"""What nobody asked for is left to the model, whose own defaults differ from OpenAI's."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}


def body_of(request: GenerateRequest) -> Json:
    """InvalidRequest names the field that Gemini has nothing for."""
    _check(request)
    conversation = conversation_of(request, "Gemini")
    system, contents = contents_of(conversation, signed=not by_budget(request.model))
    body: Json = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in conversation.tools]}]
        body["toolConfig"] = {"functionCallingConfig": _calling(conversation)}
    config = _config(request, conversation)
    if config:
        body["generationConfig"] = config
    return body


def _check(request: GenerateRequest) -> None:
    """Refuse what would have to be left out silently."""
    given = request.sampling
    for name in ("logit_bias", "min_p", "repetition_penalty", "ignore_eos", "stop_token_ids"):
        if getattr(given, name) != getattr(_UNSAID, name):
            raise unsupported(name, "Gemini has no such control.")
    if given.grammar is not None:
        raise unsupported(given.grammar.place, "Gemini has no such control. Expected 'response_format'.")
    if given.max_tokens == 0:
        raise unsupported("max_tokens", "Gemini computes no prompt without an answer. Expected at least 1.")
    if request.n > MOST_ANSWERS:
        raise InvalidRequest(
            f"Invalid 'n': {request.n} answers. Gemini gives at most {MOST_ANSWERS} in one request.",
            param="n",
            code="invalid_value",
        )
    if given.logprobs is not None and given.logprobs > _MOST_LOGPROBS:
        raise InvalidRequest(
            f"Invalid 'top_logprobs': {given.logprobs}. Gemini gives at most {_MOST_LOGPROBS}.",
            param="top_logprobs",
            code="invalid_value",
        )
    conversation = request.conversation
    if conversation is not None and conversation.tools and conversation.parallel_tool_calls is False:
        raise unsupported("parallel_tool_calls", "Gemini decides by itself how many calls it makes at once.")


def _config(request: GenerateRequest, conversation: Conversation) -> Json:
    given = request.sampling
    config: Json = {
        name: value
        for name, value, unsaid in (
            ("temperature", given.temperature, _UNSAID.temperature),
            ("topP", given.top_p, _UNSAID.top_p),
            ("topK", given.top_k, _UNSAID.top_k),
            ("presencePenalty", given.presence_penalty, _UNSAID.presence_penalty),
            ("frequencyPenalty", given.frequency_penalty, _UNSAID.frequency_penalty),
            ("candidateCount", request.n, 1),
        )
        if value != unsaid
    }
    if not request.open_ended:
        config["maxOutputTokens"] = given.max_tokens
    if given.stop:
        config["stopSequences"] = list(given.stop)
    if given.seed is not None:
        # Theirs has 32 bits, OpenAI's 64.
        config["seed"] = given.seed % _SEEDS
    if given.logprobs is not None:
        config["responseLogprobs"] = True
        if given.logprobs:
            config["logprobs"] = given.logprobs
    config |= _shape(conversation)
    thinking = thinking_config(conversation, request.model)
    if thinking is not None:
        config["thinkingConfig"] = thinking
    return config


def _shape(conversation: Conversation) -> Json:
    """What the answer must be."""
    wanted = conversation.response_format
    if wanted is None:
        return {}
    shape: Json = {"responseMimeType": "application/json"}
    if wanted.type == "json_schema":
        shape["responseJsonSchema"] = wanted.schema
    return shape


def _declaration(tool: Tool) -> Json:
    made: Json = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if bytes(tool.parameters) != b"{}":
        made["parametersJsonSchema"] = tool.parameters
    return made


def _calling(conversation: Conversation) -> Json:
    choice = conversation.tool_choice
    mode = _MODES["auto" if choice is None else choice.mode]
    if mode == "AUTO" and any(tool.strict for tool in conversation.tools):
        # As free as AUTO, but arguments that are given fit their schema.
        mode = "VALIDATED"
    calling: Json = {"mode": mode}
    if choice is not None and choice.mode == "tool":
        calling["allowedFunctionNames"] = [choice.name]
    return calling


encode = msgspec.json.Encoder().encode
