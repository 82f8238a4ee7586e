"""What the gateway asks of whoever answers a model's requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, Usage
from radixa.providers.upstream.figures import Figures


class EmbedRequest(msgspec.Struct, frozen=True):
    """Texts to be embedded, as OpenAI's body has them: a string, strings, token ids, or lists of those."""

    request_id: str
    model: str
    """As the provider calls it."""
    body: bytes


class Embedded(msgspec.Struct, frozen=True):
    """OpenAI's answer as JSON, and what it used."""

    body: bytes
    usage: Usage


class Server(Protocol):
    """One upstream of a provider, as metrics see it."""

    @property
    def figures(self) -> Figures: ...

    @property
    def ready(self) -> bool:
        """Whether a request would be sent there now."""
        ...


class Provider(Protocol):
    """An engine of ours or an upstream, behind a few methods.

    What one of them cannot do it refuses with an InvalidRequest that names the field, or `unsupported`.
    """

    name: str

    @property
    def ready(self) -> bool:
        """Whether a request could be answered now."""
        ...

    @property
    def dialects(self) -> frozenset[Dialect]:
        """Bodies it takes as they are: a request of one of these comes as its `source`."""
        ...

    @property
    def upstreams(self) -> Sequence[Server]:
        """Where its requests go; none for an engine of ours."""
        ...

    def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        """Stream the answers. Closing the iterator ends the work, at the upstream too (law 7).

        Raises before the first chunk: InvalidRequest for what the caller got wrong (UpstreamRefused where the upstream
        says so), RateLimited where the upstream has had enough, UpstreamError where it failed, EngineUnavailable. After
        the first chunk only UpstreamError and EngineUnavailable.
        """
        ...

    async def count_tokens(self, request: GenerateRequest) -> int:
        """Tokens of the request's prompt."""
        ...

    async def embed(self, request: EmbedRequest) -> Embedded: ...

    async def close(self) -> None: ...
