"""The bodies of `POST /v1/responses` and `/v1/responses/input_tokens`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import SamplingParams
from radixa.core.conversation import ConversationMessage, Text
from radixa.core.errors import InvalidRequest, unsupported
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.base import Asked, Understood, has_breakpoints
from radixa.gateway.dialects.responses.items import ItemBody, ItemConversation, marks, messages
from radixa.gateway.dialects.responses.tools import Choice, TextBody, ToolBody, response_format, tool_choice, tools
from radixa.gateway.generation import Tokens
from radixa.gateway.wishes import CacheWishes, Mark

MAX_ITEMS = 10_000

Include = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]

_STATE = {
    "previous_response_id": "nothing is stored here, so no response can be gone on from. Send all of it as 'input'.",
    "conversation": "nothing is stored here, so no conversation can be gone on with. Send all of it as 'input'.",
    "prompt": "templates lie in OpenAI's own store. Send their text as 'instructions' and 'input'.",
    "context_management": "this model compacts no conversations. Send a shorter 'input'.",
    "moderation": "this model's answers are not moderated.",
}
"""Fields that only OpenAI can serve, and what to do instead."""


class ResponsesEnvelope(CacheWishes, frozen=True, kw_only=True):
    """What the gateway must know of a body, whoever answers it."""

    model: str | None = None
    stream: bool | None = None
    max_output_tokens: Tokens | None = None


class ReasoningBody(msgspec.Struct, frozen=True):
    effort: str | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    include_obfuscation: bool | None = None


class ResponsesBody(ResponsesEnvelope, frozen=True, kw_only=True):
    """Fields nobody knows are ignored, and null is the same as absent."""

    input: str | Annotated[list[ItemBody], Meta(max_length=MAX_ITEMS)] | None = None
    instructions: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextBody | None = None
    reasoning: ReasoningBody | None = None
    include: list[Include] | None = None
    store: bool | None = None
    background: bool | None = None
    stream_options: StreamOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: dict[str, str] | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, msgspec.Raw] | None = None
    prompt: dict[str, msgspec.Raw] | None = None
    context_management: list[msgspec.Raw] | None = None
    moderation: dict[str, msgspec.Raw] | None = None


_envelope = BodyDecoder(ResponsesEnvelope)
_body = BodyDecoder(ResponsesBody)


async def read(raw: bytes) -> Asked:
    """What the gateway must know of a body. InvalidRequest names the field that cannot be."""
    envelope = await _envelope.read(raw)
    return Asked(
        dialect="responses",
        body=raw,
        model=envelope.model,
        stream=bool(envelope.stream),
        max_tokens=envelope.max_output_tokens,
        wishes=envelope,
        understand=partial(understand, raw),
        explicit=has_breakpoints(raw),
    )


def understand(raw: bytes, vocab_size: int) -> Understood:
    """The whole of a body. Nothing in it names tokens, so the vocabulary's size does not matter."""
    body = _body(raw)
    for name, why in _STATE.items():
        if getattr(body, name):
            raise unsupported(name, why)
    if body.background:
        raise unsupported("background", "nothing is stored here, so nobody could ask for the answer later.")
    wants_logprobs = "message.output_text.logprobs" in (body.include or ())
    params = SamplingParams(
        max_tokens=body.max_output_tokens or 0,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        logprobs=(body.top_logprobs or 0) if wants_logprobs or body.top_logprobs else None,
    )
    return Understood([_conversation(body)], params, _marks(body))


def _conversation(body: ResponsesBody) -> ItemConversation:
    if isinstance(body.input, str):
        found, starts = [ConversationMessage("user", (Text(body.input),))], [0]
    else:
        found, starts = messages(body.input or ())
    if not found:
        raise InvalidRequest(
            "Missing required parameter: 'input'. Expected a text, or at least one item.",
            param="input",
            code="missing_required_parameter",
        )
    if body.instructions:
        found.insert(0, ConversationMessage("system", (Text(body.instructions),)))
    return ItemConversation(
        messages=tuple(found),
        starts=tuple(starts),
        field="input",
        leading="instructions" if body.instructions else "",
        tools=tools(body.tools or ()),
        tool_choice=tool_choice(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls,
        response_format=response_format(body.text),
        effort=None if body.reasoning is None else body.reasoning.effort,
    )


def _marks(body: ResponsesBody) -> list[Mark]:
    found = [
        Mark(f"tools[{i}].cache_control", tool.cache_control.seconds)
        for i, tool in enumerate(body.tools or ())
        if tool.cache_control is not None
    ]
    return found if isinstance(body.input, str) else [*found, *marks(body.input or ())]
