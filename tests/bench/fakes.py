"""A tokenizer and an OpenAI-compatible server without a model behind them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from radixa.bench.base import Run
from radixa.core.base import Message
from radixa.core.tokens import count, pack
from radixa.radix import NOTHING, Tree


class WordTokenizer:
    """Every word, space and sign is a token; ids are handed out as texts are seen."""

    vocab_size = 1 << 30

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.ids: dict[str, int] = {}

    def encode(self, text: str, *, special: bool = True) -> bytes:
        return pack(self._id(piece) for piece in re.findall(r"\w+|\s|[^\w\s]", text))

    def decode(self, token_ids: Sequence[int], *, skip_special: bool = True) -> str:
        return "".join(self.pieces[token_id] for token_id in token_ids)

    def _id(self, piece: str) -> int:
        if piece not in self.ids:
            self.ids[piece] = len(self.pieces)
            self.pieces.append(piece)
        return self.ids[piece]


class PlainTemplate:
    """`role: content` a line, then the opening of the assistant's turn."""

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        return "".join(f"{m.role}:{m.content}\n" for m in messages) + "assistant:"


@dataclass
class FakeServer:
    """Streams canned answers and keeps a real radix tree of what it was sent."""

    tokenizer: WordTokenizer
    template: PlainTemplate = field(default_factory=PlainTemplate)
    reports_usage: bool = True
    fails_at: int | None = None
    """Answer this request (counted from 1) with an error."""
    key: str | None = None
    answer: str = "answer {number} of {messages}"
    bodies: list[dict[str, object]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.tree = Tree(NOTHING)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "Incorrect API key provided: x"}}, status=401)
        body = await request.json()
        self.bodies.append(body)
        number = len(self.bodies)
        if number == self.fails_at:
            return web.json_response({"error": {"message": "the model is tired"}}, status=503)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        messages = [Message(m["role"], m["content"]) for m in body["messages"]]
        prompt = self.tokenizer.encode(self.template.render(messages))
        cached = self.tree.match(prompt).tokens
        answer = self.answer.format(number=number, messages=len(messages))
        self.tree.insert(prompt + self.tokenizer.encode(answer), None)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in (answer[:3], answer[3:]):
            await asyncio.sleep(0.001)
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": piece}}], "usage": None}))
        await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        if self.reports_usage:
            details = {"cached_tokens": cached, "cache_write_tokens": count(prompt) - cached}
            usage = {"prompt_tokens": count(prompt), "completion_tokens": 4, "prompt_tokens_details": details}
            await response.write(_event({"choices": [], "usage": usage}))
        await response.write(b": a comment\n\ndata: [DONE]\n\n")
        self.running -= 1
        return response

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "fake"}]})


def _event(chunk: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[FakeServer]:
    """The server on a free port of the loopback; `url` is its address."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.models)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def prompts(run: Run) -> list[tuple[Message, ...]]:
    return [m.request.messages for m in run.measurements]
