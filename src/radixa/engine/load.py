"""From settings to a running loop: the model, the KV pool, the cache and the scheduler, put together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from radixa.core.errors import ConfigError
from radixa.engine.base import EngineInfo, EngineSettings
from radixa.engine.events.make import make_publisher
from radixa.engine.grammar import Grammars
from radixa.engine.loop import EngineLoop
from radixa.engine.runner import Runner
from radixa.engine.scheduler import Scheduler
from radixa.engine.tiering import Tiering
from radixa.engine.watching import Watching
from radixa.kv.caches import make_cache
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import BLOCK_TOKENS, Fingerprint, Tier
from radixa.kv.tiers.no_tier import NoTier
from radixa.models.base import ModelConfig, Tokenizer
from radixa.models.identity import identity

if TYPE_CHECKING:
    import torch

    from radixa.attention.base import AttentionBackend
    from radixa.kernels.base import Ops
    from radixa.models.decoder import LlamaDecoder

RANDOM = "random:"

KV_BYTES = 1 << 30
"""Of the KV pool on a CPU, where nothing is said; on a GPU it is what the weights leave."""

STEP_TOKENS, GPU_STEP_TOKENS = 512, 8192
MAX_RUNNING, GPU_MAX_RUNNING = 64, 256


def load_engine(settings: EngineSettings, wake: Callable[[], None] = lambda: None) -> EngineLoop:
    """Load the model and everything around it. Seconds of work; ModelError and ConfigError say what is wrong.

    `wake` is called from another thread when a tier beneath the cache has done something and the loop may be idle.
    """
    import torch

    settings = by_device(settings)
    threads = settings.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    decoder, tokenizer, name, dtype = load_model(settings)
    config = decoder.config
    torch_dtype = getattr(torch, dtype)
    per_token = KVStorage.bytes_per_slot(config.layers, config.kv_heads, config.head_size, torch_dtype.itemsize)
    capacity = _capacity(settings, per_token)
    storage = _storage(settings, config, capacity, torch_dtype)
    events = make_publisher(settings.events)
    watching = Watching()
    cache = make_cache(
        settings.cache,
        capacity,
        listeners=(*events.listeners, watching),
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
        attention=decoder.attention.name,
        ops=decoder.ops.name,
    )
    make_loop: Callable[..., EngineLoop] = EngineLoop
    if settings.device == "cuda":
        from radixa.engine.cuda.load import overlapped

        make_loop = overlapped(decoder, storage, cache, settings)
    return make_loop(
        info=info,
        runner=Runner(decoder, storage, decoder.attention),
        cache=cache,
        scheduler=scheduler,
        tokenizer=tokenizer,
        eos_token_ids=frozenset(config.eos_token_ids),
        max_waiting=settings.max_waiting,
        grammars=None if tokenizer is None else Grammars(tokenizer, config.vocab_size, config.eos_token_ids, wake),
        events=events,
        watching=watching,
    )


def by_device(settings: EngineSettings) -> EngineSettings:
    """The settings with the device that `auto` means here, and what 0 means on it. ConfigError where there is none."""
    device = settings.device
    if device != "cpu":
        from radixa.engine.cuda.load import usable_device

        device = usable_device(device)
    gpu = device == "cuda"
    if not gpu and settings.attention_kernels != "triton":
        raise ConfigError(
            f"[engine] attention_kernels = {settings.attention_kernels!r}: the engine computes on the CPU here; "
            "expected device = 'cuda', or 'triton'"
        )
    dtype = "bfloat16" if gpu and settings.dtype == "auto" else settings.dtype
    return msgspec.structs.replace(
        settings,
        device=device,
        dtype=dtype,
        step_tokens=settings.step_tokens or (GPU_STEP_TOKENS if gpu else STEP_TOKENS),
        max_running=settings.max_running or (GPU_MAX_RUNNING if gpu else MAX_RUNNING),
    )


def _capacity(settings: EngineSettings, per_token: int) -> int:
    """Slots of the KV pool, once the weights are loaded."""
    size = settings.kv_bytes or KV_BYTES
    if settings.device == "cuda" and not settings.kv_bytes:
        from radixa.engine.cuda.load import free_bytes

        size = free_bytes()
    capacity = settings.kv_tokens or size // per_token
    capacity -= capacity % settings.page_size
    if capacity < 2 * settings.page_size:
        raise ConfigError(
            f"[engine] kv_tokens = {settings.kv_tokens}, kv_bytes = {size}: the KV pool would hold "
            f"{capacity} tokens of {per_token} bytes; expected at least two pages of {settings.page_size}"
        )
    check_memory(capacity * per_token, settings)
    return capacity


def _storage(settings: EngineSettings, config: ModelConfig, capacity: int, dtype: torch.dtype) -> KVStorage:
    """The KV tensors. On a GPU one slot more than the cache knows of (`cuda.runner`)."""
    slots = capacity + (settings.device == "cuda")
    return KVStorage.allocate(config.layers, config.kv_heads, config.head_size, slots, dtype, settings.device)


def check_memory(size: int, settings: EngineSettings) -> None:
    """ConfigError where a KV pool of `size` bytes is more than there is memory: the machine's, or what is free on the
    GPU."""
    if settings.device == "cuda":
        from radixa.engine.cuda.load import free_bytes

        memory, where = free_bytes(), "the GPU has {:,.1f} GiB for it"
    else:
        memory, where = (
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "this machine has {:,.1f} GiB of memory",
        )
    if size > memory:
        raise ConfigError(
            f"[engine] kv_tokens = {settings.kv_tokens}, kv_bytes = {settings.kv_bytes}: the KV pool would take "
            f"{size / 2**30:,.1f} GiB; {where.format(memory / 2**30)}"
        )


def _tier(
    settings: EngineSettings, config: ModelConfig, dtype: str, storage: KVStorage, wake: Callable[[], None]
) -> Tier:
    """The tier beneath the KV pool, where there is a cache at all: on a GPU in the host's memory, if it may take some;
    on a CPU on disk, where a folder is named and the model has a name of its own."""
    on_disk = settings.device == "cpu" and settings.disk and not settings.model.startswith(RANDOM)
    in_memory = settings.device == "cuda" and settings.host_bytes
    if settings.cache != "radix" or not (on_disk or in_memory):
        return NoTier()
    model = settings.model if settings.model.startswith(RANDOM) else identity(Path(settings.model))
    fingerprint = Fingerprint(model, dtype, config.layers, config.kv_heads, config.head_size)
    if in_memory:
        from radixa.kv.tiers.host import HostTier

        _check_host(settings.host_bytes, fingerprint)
        return HostTier(storage, fingerprint, settings.host_bytes, wake)
    from radixa.kv.tiers.disk import DiskOptions, DiskTier
    from radixa.kv.tiers.secret import installation_secret

    # What waits to be written is locked: never more than a quarter of the pool.
    waiting = min(512 << 20, storage.k.numel() * storage.k.element_size() // 2)
    options = DiskOptions(settings.disk_bytes, settings.disk_bandwidth, waiting)
    return DiskTier(
        Path(settings.disk), installation_secret(Path(settings.secrets)), fingerprint, storage, wake, options
    )


def _check_host(size: int, fingerprint: Fingerprint) -> None:
    """ConfigError where `size` bytes of the host's memory hold no block, or are more than the machine has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not fingerprint.payload_bytes <= size <= memory:
        raise ConfigError(
            f"[cache] host_bytes = {size}: expected 0 for none, or at least a block of {BLOCK_TOKENS} tokens, which is "
            f"{fingerprint.payload_bytes} bytes, and at most this machine's memory of {memory} bytes"
        )


def load_model(settings: EngineSettings) -> tuple[LlamaDecoder, Tokenizer | None, str, str]:
    """The decoder, its tokenizer (None for random weights), its name and the dtype it computes in."""
    from radixa.models.load import load_decoder, load_random, open_folder, random_config
    from radixa.models.probe import choose_dtype
    from radixa.models.tokenizer import load_tokenizer

    dtype = choose_dtype() if settings.dtype == "auto" else settings.dtype
    if settings.model.startswith(RANDOM):
        shape = settings.model.removeprefix(RANDOM)
        ops, attention = _computing(settings, random_config(shape))
        decoder = load_random(shape, dtype, ops, attention, device=settings.device)
        return decoder, None, settings.model, dtype
    folder = open_folder(Path(settings.model))
    ops, attention = _computing(settings, folder.config)
    decoder = load_decoder(folder, dtype, ops, attention, device=settings.device)
    return decoder, load_tokenizer(folder.path), folder.name, dtype


def _computing(settings: EngineSettings, config: ModelConfig) -> tuple[Ops, AttentionBackend]:
    """The operations and the attention of the device."""
    if settings.device == "cuda":
        from radixa.engine.cuda.load import computing

        return computing(config, settings)
    from radixa.attention.select import make_attention
    from radixa.kernels.select import make_ops

    return make_ops(), make_attention(settings.attention)
