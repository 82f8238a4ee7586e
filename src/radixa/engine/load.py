"""From settings to a running loop: the model, the KV pool, the cache and the scheduler, put together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from radixa.core.errors import ConfigError
from radixa.engine.base import EngineInfo, EngineSettings
from radixa.engine.loop import EngineLoop
from radixa.engine.runner import Runner
from radixa.engine.scheduler import Scheduler
from radixa.kv.caches import make_cache
from radixa.kv.storage import KVStorage
from radixa.models.base import Decoder, Tokenizer

if TYPE_CHECKING:
    from radixa.attention.base import AttentionBackend
    from radixa.kernels.base import Ops

RANDOM = "random:"


def load_engine(settings: EngineSettings) -> EngineLoop:
    """Load the model and everything around it. Seconds of work; ModelError and ConfigError say what is wrong."""
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
    storage = KVStorage.allocate(config.layers, config.kv_heads, config.head_size, capacity, torch_dtype)
    cache = make_cache(
        settings.cache,
        capacity,
        page_size=settings.page_size,
        eviction=settings.eviction,
        retention=settings.retention,
    )
    scheduler = Scheduler(
        cache,
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
