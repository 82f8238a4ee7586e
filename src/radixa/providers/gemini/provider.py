"""Gemini as a provider: conversations to generateContent, and its answers back as chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest
from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError, UpstreamError
from radixa.providers.base import Embedded, EmbedRequest
from radixa.providers.embeddings import answer_of, wanted_of
from radixa.providers.gemini.chunks import Reader
from radixa.providers.gemini.embeddings import batches, used
from radixa.providers.gemini.errors import explain, in_stream
from radixa.providers.gemini.request import body_of, encode
from radixa.providers.gemini.wire import Answer, Counted, Embeddings
from radixa.providers.size import text_bytes
from radixa.providers.streams import closing
from radixa.providers.upstream.http import Upstream
from radixa.providers.upstream.keys import where
from radixa.providers.upstream.refusals import Account
from radixa.providers.upstream.unreadable import UNREADABLE

ADDRESS = "https://generativelanguage.googleapis.com/v1beta"
KEY_HEADER = "x-goog-api-key"
"""The key never stands in a URL, which logs and proxies keep."""

T = TypeVar("T")


class GeminiProvider:
    """Implements `providers.base.Provider`. It speaks none of the callers' dialects: all is converted."""

    def __init__(self, name: str, config: ProviderConfig, api_key: str | None) -> None:
        """ConfigError where `base_url` names several servers: there is one Gemini."""
        if not isinstance(config.base_url, str):
            raise ConfigError(f"providers.{name}.base_url: expected one address, or none for Gemini's own")
        self.name = name
        self._account = Account(name, api_key, where(name, config))
        headers: Mapping[str, str] = {KEY_HEADER: api_key} if api_key else {}
        self._upstream = Upstream(name, config.base_url or ADDRESS, config, headers, partial(explain, self._account))

    @property
    def ready(self) -> bool:
        return self._upstream.ready

    @property
    def upstreams(self) -> Sequence[Upstream]:
        return (self._upstream,)

    @property
    def dialects(self) -> frozenset[Dialect]:
        return frozenset()

    async def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        """The answers, in pieces where the caller wants them so. A stream of Gemini's has no last event: it is complete
        where each answer has a reason to end."""
        body = encode({**request.extra, **body_of(request)})
        reader = Reader(self.name, request.n, text_bytes(body))
        path = _path(request.model)
        if not request.stream:
            answer = await self._upstream.post(f"{path}:generateContent", body)
            for chunk in self._chunks(reader, answer):
                yield chunk
        else:
            stream = self._upstream.stream(f"{path}:streamGenerateContent?alt=sse", body)
            async with closing(stream) as events:
                async for event in events:
                    for chunk in self._chunks(reader, event.data):
                        yield chunk
        for chunk in reader.finish():
            yield chunk

    async def count_tokens(self, request: GenerateRequest) -> int:
        """Tokens of the prompt, its tools and its system instruction among them."""
        body = body_of(request)
        body.pop("generationConfig", None)
        asked = encode({"generateContentRequest": {"model": _resource(request.model), **body}})
        answer = await self._upstream.post(f"{_path(request.model)}:countTokens", asked)
        return self._read(answer, Counted, begun=False).total_tokens

    async def embed(self, request: EmbedRequest) -> Embedded:
        wanted = wanted_of(request.body, "Gemini")
        path = f"{_path(request.model)}:batchEmbedContents"
        found = [
            self._read(await self._upstream.post(path, body), Embeddings, begun=False)
            for body in batches(wanted, _resource(request.model))
        ]
        vectors = [embedding.values for batch in found for embedding in batch.embeddings]
        if len(vectors) != len(wanted.texts):
            raise UpstreamError(f"{self.name} gave {len(vectors)} embeddings of {len(wanted.texts)} texts.")
        usage = used(found, wanted)
        return Embedded(answer_of(vectors, wanted, request.model, usage), usage)

    async def close(self) -> None:
        await self._upstream.close()

    def _chunks(self, reader: Reader, body: bytes) -> Iterator[GenerateChunk]:
        """What one event, or the whole answer, holds."""
        found = self._read(body, Answer, begun=reader.begun)
        if found.error is not None:
            raise in_stream(self._account, found.error, begun=reader.begun)
        yield from reader.read(found)

    def _read(self, body: bytes, kind: type[T], *, begun: bool) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except UNREADABLE as error:
            raise UpstreamError(
                f"{self.name} answered with what is none of its answers ({error}).", retryable=not begun
            ) from error


def _resource(model: str) -> str:
    """The model's name as Gemini writes it in full; tuned models have a folder of their own."""
    return model if "/" in model else f"models/{model}"


def _path(model: str) -> str:
    return f"/{quote(_resource(model), safe='/')}"
