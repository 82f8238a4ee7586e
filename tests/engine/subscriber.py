"""A subscriber to KV events, as somebody else's program would be: its own structs, its own hashes, its own sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b
from struct import pack as packed
from typing import Any

import msgspec
import zmq

from radixa.radix import Node, Tree

Block = tuple[str | None, tuple[int, ...]]
"""A namespace's tag, and the tokens from the path's beginning to the block's end."""


# The structs that vLLM publishes and decodes with today: an event is a map.


class EventBatch(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    ts: float
    events: list[Any]
    data_parallel_rank: int | None = None


class KVCacheEvent(msgspec.Struct, omit_defaults=True, gc=False, tag=True):
    pass


class BlockStored(KVCacheEvent):
    block_hashes: list[bytes | int]
    parent_block_hash: bytes | int | None
    token_ids: list[int]
    block_size: int
    lora_id: int | None
    medium: str | None
    lora_name: str | None
    extra_keys: list[tuple[Any, ...] | None] | None = None
    group_idx: int | None = None
    kv_cache_spec_kind: str | None = None
    kv_cache_spec_sliding_window: int | None = None
    locality: str | None = None


class BlockRemoved(KVCacheEvent):
    block_hashes: list[bytes | int]
    medium: str | None
    group_idx: int | None = None
    locality: str | None = None


class AllBlocksCleared(KVCacheEvent):
    pass


class KVEventBatch(EventBatch):
    events: list[BlockStored | BlockRemoved | AllBlocksCleared]


# Those of vLLM before 0.23: an event is an array, and new fields come last.


class ArrayEvent(msgspec.Struct, array_like=True, omit_defaults=True, gc=False, tag=True):
    pass


class ArrayStored(ArrayEvent, tag="BlockStored"):
    block_hashes: list[bytes | int]
    parent_block_hash: bytes | int | None
    token_ids: list[int]
    block_size: int
    lora_id: int | None
    medium: str | None
    lora_name: str | None
    extra_keys: list[tuple[Any, ...] | None] | None = None
    group_idx: int | None = None


class ArrayRemoved(ArrayEvent, tag="BlockRemoved"):
    block_hashes: list[bytes | int]
    medium: str | None
    group_idx: int | None = None


class ArrayCleared(ArrayEvent, tag="AllBlocksCleared"):
    pass


class ArrayBatch(EventBatch):
    events: list[ArrayStored | ArrayRemoved | ArrayCleared]


# Those of SGLang in its first year.


class OldEvent(msgspec.Struct, array_like=True, omit_defaults=True, gc=False, tag=True):
    pass


class OldStored(OldEvent, tag="BlockStored"):
    block_hashes: list[int]
    parent_block_hash: int | None
    token_ids: list[int]
    block_size: int
    lora_id: int | None


class OldRemoved(OldEvent, tag="BlockRemoved"):
    block_hashes: list[int]


class OldCleared(OldEvent, tag="AllBlocksCleared"):
    pass


class OldBatch(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    ts: float
    events: list[OldStored | OldRemoved | OldCleared]


def hash_of(parent: int | None, tokens: list[int], tag: str | None) -> int:
    """As `docs/events.md` says."""
    data = b"" if parent is None else packed(">Q", parent)
    data += packed(f"<{len(tokens)}i", *tokens)
    data += b"" if tag is None else tag.encode()
    return int.from_bytes(blake2b(data, digest_size=8, person=b"radixa-kv-events").digest(), "big")


class Rebuilt:
    """What events say there is. It takes nothing on trust: an event that does not fit what came before is an error."""

    def __init__(self) -> None:
        self.blocks: dict[int, Block] = {}
        self.cleared = 0

    def hear(self, event: Any) -> None:
        match type(event).__struct_config__.tag:
            case "BlockStored":
                self._stored(event)
            case "BlockRemoved":
                assert event.block_hashes
                for name in event.block_hashes:
                    del self.blocks[name]
            case "AllBlocksCleared":
                self.blocks.clear()
                self.cleared += 1

    def _stored(self, event: Any) -> None:
        size = event.block_size
        assert len(event.token_ids) == size * len(event.block_hashes) > 0
        extra = event.extra_keys or [()] * len(event.block_hashes)
        parent = event.parent_block_hash
        for number, name in enumerate(event.block_hashes):
            tokens = event.token_ids[number * size : (number + 1) * size]
            tag = extra[number][0] if extra[number] else None
            assert name == hash_of(parent, tokens, tag)
            assert name not in self.blocks, "stored twice"
            above = (tag, ()) if parent is None else self.blocks[parent]
            assert above[0] == tag
            self.blocks[name] = (tag, (*above[1], *tokens))
            parent = name


def blocks_of(tree: Tree[Any], tag: Callable[[str], str | None], size: int = 16) -> set[Block]:
    """What a tree has, found from the tree itself."""
    found: set[Block] = set()

    def go(node: Node[Any], above: bytes) -> None:
        path = above + node.segment
        tokens = memoryview(path).cast("i").tolist() if path else []
        first = len(above) // 4 // size + 1
        found.update((tag(node.space.name), tuple(tokens[: n * size])) for n in range(first, len(tokens) // size + 1))
        for child in node.children.values():
            go(child, path)

    for root in tree.roots():
        go(root, b"")
    return found


class Subscriber:
    """Follows a publisher. `replay` is asked at once for all, and whenever a number is missing."""

    def __init__(self, endpoint: str, replay: str | None, batch: type[Any], topic: str = "") -> None:
        self.rebuilt = Rebuilt()
        self.last = -1
        self.missed = 0
        self._decoder = msgspec.msgpack.Decoder(batch)
        self._context = zmq.Context()
        self._live = self._context.socket(zmq.SUB)
        self._live.set_hwm(0)
        self._live.subscribe(topic)
        self._live.connect(endpoint)
        self._replay = self._context.socket(zmq.DEALER)
        if replay is not None:
            self._replay.connect(replay)
            self.ask(0)

    def ask(self, start: int) -> None:
        """Hear all batches from `start` on."""
        self._replay.send_multipart((b"", start.to_bytes(8, "big")))
        while True:
            assert self._replay.poll(10_000), "no end of the replay"
            empty, number, payload = self._replay.recv_multipart()
            assert empty == b""
            if int.from_bytes(number, "big", signed=True) == -1:
                assert payload == b""
                return
            if int.from_bytes(number, "big") > self.last:
                self._hear(number, payload)

    def until(self, arrived: Callable[[], bool]) -> None:
        """Follow until `arrived`, at most ten seconds."""
        end = time.monotonic() + 10
        while not arrived():
            assert time.monotonic() < end, "it does not come"
            if self._live.poll(50):
                _, number, payload = self._live.recv_multipart()
                if int.from_bytes(number, "big") > self.last + 1:
                    self.missed += 1
                    self.ask(self.last + 1)
                if int.from_bytes(number, "big") > self.last:
                    self._hear(number, payload)

    def close(self) -> None:
        self._context.destroy(linger=0)

    def _hear(self, number: bytes, payload: bytes) -> None:
        self.last = int.from_bytes(number, "big")
        batch = self._decoder.decode(payload)
        assert abs(batch.ts - time.time()) < 60
        for event in batch.events:
            self.rebuilt.hear(event)
