"""Trying again at an upstream, where nothing of an answer was handed on; leaving it alone while its breaker is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from radixa.core.errors import RadixaError, RateLimited, UpstreamError
from radixa.providers.upstream.breaker import Breaker
from radixa.providers.upstream.figures import Figures, kind_of
from radixa.providers.upstream.retry import wait

T = TypeVar("T")

log = logging.getLogger("radixa.providers")


class Tries:
    """At the upstream of the provider `name`, each request `retries` times more than once. Counts what happens."""

    def __init__(self, name: str, retries: int, breaker: Breaker) -> None:
        self.breaker = breaker
        self.figures = Figures()
        self._name = name
        self._retries = retries

    async def of(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` gives, made again where it fails in a way that may pass. Its last error otherwise."""
        tries = 0
        while True:
            if not self.breaker.enter():
                left = self.breaker.left
                raise UpstreamError(
                    f"{self._name} failed {self.breaker.failures} times in a row and is left alone for another "
                    f"{left:.1f} s. Try again then, or another model.",
                    status=503,
                    retry_after=left,
                )
            self.figures.requests += 1
            self.figures.retries += tries > 0
            try:
                found = await attempt()
            except RadixaError as error:
                tries += 1
                self.figures.failures[kind_of(error)] += 1
                pause = self._failed(error, tries)
                if pause is None:
                    raise
                log.warning("%s: try %d failed, the next in %.2f s: %s", self._name, tries, pause, error.message)
            else:
                self.breaker.succeeded()
                return found
            await asyncio.sleep(pause)

    def broke_off(self, error: UpstreamError) -> None:
        """Count a failure after the beginning of an answer, which no further try can mend."""
        self.breaker.failed()
        self.figures.failures[kind_of(error)] += 1

    def _failed(self, error: RadixaError, tries: int) -> float | None:
        """Count the failure; seconds until the next try, None where there is none."""
        if not isinstance(error, UpstreamError):
            # It answers: a refusal, or a limit that it keeps.
            self.breaker.succeeded()
            if not isinstance(error, RateLimited) or error.retry_ms is None:
                return None
            asked: float | None = error.retry_ms / 1000
        elif error.retryable:
            asked = error.retry_after
        else:
            # What is wrong here (a key, an address) time alone does not mend, and each caller is to be told.
            return None
        pause = None if tries > self._retries else wait(tries, asked)
        if pause is None and isinstance(error, UpstreamError):
            # A request counts once, however often it was tried: one caller's alone is not to close it for all.
            self.breaker.failed()
        return pause
