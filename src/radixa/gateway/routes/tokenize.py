"""`POST /v1/tokenize` and `/v1/detokenize`: the serving model's tokens. Free."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from radixa.core import tokens
from radixa.core.base import Message
from radixa.core.conversation import Conversation
from radixa.core.errors import InvalidRequest
from radixa.gateway.base import Response, encode, operation, served_by
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.chat.messages import MAX_MESSAGES, ChatMessage, conversation_messages
from radixa.gateway.generation import MAX_TOKEN_IDS, check_token_id
from radixa.gateway.request import Request
from radixa.gateway.shapes.models import TextShape, TokensShape
from radixa.gateway.state import Gateway
from radixa.providers.local.plain import plain


class TokenizeBody(msgspec.Struct, frozen=True):
    """One of a text (`prompt`, or `text`, which is the same) and chat messages."""

    model: str | None = None
    prompt: str | None = None
    text: str | None = None
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=MAX_MESSAGES)] | None = None
    add_generation_prompt: bool = True
    """Whether messages end where an answer begins, rather than with the last of them."""


class DetokenizeBody(msgspec.Struct, frozen=True):
    tokens: Annotated[list[int], Meta(max_length=MAX_TOKEN_IDS)]
    model: str | None = None


_tokenize = BodyDecoder(TokenizeBody)
_detokenize = BodyDecoder(DetokenizeBody)


@operation(body=(TokenizeBody,), answer=TokensShape, errors=(404,))
async def tokenize(gateway: Gateway, request: Request) -> Response:
    """The tokens of a text, or of messages as the chat template puts them."""
    body = await _tokenize.read(await request.body(gateway.config.server.max_body_bytes))
    offer = gateway.offer(request, body.model)
    local = gateway.local
    ids = tokens.unpack(await local.tokenize(_content(body), body.add_generation_prompt))
    answer = {
        "object": "tokens",
        "model": offer.id,
        "count": len(ids),
        "max_model_len": local.engine.info.context_length,
        "tokens": ids,
    }
    return Response(encode(answer), headers=served_by(offer.served_by))


@operation(body=(DetokenizeBody,), answer=TextShape, errors=(404,))
async def detokenize(gateway: Gateway, request: Request) -> Response:
    """The text of tokens."""
    body = await _detokenize.read(await request.body(gateway.config.server.max_body_bytes))
    offer = gateway.offer(request, body.model)
    local = gateway.local
    size = local.tokenizer.vocab_size
    wrong = next((i for i, token_id in enumerate(body.tokens) if not 0 <= token_id < size), None)
    if wrong is not None:
        check_token_id(body.tokens[wrong], f"tokens[{wrong}]", size)
    text = await asyncio.to_thread(local.tokenizer.decode, body.tokens, skip_special=False)
    # vLLM calls it `prompt`, SGLang `text`.
    answer = {"object": "text", "model": offer.id, "prompt": text, "text": text}
    return Response(encode(answer), headers=served_by(offer.served_by))


def _content(body: TokenizeBody) -> str | tuple[Message, ...]:
    given = [name for name in ("prompt", "text", "messages") if getattr(body, name) is not None]
    if len(given) != 1:
        raise InvalidRequest(
            f"Expected exactly one of 'prompt', 'text' and 'messages', but got {len(given) or 'none'}.",
            param=given[1] if given else "prompt",
            code="invalid_value" if given else "missing_required_parameter",
        )
    if body.messages is not None:
        return plain(Conversation(conversation_messages(body.messages))).messages
    return (body.prompt if body.prompt is not None else body.text) or ""
