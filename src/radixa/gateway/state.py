"""`Gateway`: what all routes share. It exists before the engine does, and says so until there is one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path

from radixa import __version__
from radixa.core.config import Config
from radixa.core.errors import EngineUnavailable, InvalidRequest
from radixa.documents.embedding import packaged_embedder
from radixa.documents.library import Library
from radixa.documents.reading.apart import end_readers
from radixa.gateway.accounting import Accounting
from radixa.gateway.auth import KeyRing
from radixa.gateway.catalogue import Catalogue, Missing, Offer, entries_with
from radixa.gateway.catalogue.retiring import today, warnings
from radixa.gateway.catalogue.shelf import Shelf
from radixa.gateway.ledger.book import Ledger
from radixa.gateway.limits.addresses import Addresses
from radixa.gateway.limits.opening import limiter_for
from radixa.gateway.limits.spending import Spending
from radixa.gateway.metrics import Metrics
from radixa.gateway.reachable import Reachable
from radixa.gateway.request import Request
from radixa.gateway.tree_feed import TreeFeed
from radixa.kv.tiers.secret import installation_secret
from radixa.providers.base import Provider
from radixa.providers.local.provider import LocalProvider
from radixa.providers.registry import Upstreams
from radixa.store.catalogue import SqlModels
from radixa.store.documents.sql import SqlDocuments
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore

log = logging.getLogger("radixa.gateway")


class Gateway:
    """Configuration, store, keys, limits, ledger, figures, and the engine once `attach` has brought it."""

    def __init__(
        self, config: Config, store: SqlStore, keys: KeyRing, data: Path, upstreams: Upstreams | None = None
    ) -> None:
        """`data`: the installation's folder, where the ledger keeps its files and the secret lies.

        ConfigError where a model of the catalogue has prices or dates that cannot be.
        """
        self.config = config
        self.store = store
        self.reachable = Reachable(store.engine)
        self.keys = keys
        self.metrics = Metrics()
        self.ledger = Ledger(SqlLedger(store.engine), data / "ledger")
        spent = self.ledger.store.spent
        spending = Spending(
            account=lambda account: spent(account_id=account), key=lambda key, since: spent(key_id=key, since=since)
        )
        self.limiter = limiter_for(store, spending)
        self.signups = Addresses()
        self.library = Library(SqlDocuments(store.engine), packaged_embedder)
        self.secret = installation_secret(data)
        self.accounting = Accounting(self.limiter, self.ledger, self.metrics, self.secret)
        self.feed = TreeFeed(lambda: self.local, lambda: self.stopping, keys.still)
        self.started = int(time.time())
        self.stopping = False
        self.shelf = Shelf(entries_with(config.models), SqlModels(store.engine))
        self.fingerprint = ""
        """`system_fingerprint`: changes when the same seed may give another answer."""
        self._upstreams = upstreams or Upstreams()
        self.metrics.providers.providers = self._upstreams.providers
        self._local: LocalProvider | None = None
        self._catalogue: Catalogue | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what earlier servers left: rows of the ledger, counts of limits, entries of the catalogue."""
        await asyncio.to_thread(self.ledger.start)
        await self.limiter.start()
        await asyncio.to_thread(self.shelf.load)
        self._following = asyncio.create_task(self.shelf.follow())
        if not self.config.engine.enabled:
            self._offer(own=None, context=None)

    def attach(self, local: LocalProvider) -> None:
        """From now on `local` answers."""
        info = local.engine.info
        backend = f"{__version__} {local.name} {info.dtype} {info.attention} {info.ops}"
        self.fingerprint = f"fp_{hashlib.sha256(backend.encode()).hexdigest()[:10]}"
        self._local = local
        self._offer(own=local.name, context=info.context_length)

    def _offer(self, *, own: str | None, context: int | None) -> None:
        self._catalogue = Catalogue(
            self.shelf.entries,
            own=own,
            context=context,
            sandbox=self.config.server.sandbox,
            available=self._lacking,
        )
        self.shelf.changed = self._catalogue.replace
        for warning in warnings(self._catalogue.offers(), today()):
            log.warning("%s", warning)

    def _lacking(self, provider: str) -> Missing | None:
        """What the provider of that name needs before it can be asked."""
        if provider in self._upstreams.providers:
            return None
        place = self._upstreams.missing.get(provider)
        if place is not None:
            return Missing("no key", f"set {place}")
        install = self._upstreams.uninstalled.get(provider)
        if install is not None:
            return Missing("no package", install)
        return Missing(f"no provider '{provider}'", f"describe it under [providers.{provider}] in radixa.toml")

    @property
    def ready(self) -> bool:
        """Whether requests are answered: by the engine, where there is to be one."""
        engine = self._local is not None and self._local.ready
        return not self.stopping and self._catalogue is not None and (engine or not self.config.engine.enabled)

    @property
    def local(self) -> LocalProvider:
        """The embedded engine. EngineUnavailable until it is there, and while it is being started again."""
        if not self.config.engine.enabled:
            raise InvalidRequest(
                "This server has no engine of its own ([engine] enabled = false), and this is asked of one.",
                code="no_engine",
            )
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

    def offer(self, request: Request, model: str | None) -> Offer:
        """What a body's `model` means to whoever asks. ModelNotFound where they may not use it, or nobody can."""
        offer = self.catalogue.resolve(model)
        request.identity.check_model(offer.id)
        return offer

    def provider(self, offer: Offer) -> Provider:
        """Who answers requests for it."""
        return self.local if offer.embedded else self._upstreams.providers[offer.provider]

    async def close(self) -> None:
        """Close each part, also where another one fails. Running requests have ended before."""
        async with AsyncExitStack() as parts:
            # The last of these is closed first.
            parts.callback(self.keys.close)
            parts.callback(end_readers)
            parts.push_async_callback(asyncio.to_thread, self.ledger.close)
            parts.push_async_callback(self.limiter.close)
            for provider in self._upstreams.providers.values():
                parts.push_async_callback(provider.close)
            if self._local is not None:
                parts.push_async_callback(self._local.close)
            parts.push_async_callback(self.feed.close)
            if self._following is not None:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)
