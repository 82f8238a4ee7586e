"""From settings to a publisher, or to none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixa.engine.events.base import EventSettings, EventStats
from radixa.radix import Listener

if TYPE_CHECKING:
    from radixa.engine.events.publisher import KVEvents


class NoEvents:
    """Nobody hears of the tree (`base.Events`)."""

    listeners: tuple[Listener[Any], ...] = ()
    behind = False

    def catch_up(self) -> None:
        pass

    def stats(self) -> EventStats:
        return EventStats()

    def close(self) -> None:
        pass


def make_publisher(settings: EventSettings) -> KVEvents | NoEvents:
    """The publisher the settings ask for, running. ConfigError where an address is not allowed or cannot be had."""
    if not settings.enable_kv_cache_events or settings.publisher == "null":
        return NoEvents()
    from radixa.engine.events.publisher import KVEvents

    return KVEvents(settings)
