"""The entries that hold now: those that ship, the configuration's, and in their place those kept in the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, Protocol

import msgspec

from radixa.core.config import ModelEntry
from radixa.core.errors import ConfigError, NotFound, RadixaError, StoreUnavailable, shown
from radixa.gateway.catalogue.changes import EntryBody, entry_of
from radixa.gateway.catalogue.prices import dated_prices
from radixa.store.base import Actor

FOLLOW_S = 1.0
"""How often the database is asked for what other processes changed there."""

log = logging.getLogger("radixa.gateway")


class ModelStore(Protocol):
    """Entries as JSON, by id (`store.catalogue`). Methods are synchronous, for threads."""

    def models(self) -> dict[str, str]: ...

    def put_model(self, model_id: str, entry: str, *, by: Actor) -> None: ...

    def remove_model(self, model_id: str, *, by: Actor) -> bool: ...


class Shelf:
    """Entries, and who is told when they change."""

    def __init__(self, configured: Iterable[ModelEntry], store: ModelStore) -> None:
        """`configured`: what holds where the database has nothing else (`entries_with`). ConfigError for one of them
        that cannot be."""
        self._configured = {entry.id: entry for entry in configured}
        for entry in self._configured.values():
            dated_prices(entry)
        self._store = store
        self._raw: Mapping[str, str] = {}
        self._stored: dict[str, ModelEntry] = {}
        self._changing = asyncio.Lock()
        self.changed: Callable[[tuple[ModelEntry, ...]], None] = lambda entries: None
        """Called with all entries when any of them has changed."""

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        return tuple((self._configured | self._stored).values())

    def find(self, name: str) -> ModelEntry | None:
        return self._stored.get(name) or self._configured.get(name)

    def source(self, name: str) -> Literal["database", "configuration"]:
        """Where the entry of that name stands."""
        return "database" if name in self._stored else "configuration"

    def load(self) -> None:
        """Read the database once, before the first request. StoreUnavailable where it does not answer."""
        self._take(self._store.models())

    async def follow(self) -> None:
        """Take over what other processes change, within two seconds, until this is cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                async with self._changing:
                    await self._refresh()
            except StoreUnavailable as error:
                log.warning("the catalogue stays as it was: %s", error.message)

    async def put(self, name: str, body: EntryBody, offered: Iterable[str], by: Actor) -> ModelEntry:
        """Keep an entry; it holds at once. InvalidRequest names a field that cannot be.

        `offered`: names beside the entries' that its fallbacks may have, the engine's own.
        """
        async with self._changing:
            await self._refresh()
            today = datetime.now(UTC).date().isoformat()
            known = {entry.id for entry in self.entries} | set(offered)
            entry = entry_of(body, name, self.find(name), known, today)
            text = msgspec.json.encode(entry).decode()
            await asyncio.to_thread(self._store.put_model, name, text, by=by)
            await self._refresh()
        return entry

    async def remove(self, name: str, by: Actor) -> None:
        """Forget what the database says of a model: what the configuration says of it holds again.

        NotFound where the database says nothing of it.
        """
        async with self._changing:
            if not await asyncio.to_thread(self._store.remove_model, name, by=by):
                why = "It stands in the configuration, and can be taken out there." if name in self._configured else ""
                raise NotFound(f"The database has no model '{shown(name)}'. {why}".rstrip(), param="id")
            await self._refresh()

    async def _refresh(self) -> None:
        self._take(await asyncio.to_thread(self._store.models))

    def _take(self, raw: Mapping[str, str]) -> None:
        if raw == self._raw:
            return
        self._raw = raw
        self._stored = {name: entry for name, text in raw.items() if (entry := _read(name, text)) is not None}
        self.changed(self.entries)


def _read(name: str, text: str) -> ModelEntry | None:
    """None, and a line in the log, for an entry that this version cannot read: the others are still good."""
    try:
        entry = msgspec.json.decode(text, type=ModelEntry)
        dated_prices(entry)
    except (msgspec.MsgspecError, ConfigError) as error:
        why = error.message if isinstance(error, RadixaError) else str(error)
        log.error("the database's entry for the model %s cannot be read and is passed over: %s", shown(name), why)
        return None
    return entry
