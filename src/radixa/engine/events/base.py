"""KV events: settings, what is published, and what an engine sees of it.

The cache is told as **blocks** of 16 tokens: the tokens 16 k to 16 k + 15 of a path, named by a hash that covers
everything before them (`chain.py`). A block is there as long as the node that holds its last token is in the tree.

The engine's loop only notes what happens to nodes (`recorder.py`). A thread keeps a copy of the tree from these notes
(`mirror.py`), hashes, and publishes (`publisher.py`) in the wire format of vLLM and SGLang (`wire.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix import Listener

BLOCK_TOKENS = 16
BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES

MEDIUM = "GPU"
"""What subscribers call the tier that attention reads from, on whatever device it is."""

Layout = Literal["array", "map"]


class EventSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how events are published. The names down to `topic` are those of vLLM's and SGLang's JSON."""

    enable_kv_cache_events: bool = False
    publisher: Literal["zmq", "null"] = "zmq"
    """`null` publishes nothing."""
    endpoint: str = "tcp://127.0.0.1:5557"
    """Where subscribers connect to: `tcp://HOST:PORT`, `*` as the port taking a free one, or `ipc://FILE`."""
    replay_endpoint: str | None = None
    """Where they ask for what they missed; None answers no such questions."""
    buffer_steps: Annotated[int, Meta(ge=1)] = 10_000
    """Batches kept for replay."""
    hwm: Annotated[int, Meta(ge=0)] = 100_000
    """Batches that wait for one slow subscriber before it misses some; 0 sets no bound."""
    max_queue_size: Annotated[int, Meta(ge=2)] = 100_000
    """Changes of the tree that wait for the publishing thread; at one more, all is told anew."""
    topic: str = ""
    layout: Layout = "array"
    """An event as an array of its fields, as vLLM and SGLang sent it for long, or as a map with names, as both do
    since vLLM 0.23 and SGLang's change 37482."""
    namespace_key: Annotated[bytes, Meta(max_length=64)] = b""
    """Who does not have them cannot tell which namespace a tag stands for; replicas that share them
    give equal blocks equal hashes."""
    allow_remote: bool = False
    """Permit endpoints that other machines reach. Events carry the tokens of everyone's prompts, and nobody who
    connects is asked who they are."""


class Stored(msgspec.Struct, tag="BlockStored", omit_defaults=True):
    """Blocks that follow each other on one path came."""

    block_hashes: list[int]
    parent_block_hash: int | None
    """The block before the first; None where a path begins."""
    token_ids: list[int]
    """16 for each block."""
    block_size: int
    lora_id: int | None
    medium: str | None
    lora_name: str | None
    extra_keys: list[tuple[str]] | None = None
    """For each block what its hash covers besides tokens: the namespace's tag; None where that has no name."""


class Removed(msgspec.Struct, tag="BlockRemoved", omit_defaults=True):
    """Blocks went, those further down a path first."""

    block_hashes: list[int]
    medium: str | None


class Cleared(msgspec.Struct, tag="AllBlocksCleared", omit_defaults=True):
    """Nothing that was told before holds; what there is comes after this."""


Event = Stored | Removed | Cleared


class EventStats(msgspec.Struct, frozen=True):
    """Counts since the start, and what waits now."""

    batches: int = 0
    stored: int = 0
    """Blocks told as stored, also those told anew."""
    removed: int = 0
    replays: int = 0
    """Answers on the replay socket."""
    snapshots: int = 0
    """Times all was told anew because somebody had missed more than is kept for replay."""
    overflows: int = 0
    """Times all was told anew because more changes waited than may."""
    queued: int = 0
    """Changes of the tree that wait for the thread."""


class Events(Protocol):
    """What the engine knows of its publisher. Every method is called from the engine's loop and returns at once."""

    @property
    def listeners(self) -> tuple[Listener[Any], ...]:
        """Who has to hear of the tree."""
        ...

    @property
    def behind(self) -> bool:
        """Whether `catch_up` has something to do."""
        ...

    def catch_up(self) -> None:
        """After an overflow: tell the next slice of the tree. To be called once a turn of the loop, also of an idle
        one, while `behind`."""
        ...

    def stats(self) -> EventStats: ...

    def close(self) -> None:
        """Publish what is queued, within a second, and end."""
        ...
