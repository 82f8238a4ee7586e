"""A client of any OpenAI-compatible server, which times what it streams.

`Client` speaks the few routes that the command line needs. What only Radixa has (`/v1/cache`) fails on other servers
with their own 404.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radixa.core.addresses import root_url
from radixa.core.base import Message
from radixa.core.errors import CallFailed
from radixa.core.refusals import reason
from radixa.lang.usage import cached_tokens

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

SILENCE_SECONDS = 600.0
"""A stream that gives nothing for this long has failed."""
_CONNECT_SECONDS = 10.0


@dataclass(slots=True)
class Answer:
    """A streamed answer as it grows. Times are `time.perf_counter` seconds; `usage` is the server's object."""

    started: float
    text: str = ""
    first_token: float | None = None
    ended: float = 0.0
    finish_reason: str | None = None
    model: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ttft(self) -> float:
        """Seconds from sending to the first text; to the end where the answer is empty."""
        return (self.ended if self.first_token is None else self.first_token) - self.started

    @property
    def cached_tokens(self) -> int | None:
        """None where the server does not say."""
        return cached_tokens(self.usage)

    @property
    def cache_write_tokens(self) -> int:
        """0 where the server does not say: it bills no writes then."""
        details = self.usage.get("prompt_tokens_details") or {}
        return int(details.get("cache_write_tokens") or 0)


class Client:
    """Requests to one server. Use as `async with connect(url, api_key) as client`."""

    def __init__(self, session: ClientSession, url: str, api_key: str | None) -> None:
        self.url = root_url(url)
        self._session = session
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def get(self, path: str, **query: str | int) -> Any:
        """The JSON that a GET of `path` (from the root: `/v1/models`) answers."""
        return await self._json("GET", path, params=query)

    async def text(self, path: str) -> str:
        """What a GET of `path` answers, as it is."""
        return await self._text("GET", path)

    async def delete(self, path: str, **query: str | int) -> Any:
        return await self._json("DELETE", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._json("POST", path, json=body)

    async def default_model(self) -> str:
        """The first model the server offers."""
        models = (await self.get("/v1/models")).get("data") or []
        if not models:
            raise CallFailed(f"{self.url} offers no model")
        return str(models[0]["id"])

    async def chat(self, model: str, messages: Sequence[Message], **wishes: Any) -> AsyncIterator[Answer]:
        """Stream one answer: the same `Answer` object after each piece of it, complete at the last.

        `wishes` are further fields of the request's body, such as `max_tokens`.
        """
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **wishes,
        }
        answer = Answer(started=time.perf_counter())
        async with self._request("POST", "/v1/chat/completions", json=body) as response:
            answer.headers = {name.lower(): value for name, value in response.headers.items()}
            async for line in response.content:
                if self._take(line, answer):
                    yield answer
        if answer.finish_reason is None:
            raise CallFailed(f"{self.url} ended the stream before the answer was complete")
        answer.ended = time.perf_counter()
        yield answer

    async def complete(self, model: str, messages: Sequence[Message], **wishes: Any) -> Answer:
        """The whole answer of `chat`."""
        answer = Answer(started=time.perf_counter())
        async for grown in self.chat(model, messages, **wishes):
            answer = grown
        return answer

    def _take(self, line: bytes, answer: Answer) -> bool:
        """Read one line of the event stream; whether the answer's text grew."""
        data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if not data or data == b"[DONE]":
            return False
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise CallFailed(f"{self.url} sent a piece of a stream that is not JSON: {data[:80]!r}") from error
        if chunk.get("error"):
            raise CallFailed(f"{self.url}: {reason(data)}")
        answer.model = chunk.get("model") or answer.model
        answer.usage = chunk.get("usage") or answer.usage
        text = ""
        for choice in chunk.get("choices") or []:
            text += (choice.get("delta") or {}).get("content") or ""
            answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        if text and answer.first_token is None:
            answer.first_token = time.perf_counter()
        answer.text += text
        return bool(text)

    async def _text(self, method: str, path: str, **keywords: Any) -> str:
        async with self._request(method, path, **keywords) as response:
            return await response.text()

    async def _json(self, method: str, path: str, **keywords: Any) -> Any:
        text = await self._text(method, path, **keywords)
        try:
            return json.loads(text)
        except ValueError as error:
            raise CallFailed(f"{self.url}{path} answered something that is not JSON: {text[:80]!r}") from error

    @asynccontextmanager
    async def _request(self, method: str, path: str, **keywords: Any) -> AsyncIterator[ClientResponse]:
        import aiohttp

        try:
            async with self._session.request(
                method, f"{self.url}{path}", headers=self._headers, **keywords
            ) as response:
                if response.status >= 400:
                    raise CallFailed(
                        f"{self.url}{path}: {response.status} {reason(await response.text())}",
                        answered=response.status,
                    )
                yield response
        except aiohttp.ClientConnectorError as error:
            raise CallFailed(
                f"no server answers at {self.url}; start one with `radixa serve`, or name another with --url"
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CallFailed(f"{self.url}{path}: {error or type(error).__name__}") from error


@asynccontextmanager
async def connect(url: str, api_key: str | None = None) -> AsyncIterator[Client]:
    """A client of the server at `url`, with or without `/v1` at its end."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield Client(session, url, api_key)
