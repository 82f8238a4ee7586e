"""A stand-in for OpenAI's server, and for the servers that speak its API.

It answers as their documentation says, with a prompt cache of its own: prompts of 1,024 tokens or more (four bytes of
their JSON count as one) hit in steps of 128 tokens, per machine; requests of one `prompt_cache_key` reach one machine.
Answers are the words `one two three …`, as many as `max_tokens` allows and the last message asks for ("say 5").
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from typing import Any, Literal

from aiohttp import web

from tests.upstreams.base import Fault, Recorded, StandIn

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LEAST_TOKENS = 1024
STEP_TOKENS = 128
EMBEDDING = [0.5, -0.25, 0.125]


class OpenAIStandIn(StandIn):
    """`kind`: whose habits it has. With `key`, requests without it are refused as OpenAI refuses them."""

    def __init__(
        self,
        kind: Literal["openai", "deepseek", "openrouter", "vllm", "sglang", "llama.cpp"] = "openai",
        key: str | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.key = key
        self._cache: dict[str, set[bytes]] = {}
        """By machine: hashes of the beginnings of prompts, one for each step."""
        self._ids = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        found = [
            web.post("/v1/chat/completions", self.chat),
            web.post("/v1/completions", self.completions),
            web.post("/v1/embeddings", self.embeddings),
            web.get("/v1/models", self.models),
        ]
        if self.kind == "openai":
            found.append(web.post("/v1/responses", self.responses))
        if self.kind in ("vllm", "sglang", "llama.cpp"):
            found.append(web.post("/tokenize", self.tokenize))
        if self.kind == "llama.cpp":
            found.append(web.post("/apply-template", self.apply_template))
        return found

    def error_body(self, status: int) -> bytes:
        kinds = {
            400: ("invalid_request_error", None, "Invalid value for 'temperature': expected at most 2.", "temperature"),
            401: (
                "invalid_request_error",
                "invalid_api_key",
                f"Incorrect API key provided: {self.key or 'sk-abcd1234'}. You can find your API key at …",
                None,
            ),
            404: ("invalid_request_error", "model_not_found", "The model `x` does not exist.", None),
            429: ("requests", "rate_limit_exceeded", "Rate limit reached for gpt-4.1 on requests per min (RPM).", None),
            503: ("service_unavailable_error", "server_is_overloaded", "The server is overloaded.", None),
        }
        kind, code, message, param = kinds.get(status, ("server_error", None, "The server had an error.", None))
        return _json({"error": {"message": message, "type": kind, "param": param, "code": code}})

    def error_event(self) -> bytes:
        return _event({"error": {"message": "The server had an error while processing.", "type": "server_error"}})

    # ---- routes

    async def models(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        return web.json_response({"object": "list", "data": [{"id": "gpt-4.1", "object": "model"}]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        found, fault = await self.record(request), self.next_fault()
        if (refused := self._refused(found)) is not None:
            return refused
        body = found.json
        prompt = _json([body.get("tools"), body["messages"]])
        said = _said(body["messages"])
        call = bool(body.get("tools")) and (said.startswith("call") or body.get("tool_choice") == "required")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        words, ended = _words(said, limit)
        reason = "tool_calls" if call else ended
        name = body["tools"][0]["function"]["name"] if call else ""
        identity = {"id": f"chatcmpl-{next(self._ids)}", "created": 1_764_000_000, "model": body["model"]}
        thought = ["Let", " me", " think."] if "reasoner" in body["model"] or said.startswith("think") else []
        usage = self._usage(prompt, body, (1 if call else len(words)) * body.get("n", 1), len(thought))
        indexes = range(body.get("n", 1))
        if not body.get("stream"):
            message: dict[str, Any] = {"role": "assistant", "content": None if call else "".join(words)}
            if call:
                message["tool_calls"] = [
                    {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}
                ]
            if thought:
                message["reasoning_content"] = "".join(thought)
            choices = [{"index": i, "message": message, "logprobs": None, "finish_reason": reason} for i in indexes]
            whole: dict[str, Any] = {**identity, "object": "chat.completion", "choices": choices, "usage": usage}
            return await self.answer(request, fault, whole=_lied(whole, fault))
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"reasoning_content": piece} for piece in thought]
        if call:
            begun = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
            deltas.append({"tool_calls": [{"index": 0, **begun}]})
            deltas += [
                {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in ('{"city": ', '"Paris"}')
            ]
        else:
            deltas += [{"content": word} for word in words]
        logprobs = {"content": [{"token": "one", "logprob": -0.5, "bytes": [111, 110, 101], "top_logprobs": []}]}
        chunks = [
            {"index": i, "delta": delta, "logprobs": logprobs if body.get("logprobs") else None, "finish_reason": None}
            for delta in deltas
            for i in indexes
        ]
        chunks += [{"index": i, "delta": {}, "logprobs": None, "finish_reason": reason} for i in indexes]
        events = self._events({**identity, "object": "chat.completion.chunk"}, chunks, usage, body, fault)
        return await self.answer(request, fault, events=events)

    async def completions(self, request: web.Request) -> web.StreamResponse:
        found, fault = await self.record(request), self.next_fault()
        if (refused := self._refused(found)) is not None:
            return refused
        body = found.json
        words, reason = _words(body["prompt"] if isinstance(body["prompt"], str) else "", body.get("max_tokens", 16))
        usage = self._usage(_json(body["prompt"]), body, len(words), 0)
        identity = {
            "id": f"cmpl-{next(self._ids)}",
            "object": "text_completion",
            "created": 1_764_000_000,
            "model": body["model"],
        }
        if not body.get("stream"):
            choices = [{"index": 0, "text": "".join(words), "logprobs": None, "finish_reason": reason}]
            return await self.answer(
                request, fault, whole=_lied({**identity, "choices": choices, "usage": usage}, fault)
            )
        logprobs = {"tokens": ["one"], "token_logprobs": [-0.5], "top_logprobs": [{"one": -0.5}], "text_offset": [0]}
        chunks = [
            {"index": 0, "text": word, "logprobs": logprobs if "logprobs" in body else None, "finish_reason": None}
            for word in words
        ]
        chunks.append({"index": 0, "text": "", "logprobs": None, "finish_reason": reason})
        return await self.answer(request, fault, events=self._events(identity, chunks, usage, body, fault))

    async def responses(self, request: web.Request) -> web.StreamResponse:
        found, fault = await self.record(request), self.next_fault()
        if (refused := self._refused(found)) is not None:
            return refused
        body = found.json
        said = body["input"] if isinstance(body["input"], str) else _said(body["input"])
        words, reason = _words(said, body.get("max_output_tokens"))
        chat = self._usage(_json([body.get("instructions"), body["input"]]), body, len(words), 0)
        usage = {
            "input_tokens": chat["prompt_tokens"],
            "input_tokens_details": chat["prompt_tokens_details"],
            "output_tokens": chat["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": chat["total_tokens"],
        }
        content = [{"type": "output_text", "text": "".join(words), "annotations": []}]
        item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        status = "incomplete" if reason == "length" else "completed"
        response = {
            "id": f"resp_{next(self._ids)}",
            "object": "response",
            "created_at": 1_764_000_000,
            "model": body["model"],
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if reason == "length" else None,
            "error": None,
            "output": [item],
            "usage": usage,
        }
        if not body.get("stream"):
            return await self.answer(request, fault, whole=_lied(response, fault))
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        ]
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events += [{"type": "response.output_text.delta", **place, "delta": word} for word in words]
        events.append({"type": "response.output_text.done", **place, "text": "".join(words)})
        last = json.loads(_lied(response, fault))
        events.append({"type": f"response.{status}", "response": last})
        frames = [
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': at})}\n\n".encode()
            for at, event in enumerate(events)
        ]
        return await self.answer(request, fault, events=frames)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        found, fault = await self.record(request), self.next_fault()
        if (refused := self._refused(found)) is not None:
            return refused
        body = found.json
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": i, "embedding": EMBEDDING} for i in range(len(texts))]
        tokens = len(_json(body["input"])) // 4
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        whole = {"object": "list", "data": data, "model": body["model"], "usage": usage}
        return await self.answer(request, fault, whole=_lied(whole, fault))

    async def tokenize(self, request: web.Request) -> web.StreamResponse:
        """A token for every word, as each of the three servers says it."""
        body = (await self.record(request)).json
        if self.kind == "llama.cpp":
            return web.json_response({"tokens": list(range(len(body["content"].split())))})
        text = body["prompt"] if "prompt" in body else " ".join(m["content"] for m in body["messages"])
        tokens = list(range(len(text.split())))
        return web.json_response({"tokens": tokens, "count": len(tokens), "max_model_len": 4096})

    async def apply_template(self, request: web.Request) -> web.StreamResponse:
        body = (await self.record(request)).json
        return web.json_response({"prompt": " ".join(f"<{m['role']}> {m['content']}" for m in body["messages"])})

    # ---- inside

    def _refused(self, found: Recorded) -> web.Response | None:
        if self.key is None or found.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return web.Response(status=401, body=self.error_body(401), content_type="application/json")

    def _usage(self, prompt: bytes, body: dict[str, Any], completion: int, thought: int) -> dict[str, Any]:
        """In this kind's own shape."""
        tokens = max(1, len(prompt) // 4)
        cached = self._cached(prompt, str(body.get("prompt_cache_key", "")))
        counts = {"prompt_tokens": tokens, "completion_tokens": completion + thought}
        counts["total_tokens"] = tokens + completion + thought
        if self.kind == "deepseek":
            hits = {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": tokens - cached}
            return {**counts, **hits, "completion_tokens_details": {"reasoning_tokens": thought}}
        if self.kind in ("vllm", "sglang", "llama.cpp"):
            return {**counts, "prompt_tokens_details": None}
        details: dict[str, Any] = {"cached_tokens": cached, "audio_tokens": 0}
        if str(body["model"]).startswith("gpt-5.6"):
            details["cache_write_tokens"] = tokens - cached if tokens >= LEAST_TOKENS else 0
        if self.kind == "openrouter":
            return {**counts, "prompt_tokens_details": details, "cost": 0.0012, "cost_details": {}}
        thoughts = {"reasoning_tokens": thought, "audio_tokens": 0}
        return {**counts, "prompt_tokens_details": details, "completion_tokens_details": thoughts}

    def _cached(self, prompt: bytes, machine: str) -> int:
        step = STEP_TOKENS * 4
        known = self._cache.setdefault(machine, set())
        beginnings = [hashlib.sha256(prompt[:end]).digest() for end in range(step, len(prompt) + 1, step)]
        hits = sum(1 for _ in itertools.takewhile(known.__contains__, beginnings)) * STEP_TOKENS
        if len(prompt) // 4 >= LEAST_TOKENS:
            known.update(beginnings)
        return hits if hits >= LEAST_TOKENS else 0

    def _events(
        self,
        identity: dict[str, Any],
        choices: list[dict[str, Any]],
        usage: dict[str, Any],
        body: dict[str, Any],
        fault: Fault | None,
    ) -> list[bytes]:
        wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        extra = {"usage": None} if wanted and self.kind == "openai" else {}
        chunks = [{**identity, "choices": [choice], **extra} for choice in choices]
        last = json.loads(_lied({"usage": usage}, fault))
        if self.kind == "deepseek":
            # It tells the usage with the end of the answer, whether it was asked or not.
            chunks[-1] |= last
        elif (wanted or self.kind == "openrouter") and last:
            chunks.append({**identity, "choices": [], **last})
        events = [_event(chunk) for chunk in chunks]
        if self.kind == "openrouter":
            events.insert(0, b": OPENROUTER PROCESSING\n\n")
        return [*events, b"data: [DONE]\n\n"]


def _words(said: str, limit: int | None) -> tuple[list[str], str]:
    """The words of an answer, each with the space before it, and why it ends."""
    found = re.search(r"say (\d+)", said)
    wanted = int(found[1]) if found else 3
    count = wanted if limit is None else min(wanted, limit)
    words = [("" if i == 0 else " ") + WORDS[i % len(WORDS)] for i in range(count)]
    return words, "stop" if count == wanted else "length"


def _said(messages: list[dict[str, Any]]) -> str:
    """The last message's text."""
    content = messages[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _lied(whole: dict[str, Any], fault: Fault | None) -> bytes:
    """The answer with the usage that the fault has, if it has one; without any where that is empty."""
    if fault is not None and fault.kind == "lie":
        whole = {name: value for name, value in whole.items() if name != "usage"}
        if fault.usage:
            whole["usage"] = json.loads(fault.usage)
    return _json(whole)


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + _json(chunk) + b"\n\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
