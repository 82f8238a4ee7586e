"""A stand-in for Anthropic's API: messages, streamed and not, and count_tokens.

It answers deterministically, counts tokens by a fixed rule and keeps a cache as the documentation says
(`anthropic_cache.py`). What the last text says decides the answer:

- `THINK` in it: a thinking block with a signature comes first; `REFUSE`: the answer ends as a refusal;
- tools and no result yet: a call of each tool that the text names, or of the first one where it must call one;
- else: `You said: ` and the text, or `The tool said: ` and its result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiohttp import web

from tests.upstreams.anthropic_cache import AnthropicCache, Counts, Invalid, tokens_of
from tests.upstreams.base import StandIn

KEY = "sk-ant-test-0123456789"
SIGNATURE = "c2lnbmVk"
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
FIELDS = {
    "model", "messages", "max_tokens", "system", "tools", "tool_choice", "temperature", "top_p", "top_k",
    "stop_sequences", "stream", "thinking", "output_config", "metadata", "service_tier", "cache_control",
}  # fmt: skip

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class AnthropicStandIn(StandIn):
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.cache = AnthropicCache(clock)
        self.usage_at: Literal["both", "end", "none"] = "both"
        """Which events of a stream say the usage: Anthropic's start and end, or the end alone as some servers do."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/messages", self._messages), web.post("/v1/messages/count_tokens", self._count)]

    def error_body(self, status: int) -> bytes:
        return _encode(_error(status, f"The request ended with {status}."))

    def error_event(self) -> bytes:
        return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    # ---- routes

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        recorded = await self.record(request)
        fault = self.next_fault()
        body = recorded.json
        wrong = _refused(recorded.headers) or _wrong(body, FIELDS)
        if wrong:
            return web.json_response(wrong, status=_status(wrong))
        if fault is not None and fault.kind == "status":
            return await self.answer(request, fault)
        try:
            counts = self.cache.ask(body)
        except Invalid as error:
            return web.json_response(_error(400, str(error)), status=400)
        blocks, reason = _answer(body)
        usage: Json | None = _usage(counts, blocks)
        if fault is not None and fault.kind == "lie":
            usage = msgspec.json.decode(fault.usage) if fault.usage else None
        if body.get("stream"):
            return await self.answer(request, fault, events=self._events(body["model"], blocks, reason, usage))
        message = _message(body["model"], blocks, reason, usage)
        return await self.answer(request, fault, whole=_encode(message))

    async def _count(self, request: web.Request) -> web.StreamResponse:
        recorded = await self.record(request)
        fault = self.next_fault()
        sampling = {"max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "metadata"}
        wrong = _refused(recorded.headers) or _wrong(recorded.json, FIELDS - sampling)
        if wrong:
            return web.json_response(wrong, status=_status(wrong))
        return await self.answer(request, fault, whole=_encode({"input_tokens": tokens_of(recorded.json)}))

    def _events(self, model: str, blocks: list[Json], reason: str, usage: Any) -> list[bytes]:
        begin = None if self.usage_at != "both" or usage is None else usage | {"output_tokens": 1}
        message = _message(model, [], None, begin)
        events = [_event("message_start", message=message)]
        for index, block in enumerate(blocks):
            empty, deltas = _deltas(block)
            events.append(_event("content_block_start", index=index, content_block=empty))
            if index == 0:
                events.append(_event("ping"))
            events += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
            events.append(_event("content_block_stop", index=index))
        end: Json = {"delta": {"stop_reason": reason, "stop_sequence": None}}
        if self.usage_at != "none" and usage is not None:
            # Cumulative; Anthropic repeats the input's counts there.
            started = ("cache_creation", "service_tier") if self.usage_at == "both" else ()
            end["usage"] = {name: count for name, count in usage.items() if name not in started}
        events.append(_event("message_delta", **end))
        events.append(_event("message_stop"))
        return events


# ---- requests


def _refused(headers: dict[str, str]) -> Json | None:
    if headers.get("x-api-key") != KEY:
        return _error(401, "invalid x-api-key")
    if not headers.get("anthropic-version"):
        return _error(400, "anthropic-version: header is required")
    return None


def _wrong(body: Json, fields: set[str]) -> Json | None:
    """What Anthropic refuses of a body."""
    for name in body.keys() - fields:
        return _error(400, f"{name}: Extra inputs are not permitted")
    if "max_tokens" in fields and "max_tokens" not in body:
        return _error(400, "max_tokens: Field required")
    if not body.get("messages"):
        return _error(400, "messages: at least one message is required")
    if not body["model"].startswith("claude-"):
        return _error(404, f"model: {body['model']}")
    if not 0 <= body.get("temperature", 1.0) <= 1:
        return _error(400, "temperature: range: 0..1")
    open_calls: set[str] = set()
    for index, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant"):
            return _error(400, f"messages.{index}.role: Input should be 'user' or 'assistant'")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if any(block["type"] == "text" and not block["text"] for block in blocks):
            return _error(400, f"messages.{index}: text content blocks must be non-empty")
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if results != open_calls:
            return _error(400, f"messages.{index}: `tool_use` ids must have `tool_result` blocks immediately after")
        if any(block["type"] == "tool_result" for block in blocks[len(results) :]):
            return _error(400, f"messages.{index}: `tool_result` blocks must come first")
        if any(block["type"] == "thinking" and block["signature"] != SIGNATURE for block in blocks):
            return _error(400, f"messages.{index}.content.0: Invalid `signature` in `thinking` block")
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None


# ---- answers


def _answer(body: Json) -> tuple[list[Json], str]:
    content = body["messages"][-1]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    results = [block for block in blocks if block["type"] == "tool_result"]
    said = texts[-1] if texts else ""
    answer: list[Json] = []
    if "THINK" in said:
        answer.append({"type": "thinking", "thinking": "Let me see.", "signature": SIGNATURE})
    tools = [tool for tool in body.get("tools", ()) if tool["name"] in said]
    if not tools and body.get("tool_choice", {}).get("type") in ("any", "tool"):
        tools = body["tools"][:1]
    if tools and not results:
        for number, tool in enumerate(tools):
            call = {"type": "tool_use", "id": f"toolu_{number}", "name": tool["name"], "input": {"city": "Gent"}}
            answer.append(call)
        return answer, "tool_use"
    if results:
        first = results[0]["content"]
        said = f"The tool said: {first if isinstance(first, str) else first[0]['text']}"
    else:
        said = f"You said: {said}"
    answer.append({"type": "text", "text": said})
    return answer, "refusal" if "REFUSE" in said else "end_turn"


def _message(model: str, blocks: list[Json], reason: str | None, usage: Any) -> Json:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": None,
    }
    return message if usage is None else message | {"usage": usage}


def _deltas(block: Json) -> tuple[Json, list[Json]]:
    """A block as it begins, and the pieces in which it follows."""
    match block["type"]:
        case "text":
            pieces = [block["text"][at : at + 8] for at in range(0, len(block["text"]), 8)]
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
        case "thinking":
            thought = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signed]
    given = msgspec.json.encode(block["input"]).decode()
    pieces = ["", given[:5], given[5:]]
    return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _usage(counts: Counts, blocks: list[Json]) -> Json:
    thought = sum(len(block["thinking"]) // 4 for block in blocks if block["type"] == "thinking")
    return {
        "input_tokens": counts.plain,
        "cache_creation_input_tokens": counts.written_5m + counts.written_1h,
        "cache_read_input_tokens": counts.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.written_5m,
            "ephemeral_1h_input_tokens": counts.written_1h,
        },
        "output_tokens": len(_encode(blocks)) // 4,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "standard",
    }


def _event(name: str, **fields: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode({"type": name} | fields) + b"\n\n"


def _error(status: int, message: str) -> Json:
    found = {"type": TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": found, "request_id": "req_1"}


def _status(error: Json) -> int:
    return next(status for status, kind in TYPES.items() if kind == error["error"]["type"])
