"""What crosses the engine's border: its settings, requests, outputs and the messages of its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

from radixa.core import errors
from radixa.core.base import CachePolicy, Explanation, FinishReason, Role, SamplingParams, TokenLogprob, Usage
from radixa.core.errors import RadixaError
from radixa.engine.events.base import EventSettings, EventStats
from radixa.kv.tiers.base import TierStats
from radixa.radix import MAX_LEVELS, Keep, NodeView, Reason


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an engine process needs to know, sent to it once when it starts."""

    model: str
    """A prepared model's folder, or `random:SHAPE`."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """`auto`: a GPU where there is one."""
    kv_tokens: int = 0
    """Slots of the KV pool; 0 takes what `kv_bytes` holds."""
    kv_bytes: int = 0
    """0 takes 1 GiB on a CPU, and on a GPU what the weights leave."""
    page_size: int = 1
    cache: Literal["radix", "force_miss", "none"] = "radix"
    eviction: str = "lru"
    retention: float = 0.5
    """Share of the KV pool that TTLs, priorities and pins may keep."""
    host_bytes: int = 0
    """Bytes of the host's memory beneath a GPU's KV pool; 0 for none."""
    disk: str = ""
    """Folder of the disk tier; empty for none. On a CPU only."""
    disk_bytes: int = 2 << 30
    """Bytes that its files may take, of all models together."""
    disk_bandwidth: int = 128 << 20
    """Bytes a second that are written to it at most."""
    secrets: str = ""
    """Folder of the installation's secret, which names and seals what is on disk."""
    events: EventSettings = EventSettings()
    attention: Literal["auto", "on", "off"] = "auto"
    """Tree attention: where it pays, always, never."""
    attention_kernels: Literal["triton", "flashinfer"] = "triton"
    """On a CUDA device."""
    max_running: int = 0
    """Sequences in one step; 0 takes 64 on a CPU and 256 on a GPU."""
    max_waiting: int = 1024
    """Requests in the queue; one more is refused with 503."""
    step_tokens: int = 0
    """Tokens computed in one step: every decoding sequence takes one, chunks of prompts take the rest; 0 takes 512 on a
    CPU and 8,192 on a GPU."""
    max_overtakes: int = 16
    """How many later requests may be admitted before a waiting one; then it goes first (law 6)."""
    threads: int = 0
    """Compute threads; 0 takes all cores."""


class EngineRequest(msgspec.Struct, frozen=True):
    """One answer to generate. `token_ids` is the prompt (`core.tokens`), at least one token."""

    request_id: str
    token_ids: bytes
    namespace: str = ""
    sampling: SamplingParams = SamplingParams()
    cache: CachePolicy = CachePolicy()
    spans: tuple[tuple[int, Role], ...] = ()
    """Where the turns of the prompt end, in tokens from its start, and whose they are; empty if that is not known."""


class Fault(msgspec.Struct, frozen=True):
    """An error on its way over the socket: the name of its class in `core.errors`, and what it said."""

    kind: str
    message: str
    param: str | None = None
    code: str | None = None

    @classmethod
    def of(cls, error: RadixaError) -> Fault:
        return cls(type(error).__name__, error.message, error.param, error.code)

    def error(self) -> RadixaError:
        kind: type[RadixaError] = getattr(errors, self.kind)
        return kind(self.message, param=self.param, code=self.code)


class EngineOutput(msgspec.Struct, frozen=True):
    """What one step produced for one request. The last has `finish_reason`; `fault` says why it failed."""

    request_id: str
    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    """So far, with the first token and with the last."""
    fault: Fault | None = None


class EngineInfo(msgspec.Struct, frozen=True):
    """What a ready engine says of itself."""

    model: str
    dtype: str
    context_length: int
    vocab_size: int
    capacity: int
    """Slots of the KV pool."""
    bytes_per_token: int
    attention: str
    ops: str


class EngineStats(msgspec.Struct, frozen=True, tag=True):
    """Figures of a running engine: gauges of now, and counters since its start."""

    running: int = 0
    waiting: int = 0
    capacity: int = 0
    free: int = 0
    tree: int = 0
    leased: int = 0
    evictable: int = 0
    nodes: int = 0
    steps: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    computed_tokens: int = 0
    """Prompt tokens that went through the model, also those computed again after a retraction."""
    generated_tokens: int = 0
    evicted_tokens: int = 0
    retractions: int = 0
    retained: int = 0
    """Tokens that TTLs, priorities and pins keep."""
    retention_budget: int = 0
    expired_tokens: int = 0
    """Tokens whose TTL ran out."""
    yielded_tokens: int = 0
    """Tokens that lost their retention to its budget."""
    flushed_tokens: int = 0
    """Tokens dropped because somebody asked for it."""
    wanted_tokens: int = 0
    """Prompt tokens that were computed again because they had been evicted or had expired."""
    host_tokens: int = 0
    """Cached tokens that came from the host's memory to a GPU."""
    disk_tokens: int = 0
    """Cached tokens that came from disk."""
    namespaces: dict[str, int] = {}
    """Tokens in the tree by namespace."""
    host: TierStats = TierStats()
    disk: TierStats = TierStats()
    events: EventStats = EventStats()


class Flushed(msgspec.Struct, frozen=True, tag=True):
    """What a flush dropped."""

    tokens: int
    """From the tree."""
    host_tokens: int = 0
    """From the host's memory, where much of the same lay as well."""
    disk_tokens: int = 0
    """From disk, where much of the same lay as well; 0 also where the disk could not be reached in time."""


class TreeQuery(msgspec.Struct, frozen=True, tag=True):
    """A walk through one namespace and those beneath it, or through all.

    It goes on while requests run, so it sees every node that was there all the time; the engine remembers the last few
    walks.
    """

    namespace: str | None = None
    levels: int = MAX_LEVELS
    """Nodes further below the root are left out."""
    min_tokens: int = 1
    """Nodes of fewer tokens are passed over."""
    limit: int = 1000
    """Nodes in the answer, at most."""
    cursor: int | None = None
    """Where the walk goes on, as the page before said; the namespace must be the same. None begins one."""


class TreePage(msgspec.Struct, frozen=True, tag=True):
    """Part of a walk through the tree."""

    nodes: list[NodeView]
    """Depth first, those above a node before it."""
    cursor: int | None
    """Where the walk goes on; None at its end."""


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """A node that was hit, or whose retention changed: what is another now."""

    id: int
    namespace: str
    hits: int
    last_use: float
    """Seconds ago."""
    keep: Keep | None


class Removal(msgspec.Struct, frozen=True, array_like=True):
    """A node that left the tree."""

    id: int
    namespace: str
    reason: Reason


class Changes(msgspec.Struct, frozen=True, tag=True):
    """What happened to the tree since the question before, of all namespaces (`watching.py`).

    A node is told as it is now. To be applied in this order: removals, nodes, touches.
    """

    nodes: list[NodeView]
    """New, or with other tokens than before; those above a node before it."""
    touches: list[Touch]
    removals: list[Removal]
    locked: list[tuple[int, str]]
    """The last node, and its namespace, of each path that a running request holds."""
    lost: list[str]
    """Accounts of which so much happened that not all of it is told: their trees must be read anew."""
    begun: bool
    """This is the first answer: what was before it is not told."""
    more: bool
    """There is more to tell already."""


class Engine(Protocol):
    """An engine as its callers see it; `EngineClient` is the one implementation, whatever process the engine is in."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def ready(self) -> bool:
        """False while the engine's process is being started again."""
        ...

    def generate(self, request: EngineRequest) -> AsyncIterator[EngineOutput]:
        """Stream one answer. Closing the iterator cancels the request within one step (law 7)."""
        ...

    async def stats(self) -> EngineStats: ...

    async def tree(self, wanted: TreeQuery) -> TreePage:
        """The next nodes of a walk. NotFound for a cursor that is not known any more."""
        ...

    async def explain(self, token_ids: bytes, namespace: str, *, read: bool = True) -> Explanation:
        """What the prompt would find now, and where and why it leaves the cache. Touches nothing."""
        ...

    async def flush(
        self, namespace: str | None = None, *, session: str | None = None, prefix: bytes | None = None
    ) -> Flushed:
        """Drop what is not in use, while requests run.

        Of one namespace and those beneath it or of all; with `session` only what that session brought and nobody goes
        on from; with `prefix`, in exactly this namespace, that path as far as nothing else goes on from it, and all
        that begins with it.
        """
        ...

    async def changes(self) -> Changes:
        """What happened to the tree since this was asked last. The first question begins it, and ten seconds without
        one end it; the engine tells one client, which tells all its viewers."""
        ...

    async def node(self, number: int, namespace: str | None = None) -> list[NodeView]:
        """The path to the node with that id, root first, in one namespace and those beneath it or in all.

        NotFound where there is none.
        """
        ...

    async def keep(self, number: int, namespace: str | None, keep: Keep | None) -> list[NodeView]:
        """Give the path down to that node the retention `keep` in place of what it was granted itself; None for none.
        The path as it is then; NotFound as above."""
        ...

    async def close(self) -> None: ...
