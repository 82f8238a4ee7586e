"""What the engine sees of a tier below the KV pool.

A **block** is `BLOCK_TOKENS` tokens of a path, at an offset that is a multiple of that, with their K and V in every
layer. Its **name** depends on all tokens up to its end, on the namespace, on the model and on a secret of the
installation (`chain.py`), so that whoever can name a block may read it. The blocks of a path form a chain: each one's
parent is the block before it, and the first one's parent is the path's seed, which names no block.

The engine's loop calls; one background thread does everything that touches a disk. What it has done comes back through
`Tier.finished`, one result a job. Slots given to a job are read or written until its result is there: the caller keeps
them locked that long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from radixa.core.tokens import TOKEN_BYTES
from radixa.kv.runs import Runs, count

BLOCK_TOKENS = 64
BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES
"""Bytes of a block's token ids, not of its K and V."""
LAYOUT = 1
"""Raises whenever the bytes of a block are laid out differently."""

ITEMSIZE = {"float32": 4, "bfloat16": 2, "float16": 2}

Kind = Literal["host", "disk"]
"""Where a tier below the KV pool keeps its blocks: in the host's memory, or on disk."""

DropReason = Literal["missing", "truncated", "corrupt", "foreign", "unreadable"]
"""Why a block that was thought to be there was not served: no file (another process or a person removed it); a file of
the wrong length; one whose checksum is wrong (also one written with another secret); one that is sound and another
block's (of another model, namespace or path), or no block at all; one that cannot be opened."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What must be equal for the K and V of one process to mean the same in another."""

    model: str
    """Names the weights: for instance the model folder's name and a hash of its configuration."""
    dtype: str
    """A key of `ITEMSIZE`."""
    layers: int
    kv_heads: int
    head_size: int
    layout: int = LAYOUT

    @property
    def digest(self) -> bytes:
        """16 bytes."""
        shape = f"{self.dtype}\0{self.layers}\0{self.kv_heads}\0{self.head_size}\0{self.layout}\0{self.model}"
        return hashlib.blake2b(shape.encode(), digest_size=16, person=b"radixa-model").digest()

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Of a block's K and V: K before V, `[2, layers, kv_heads, BLOCK_TOKENS, head_size]`."""
        return (2, self.layers, self.kv_heads, BLOCK_TOKENS, self.head_size)

    @property
    def payload_bytes(self) -> int:
        """Bytes of a block's K and V."""
        return 2 * self.layers * self.kv_heads * BLOCK_TOKENS * self.head_size * ITEMSIZE[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class BlockJob:
    """Blocks of one path to write or to load; equal to itself only, so that a result can be told from another's.

    ValueError where tokens and slots are not those of the blocks from `start` on.
    """

    namespace: str
    names: tuple[bytes, ...]
    """The path's blocks from its first token on (`chain.names`), up to the last that the job is about."""
    start: int
    """Index of the first block to write or load. Those before it are marked as used, nothing else."""
    tokens: bytes
    """Token ids of the blocks from `start` on."""
    runs: Runs
    """Slots of the blocks from `start` on."""
    session: str | None = None
    expires: float | None = None
    """Seconds since the epoch until when the blocks of the job go last."""

    def __post_init__(self) -> None:
        blocks = len(self.names) - self.start
        if self.start < 0 or blocks < 0:
            raise ValueError(f"a job starts at block {self.start} of {len(self.names)}")
        if len(self.tokens) != blocks * BLOCK_BYTES or count(self.runs) != blocks * BLOCK_TOKENS:
            raise ValueError(
                f"a job of {blocks} blocks has {len(self.tokens) // TOKEN_BYTES} tokens and {count(self.runs)} slots;"
                f" expected {blocks * BLOCK_TOKENS} of each"
            )


@dataclass(frozen=True, slots=True)
class Written:
    """A write is over: every block of the job up to this many from `start` on is on disk. The slots are free to go."""

    job: BlockJob
    blocks: int
    bytes: int
    """Written for this job; less than `blocks` would need where some were on disk already."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load is over: the slots of this many blocks from `start` on hold what was written once, the rest nothing."""

    job: BlockJob
    blocks: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """What a deletion is about: all that fits every field given, and whatever goes on from there; all where none is.

    `prefix` stands alone: the name of a block, or a path's seed for all that begins in its namespace.
    """

    namespace: str | None = None
    """`"account"` has all its salted ones beneath it; `"account/salt"` stands for itself."""
    session: str | None = None
    """Blocks that no other session has used."""
    prefix: bytes | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None and (self.namespace is not None or self.session is not None):
            raise ValueError("a deletion by prefix was also given a namespace or a session; a prefix stands alone")


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deletion is over: the files are gone."""

    target: Target
    blocks: int
    """Of all models."""


Result = Written | Loaded | Deleted


@dataclass(frozen=True, slots=True)
class TierStats:
    """Counters since the start, and gauges of now (so named)."""

    enabled: bool = False
    """False for the tier that is off."""
    disabled: str | None = None
    """Gauge: why nothing is written for now."""
    budget: int = 0
    bytes: int = 0
    """Gauge: files of every model in the folder, or what the blocks in the host's memory take."""
    blocks: int = 0
    """Gauge: blocks of this model that a lookup finds."""
    queued: int = 0
    """Gauge: bytes of K and V that wait to be written."""
    written_blocks: int = 0
    written_bytes: int = 0
    write_seconds: float = 0.0
    """Spent on writing, waits for the bandwidth limit not counted."""
    loaded_blocks: int = 0
    loaded_bytes: int = 0
    load_seconds: float = 0.0
    read_bandwidth: float = 0.0
    """Gauge: bytes a second that `worth_loading` reckons with."""
    evicted_blocks: int = 0
    deleted_blocks: int = 0
    adopted_blocks: int = 0
    """Files that were sound and not in the index, as after a kill."""
    dropped: dict[DropReason, int] = field(default_factory=dict)
    refused_jobs: int = 0
    """Writes not taken: too large, too many waiting, or the tier is disabled."""
    orphaned_blocks: int = 0
    """Not written because the block before them was gone."""
    write_errors: int = 0
    index_rebuilds: int = 0


class Tier(Protocol):
    """Blocks of one model beneath its KV pool. Implementations: `DiskTier`, `HostTier` and `NoTier`.

    Called by the engine's loop. Nothing here waits for a disk but `flush` and `close`, and nothing raises for one.
    """

    @property
    def kind(self) -> Kind: ...

    def seed(self, namespace: str) -> bytes:
        """What every path of the namespace begins from; names no block."""
        ...

    def names(self, namespace: str, key: bytes, known: Sequence[bytes] = ()) -> list[bytes]:
        """Names of the whole blocks of `key`; `known` are the first of them where they were asked for before."""
        ...

    def lookup(self, names: Sequence[bytes], start: int = 0) -> int:
        """How many consecutive blocks from index `start` on are there."""
        ...

    def alone(self, names: Sequence[bytes]) -> int:
        """Index of the first of a path's blocks from which on nothing else goes on from it but what follows the last;
        that of the last where others do."""
        ...

    def write(self, job: BlockJob) -> bool:
        """Take a job in; False, and no result comes, where it cannot be taken now. A block that is there already is
        only marked as used."""
        ...

    def load(self, job: BlockJob) -> None:
        """Bring blocks into their slots, up to the first that is not there or not sound."""
        ...

    def cancel(self, job: BlockJob) -> None:
        """Stop at the next block. The result comes all the same, at once where the job was not begun."""
        ...

    def worth_loading(self, size: int, tokens: int, prefill_speed: float) -> bool:
        """Whether loading `size` bytes takes less time than computing `tokens` at so many tokens a second."""
        ...

    def delete(self, target: Target) -> int:
        """Forget blocks at once and remove their files in the background; blocks of this model forgotten.

        Writes that wait are held to it as well. `Deleted` follows when the files are gone.
        """
        ...

    def usage(self, namespace: str) -> tuple[int, int]:
        """Blocks and bytes of this model in a namespace and those beneath it."""
        ...

    def finished(self) -> list[Result]:
        """Results since the last call, in order."""
        ...

    def stats(self) -> TierStats: ...

    def flush(self, timeout: float) -> bool:
        """Wait until all jobs taken before are done, at full speed; False where `timeout` seconds did not suffice."""
        ...

    def close(self) -> None:
        """Carry out deletions, stop after the block in work, and report every other job as over."""
        ...
