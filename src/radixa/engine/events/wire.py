"""Batches of events as bytes: msgpack, as vLLM's and SGLang's subscribers decode them.

A batch is `[time, [event, …]]`, the time in seconds since 1970. An event is an array of its kind and its fields, or a
map of its fields with the kind as `type`.
"""

from __future__ import annotations

import msgspec

from radixa.engine.events.base import Cleared, Event, Layout, Removed, Stored

BATCH_BLOCKS = 1024
"""A batch that has so many blocks is full."""


class Batch:
    """Events to be sent together. What adjoins the event before it is put into that."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.stored = 0
        self.removed = 0

    @property
    def full(self) -> bool:
        return self.stored + self.removed >= BATCH_BLOCKS

    def add(self, event: Event) -> None:
        """`event` is the batch's own from here on."""
        last = self.events[-1] if self.events else None
        match event:
            case Stored():
                self.stored += len(event.block_hashes)
                if isinstance(last, Stored) and event.parent_block_hash == last.block_hashes[-1]:
                    last.block_hashes += event.block_hashes
                    last.token_ids += event.token_ids
                    if last.extra_keys is not None and event.extra_keys is not None:
                        last.extra_keys += event.extra_keys
                    return
            case Removed():
                self.removed += len(event.block_hashes)
                if isinstance(last, Removed):
                    last.block_hashes += event.block_hashes
                    return
            case Cleared():
                pass
        self.events.append(event)


def encode(time: float, events: list[Event], layout: Layout) -> bytes:
    """One batch as msgpack."""
    if layout == "map":
        return msgspec.msgpack.encode([time, events])
    return msgspec.msgpack.encode([time, [_array(event) for event in events]])


def _array(event: Event) -> list[object]:
    return [event.__struct_config__.tag, *msgspec.structs.astuple(event)]
