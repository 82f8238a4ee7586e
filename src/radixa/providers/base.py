"""What the gateway asks of whoever answers a model's requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from radixa.core.base import GenerateChunk, GenerateRequest


class Provider(Protocol):
    """An engine of ours or an upstream, behind one method."""

    name: str

    @property
    def ready(self) -> bool:
        """Whether a request could be answered now."""
        ...

    def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        """Stream the answers. Closing the iterator ends the work (law 7).

        Raises a `RadixaError` before the first chunk for what the caller got wrong, and `EngineUnavailable` at any
        time where the engine behind it is gone.
        """
        ...

    async def close(self) -> None: ...
