"""An engine that answers from a script, and an ASGI client that may leave at any moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any

from radixa.core.base import Explanation, FinishReason, Message, TokenLogprob, Usage
from radixa.core.errors import EngineUnavailable, InvalidRequest, NotFound, RadixaError
from radixa.core.tokens import count, pack, unpack
from radixa.engine.base import (
    Changes,
    EngineInfo,
    EngineOutput,
    EngineRequest,
    EngineStats,
    Flushed,
    TreePage,
    TreeQuery,
)
from radixa.engine.watching import Watching
from radixa.gateway.app import App
from radixa.kv.radix_cache import RadixCache
from radixa.radix import Keep, Node, NodeView, Origin, Span, view

VOCAB = 257
EOS = 256


class ByteTokenizer:
    """A token is a byte of UTF-8; the last one ends an answer."""

    vocab_size = VOCAB

    def encode(self, text: str, *, special: bool = True) -> bytes:
        return pack(list(text.encode()))

    def locate(self, text: str, places: Sequence[int]) -> tuple[bytes, list[int]]:
        return self.encode(text), [len(text[:place].encode()) for place in places]

    def decode(self, token_ids: Sequence[int], *, skip_special: bool = True) -> str:
        return b"".join(self.token_bytes(token) for token in token_ids).decode("utf-8", "replace")

    def stream(self) -> Any:
        raise AssertionError("the gateway does not detokenise: the engine does")

    def is_special(self, token_id: int) -> bool:
        return token_id == EOS

    def token_bytes(self, token_id: int) -> bytes:
        return b"<end>" if token_id == EOS else bytes([token_id])


class PlainTemplate:
    """`role: content` a line; refuses a second system message, as some models' templates do."""

    source = ""
    takes_tools = False

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = True, tools: Sequence[dict[str, Any]] = ()
    ) -> str:
        if sum(message.role == "system" for message in messages) > 1:
            raise InvalidRequest("the chat template refuses these messages: one system message", param="messages")
        text = "".join(f"{message.role}: {message.content}\n" for message in messages)
        return text + "assistant: " * add_generation_prompt


@dataclass
class FakeEngine:
    """Answers every prompt with `text`, one byte a step, and keeps prompts in a real cache.

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
    closed: bool = False
    clock: Callable[[], float] = monotonic
    prompt_tokens: int = 0
    cached_tokens: int = 0

    def __post_init__(self) -> None:
        self.watching = Watching()
        self.cache = RadixCache(self.capacity, listeners=(self.watching,), clock=self.clock)

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("fake", "float32", self.context, VOCAB, self.capacity, 4, "none", "none")

    async def generate(self, request: EngineRequest) -> AsyncIterator[EngineOutput]:
        self.requests.append(request)
        params = request.sampling
        steps = list(self.text.encode())[: params.max_tokens] or [ord(" ")]
        reason: FinishReason = "length" if len(steps) == params.max_tokens else "stop"
        try:
            if not params.max_tokens:
                await asyncio.sleep(0)
                yield EngineOutput(request.request_id, finish_reason="length", usage=self._computed(request, 0))
                return
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
                    usage=self._computed(request, len(steps)) if last else None,
                )
            self.finished.append(request.request_id)
        finally:
            self.ended.append(request.request_id)

    async def stats(self) -> EngineStats:
        if not self.ready:
            raise EngineUnavailable("not now")
        held = self.cache.stats()
        return EngineStats(
            capacity=held.capacity,
            free=held.free,
            flushed_tokens=held.flushed,
            tree=held.tree,
            evictable=held.evictable,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            evicted_tokens=held.evicted,
            retained=held.retained,
            retention_budget=held.retention_budget,
            expired_tokens=held.expired,
            namespaces=self.cache.namespaces(),
        )

    async def tree(self, wanted: TreeQuery) -> TreePage:
        walk = list(self.cache.walk(wanted.namespace, levels=wanted.levels, min_tokens=wanted.min_tokens))
        start = wanted.cursor or 0
        end = start + wanted.limit
        return TreePage(walk[start:end], end if end < len(walk) else None)

    async def explain(self, token_ids: bytes, namespace: str, *, read: bool = True) -> Explanation:
        return self.cache.explain(token_ids, namespace, read=read)

    async def flush(
        self, namespace: str | None = None, *, session: str | None = None, prefix: bytes | None = None
    ) -> Flushed:
        return Flushed(sum(self.cache.flushing(namespace, session, prefix)))

    async def changes(self) -> Changes:
        return self.watching.changes(self.clock(), self.cache.locked())

    async def node(self, number: int, namespace: str | None = None) -> list[NodeView]:
        path = self._path(number, namespace)
        return [view(node, node.parent.id if node.parent else 0, self.clock()) for node in path]

    async def keep(self, number: int, namespace: str | None, keep: Keep | None) -> list[NodeView]:
        self.cache.keep(self._path(number, namespace)[-1], keep)
        return await self.node(number, namespace)

    def _path(self, number: int, namespace: str | None) -> list[Node[Any]]:
        for node in self.cache.find(number, namespace):
            if node is not None:
                return node.path()
        raise NotFound("There is no such node in the tree any more.", param="id")

    async def close(self) -> None:
        self.closed = True

    def _computed(self, request: EngineRequest, generated: int) -> Usage:
        """Put the prompt into the cache as a request may, as one that starts and ends at once."""
        wanted, key = request.cache, request.token_ids
        explained = self.cache.explain(key, request.namespace, read=wanted.read, remember=True)
        limit = count(key) - 1
        lease = self.cache.match(key, request.namespace, limit) if wanted.read else self.cache.bare(request.namespace)
        assert self.cache.extend(lease, count(key))
        written = 0
        if wanted.write:
            keep = Keep(wanted.ttl or inf, wanted.priority, wanted.pin)
            asked = wanted.ttl or wanted.priority or wanted.pin
            ends = [*request.spans, (count(key), "assistant" if request.spans else "")]
            spans = [Span(end, Origin(role, wanted.session)) for end, role in ends]
            written = self.cache.finish(lease, key, spans, keep if asked else None)
        else:
            self.cache.release(lease)
        written = min(written, count(key) - lease.cached)
        found = Usage(count(key), lease.cached, written, generated, miss=explained.miss, volatile=explained.volatile)
        self.prompt_tokens += found.prompt_tokens
        self.cached_tokens += found.cached_tokens
        self.cache.check_integrity()
        return found

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
