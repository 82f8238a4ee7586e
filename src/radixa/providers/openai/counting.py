"""Counting a prompt's tokens at servers that can: vLLM, SGLang and llama.cpp, each in its own way."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from radixa.core.base import GenerateRequest
from radixa.core.errors import UpstreamError, unsupported
from radixa.providers.openai.body import encode
from radixa.providers.openai.kinds import Kind
from radixa.providers.upstream.http import Upstream
from radixa.providers.upstream.unreadable import UNREADABLE

T = TypeVar("T")


class _Counted(msgspec.Struct, frozen=True):
    count: int | None = None
    tokens: list[Any] | None = None


class _Rendered(msgspec.Struct, frozen=True):
    prompt: str


async def count_tokens(
    upstream: Upstream, request: GenerateRequest, kind: Kind, prompt: msgspec.Raw, tools: msgspec.Raw | None
) -> int:
    """Tokens of `prompt`: a list of messages as chat has them, or a text. `unsupported` where nobody counts.

    `upstream` is asked at its root: these routes are not OpenAI's.
    """
    is_chat = bytes(prompt).lstrip()[:1] == b"["
    body: dict[str, Any]
    match kind.counting:
        case "vllm":
            body = {"model": request.model, "messages" if is_chat else "prompt": prompt}
            if is_chat and tools is not None:
                body["tools"] = tools
        case "sglang" if not is_chat:
            body = {"model": request.model, "prompt": prompt}
        case "llama.cpp":
            if is_chat:
                rendered = await upstream.post("/apply-template", encode({"messages": prompt}))
                text = _read(upstream, rendered, _Rendered).prompt
                # The template has written the special tokens already.
                body = {"content": text, "add_special": False, "parse_special": True}
            else:
                body = {"content": prompt, "add_special": True}
        case _:
            raise unsupported("model", f"the upstream of {request.model} has no way to count these tokens.")
    counted = _read(upstream, await upstream.post("/tokenize", encode(body)), _Counted)
    if counted.count is not None:
        return counted.count
    if counted.tokens is None:
        raise UpstreamError(f"{upstream.name} counted no tokens: expected 'count' or 'tokens'.", retryable=False)
    return len(counted.tokens)


def _read(upstream: Upstream, body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise UpstreamError(f"{upstream.name} counted tokens in a way not known here.", retryable=False) from error
