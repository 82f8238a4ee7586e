"""From settings to a running loop: the model, the KV pool, the cache and the scheduler, put together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from radixa.core.errors import ConfigError
from radixa.engine.base import EngineInfo, EngineSettings
from radixa.engine.events.make import make_publisher
from radixa.engine.grammar import Grammars
from radixa.engine.loop import EngineLoop
from radixa.engine.runner import Runner
from radixa.engine.scheduler import Scheduler
from radixa.engine.tiering import Tiering
from radixa.kv.caches import make_cache
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import BLOCK_TOKENS, Fingerprint, Tier
from radixa.kv.tiers.no_tier import NoTier
from radixa.models.base import Decoder, ModelConfig, Tokenizer
from radixa.models.identity import identity

if TYPE_CHECKING:
    from radixa.attention.base import AttentionBackend
    from radixa.kernels.base import Ops

RANDOM = "random:"


def load_engine(settings: EngineSettings, wake: Callable[[], None] = lambda: None) -> EngineLoop:
    """Load the model and everything around it. Seconds of work; ModelError and ConfigError say what is wrong.

    `wake` is called from another thread when a tier beneath the cache has done something and the loop may be idle.
    """
    import torch

    from radixa.attention.select import make_attention
    from radixa.kernels.select import make_ops

    if settings.device != "cpu":
        raise ConfigError(f"[engine] device = {settings.device!r}: this release computes on the CPU; expected 'cpu'")
    threads = settings.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    attention = make_attention(settings.attention)
    ops = make_ops()
    decoder, tokenizer, name, dtype = load_model(settings, ops, attention)
    config = decoder.config
    torch_dtype = getattr(torch, dtype)
    per_token = KVStorage.bytes_per_slot(config.layers, config.kv_heads, config.head_size, torch_dtype.itemsize)
    capacity = settings.kv_tokens or settings.kv_bytes // per_token
    capacity -= capacity % settings.page_size
    if capacity < 2 * settings.page_size:
        raise ConfigError(
            f"[engine] kv_tokens = {settings.kv_tokens}, kv_bytes = {settings.kv_bytes}: the KV pool would hold "
            f"{capacity} tokens of {per_token} bytes; expected at least two pages of {settings.page_size}"
        )
    check_memory(capacity * per_token, settings)
    storage = KVStorage.allocate(config.layers, config.kv_heads, config.head_size, capacity, torch_dtype)
    events = make_publisher(settings.events)
    cache = make_cache(
        settings.cache,
        capacity,
        listeners=events.listeners,
        page_size=settings.page_size,
        eviction=settings.eviction,
        retention=settings.retention,
    )
    block_bytes = BLOCK_TOKENS * per_token
    scheduler = Scheduler(
        cache,
        Tiering(cache, _tier(settings, config, dtype, storage, wake), block_bytes),
        step_tokens=settings.step_tokens,
        max_running=settings.max_running,
        max_overtakes=settings.max_overtakes,
    )
    info = EngineInfo(
        model=name,
        dtype=dtype,
        context_length=config.context_length,
        vocab_size=config.vocab_size,
        capacity=capacity,
        bytes_per_token=per_token,
        attention=attention.name,
        ops=ops.name,
    )
    return EngineLoop(
        info=info,
        runner=Runner(decoder, storage, attention),
        cache=cache,
        scheduler=scheduler,
        tokenizer=tokenizer,
        eos_token_ids=frozenset(config.eos_token_ids),
        max_waiting=settings.max_waiting,
        grammars=None if tokenizer is None else Grammars(tokenizer, config.vocab_size, config.eos_token_ids, wake),
        events=events,
    )


def check_memory(size: int, settings: EngineSettings) -> None:
    """ConfigError where a KV pool of `size` bytes is more than the machine has memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise ConfigError(
            f"[engine] kv_tokens = {settings.kv_tokens}, kv_bytes = {settings.kv_bytes}: the KV pool would take "
            f"{size / 2**30:,.1f} GiB; this machine has {memory / 2**30:,.1f} GiB of memory"
        )


def _tier(
    settings: EngineSettings, config: ModelConfig, dtype: str, storage: KVStorage, wake: Callable[[], None]
) -> Tier:
    """The tier beneath the KV pool: on disk where a folder is named, the model has a name of its own and there is a
    cache at all."""
    if not settings.disk or settings.model.startswith(RANDOM) or settings.cache != "radix":
        return NoTier()
    from radixa.kv.tiers.disk import DiskOptions, DiskTier
    from radixa.kv.tiers.secret import installation_secret

    fingerprint = Fingerprint(identity(Path(settings.model)), dtype, config.layers, config.kv_heads, config.head_size)
    # What waits to be written is locked: never more than a quarter of the pool.
    waiting = min(512 << 20, storage.k.numel() * storage.k.element_size() // 2)
    options = DiskOptions(settings.disk_bytes, settings.disk_bandwidth, waiting)
    return DiskTier(
        Path(settings.disk), installation_secret(Path(settings.secrets)), fingerprint, storage, wake, options
    )


def load_model(
    settings: EngineSettings, ops: Ops, attention: AttentionBackend
) -> tuple[Decoder, Tokenizer | None, str, str]:
    """The decoder, its tokenizer (None for random weights), its name and the dtype it computes in."""
    from radixa.models.load import load_decoder, load_random, open_folder
    from radixa.models.probe import choose_dtype
    from radixa.models.tokenizer import load_tokenizer

    dtype = choose_dtype() if settings.dtype == "auto" else settings.dtype
    if settings.model.startswith(RANDOM):
        shape = settings.model.removeprefix(RANDOM)
        return load_random(shape, dtype, ops, attention), None, settings.model, dtype
    folder = open_folder(Path(settings.model))
    return load_decoder(folder, dtype, ops, attention), load_tokenizer(folder.path), folder.name, dtype
