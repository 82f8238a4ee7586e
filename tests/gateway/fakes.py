"""An engine that answers from a script, and an ASGI client that may leave at any moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from radixa.core.base import Message, TokenLogprob, Usage
from radixa.core.errors import EngineUnavailable, InvalidRequest, RadixaError
from radixa.core.tokens import common_prefix, count, pack, unpack
from radixa.engine.base import EngineInfo, EngineOutput, EngineRequest, EngineStats, TreeNode
from radixa.gateway.app import App

VOCAB = 257
EOS = 256


class ByteTokenizer:
    """A token is a byte of UTF-8; the last one ends an answer."""

    vocab_size = VOCAB

    def encode(self, text: str, *, special: bool = True) -> bytes:
        return pack(list(text.encode()))

    def decode(self, token_ids: Sequence[int], *, skip_special: bool = True) -> str:
        return b"".join(self.token_bytes(token) for token in token_ids).decode("utf-8", "replace")

    def stream(self) -> Any:
        raise AssertionError("the gateway does not detokenise: the engine does")

    def token_bytes(self, token_id: int) -> bytes:
        return b"<end>" if token_id == EOS else bytes([token_id])


class PlainTemplate:
    """`role: content` a line; refuses a second system message, as some models' templates do."""

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        if sum(message.role == "system" for message in messages) > 1:
            raise InvalidRequest("the chat template refuses these messages: one system message", param="messages")
        return "".join(f"{message.role}: {message.content}\n" for message in messages) + "assistant: "


@dataclass
class FakeEngine:
    """Answers every prompt with `text`, one byte a step, and keeps prompts by namespace as a cache would.

    `failure` comes out in place of the step numbered `fails_at`; `gate`, where it is set, holds every step back until
    the test lets it through.
    """

    text: str = "forty-two"
    context: int = 1000
    capacity: int = 100_000
    fails_at: int = -1
    failure: RadixaError = field(
        default_factory=lambda: EngineUnavailable("the engine died and is being started again")
    )
    gate: asyncio.Semaphore | None = None
    ready: bool = True
    requests: list[EngineRequest] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Ids of requests whose stream was closed, in order."""
    finished: list[str] = field(default_factory=list)
    kept: dict[str, list[bytes]] = field(default_factory=dict)
    closed: bool = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("fake", "float32", self.context, VOCAB, self.capacity, 4, "none", "none")

    async def generate(self, request: EngineRequest) -> AsyncIterator[EngineOutput]:
        self.requests.append(request)
        cached = self._cached(request)
        params = request.sampling
        steps = list(self.text.encode())[: params.max_tokens] or [ord(" ")]
        reason = "length" if len(steps) == params.max_tokens else "stop"
        try:
            for number, token in enumerate(steps):
                if self.gate is not None:
                    await self.gate.acquire()
                else:
                    await asyncio.sleep(0)
                if number == self.fails_at:
                    raise self.failure
                last = number == len(steps) - 1
                yield EngineOutput(
                    request.request_id,
                    text=chr(token),
                    token_ids=(token,),
                    logprobs=None if params.logprobs is None else (self._logprob(token, params.logprobs),),
                    finish_reason=reason if last else None,
                    usage=self._usage(request, cached, len(steps)) if last else None,
                )
            self.finished.append(request.request_id)
        finally:
            self.ended.append(request.request_id)

    async def stats(self) -> EngineStats:
        if not self.ready:
            raise EngineUnavailable("not now")
        held = {name: sum(map(count, prompts)) for name, prompts in self.kept.items()}
        return EngineStats(
            capacity=self.capacity, free=self.capacity - sum(held.values()), tree=sum(held.values()), namespaces=held
        )

    async def tree(self, namespace: str | None = None, limit: int = 10_000) -> list[TreeNode]:
        nodes = []
        for name, prompts in sorted(self.kept.items()):
            if namespace is not None and name != namespace and not name.startswith(f"{namespace}/"):
                continue
            for prompt in prompts:
                parent = len(nodes) + 1
                # Each prompt is a chain of two nodes: its first four tokens, then the rest.
                nodes.append(TreeNode(parent, 0, name, prompt[:16], 0, 2, 1.5, 3.0, locked=False))
                nodes.append(TreeNode(parent + 1, parent, name, prompt[16:], 4, 1, 1.5, 3.0, locked=False))
        return nodes[:limit]

    async def flush(self, namespace: str | None = None) -> int:
        gone = [n for n in self.kept if namespace is None or n == namespace or n.startswith(f"{namespace}/")]
        return sum(count(prompt) for name in gone for prompt in self.kept.pop(name))

    async def close(self) -> None:
        self.closed = True

    def _cached(self, request: EngineRequest) -> int:
        if not request.cache.read:
            return 0
        prompt = request.token_ids
        hits = [common_prefix(prompt, other) for other in self.kept.get(request.namespace, [])]
        return min(max(hits, default=0), count(prompt) - 1)

    def _usage(self, request: EngineRequest, cached: int, generated: int) -> Usage:
        prompt = count(request.token_ids)
        if not request.cache.write:
            return Usage(prompt, cached, 0, generated)
        kept = self.kept.setdefault(request.namespace, [])
        written = prompt - max((common_prefix(request.token_ids, other) for other in kept), default=0)
        kept.append(request.token_ids)
        return Usage(prompt, cached, min(written, prompt - cached), generated)

    def _logprob(self, token: int, wanted: int) -> TokenLogprob:
        return TokenLogprob(token, -0.5, tuple(((token + i) % VOCAB, -0.5 - i) for i in range(wanted)))


def text_of(request: EngineRequest) -> str:
    """The prompt that an engine was given."""
    return ByteTokenizer().decode(unpack(request.token_ids))


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: list[bytes] = field(default_factory=list)
    """The body as it was sent, piece by piece."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object, whose envelope holds nothing else."""
        found = self.json
        assert list(found) == ["error"]
        assert list(found["error"]) == ["message", "type", "param", "code"]
        return dict(found["error"])

    @property
    def events(self) -> list[Any]:
        """The stream's JSON events, without the `[DONE]` that must end it."""
        lines = self.body.decode().split("\n\n")
        assert lines.pop() == ""
        assert lines.pop() == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines]


class Client:
    """Calls an ASGI app in this process, as one connection each."""

    def __init__(self, app: App, key: str | None = None) -> None:
        self.app = app
        self.key = key

    def using(self, key: str | None) -> Client:
        return Client(self.app, key)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.call("POST", path, raw, headers=headers)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)

    async def chat(self, content: Any = "hello", **fields: Any) -> Answer:
        return await self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": content}]} | fields)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        chunk: int = 65_536,
        leave: asyncio.Event | None = None,
        answer: Answer | None = None,
    ) -> Answer:
        """`leave`, once set, closes the connection from the client's side; `answer` is filled while it comes."""
        answer = Answer() if answer is None else answer
        name, _, query = path.partition("?")
        sent = [(k.replace("_", "-").encode(), v.encode()) for k, v in (headers or {}).items()]
        if self.key is not None:
            sent.append((b"authorization", f"Bearer {self.key}".encode()))
        scope = {"type": "http", "method": method, "path": name, "query_string": query.encode(), "headers": sent}
        pieces = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]
        gone = leave or asyncio.Event()

        async def receive() -> dict[str, Any]:
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.parts.append(message["body"])
                answer.body += message["body"]

        await self.app(scope, receive, send)
        return answer
