"""`Gateway`: what all routes share. It exists before the engine does, and says so until there is one."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass

from radixa import __version__
from radixa.core.base import Usage
from radixa.core.config import Config
from radixa.core.errors import EngineUnavailable
from radixa.gateway.auth import KeyRing
from radixa.gateway.catalogue import Catalogue, dated_prices, entries_with
from radixa.gateway.metrics import Metrics
from radixa.gateway.usage import Meter
from radixa.providers.local import LocalProvider
from radixa.store.base import Store


@dataclass(slots=True)
class Counts:
    """What one account used since this server started."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0

    def add(self, usage: Usage) -> None:
        self.requests += 1
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.completion_tokens += usage.completion_tokens

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class Gateway:
    """Configuration, store, keys, figures, and the engine once `attach` has brought it."""

    def __init__(self, config: Config, store: Store, keys: KeyRing) -> None:
        """ConfigError where a model of the catalogue has prices or dates that cannot be."""
        self.config = config
        self.store = store
        self.keys = keys
        self.metrics = Metrics()
        self.counts: defaultdict[str, Counts] = defaultdict(Counts)
        """By account id."""
        self.started = int(time.time())
        self.stopping = False
        self._entries = entries_with(config.models)
        for entry in self._entries:
            dated_prices(entry)
        self._local: LocalProvider | None = None
        self._catalogue: Catalogue | None = None
        self.fingerprint = ""
        """`system_fingerprint`: changes when the same seed may give another answer."""

    def attach(self, local: LocalProvider) -> None:
        """From now on `local` answers."""
        info = local.engine.info
        self._catalogue = Catalogue(
            self._entries, own=local.name, context=info.context_length, sandbox=self.config.server.sandbox
        )
        backend = f"{__version__} {local.name} {info.dtype} {info.attention} {info.ops}"
        self.fingerprint = f"fp_{hashlib.sha256(backend.encode()).hexdigest()[:10]}"
        self._local = local

    @property
    def ready(self) -> bool:
        return self._local is not None and self._local.ready and not self.stopping

    @property
    def local(self) -> LocalProvider:
        """The embedded engine. EngineUnavailable until it is there, and while it is being started again."""
        if self._local is None:
            raise EngineUnavailable("The model is still being loaded; /ready says when it can answer.")
        if not self._local.ready:
            raise EngineUnavailable("The engine's process ended and is being started again; try again in a moment.")
        return self._local

    @property
    def catalogue(self) -> Catalogue:
        if self._catalogue is None:
            raise EngineUnavailable("The model is still being loaded; /ready says when it can answer.")
        return self._catalogue

    def total(self) -> Counts:
        """What all accounts used together."""
        return sum(self.counts.values(), Counts())

    async def close(self) -> None:
        self.keys.close()
        if self._local is not None:
            await self._local.close()

    def answered(self, account_id: str, meter: Meter) -> None:
        """Count a request that was answered to its end."""
        usage = meter.total()
        self.counts[account_id].add(usage)
        ttft_s = meter.ttft_ms / 1e3 if usage.completion_tokens else None
        self.metrics.answered(meter.offer.id, usage, ttft_s)
